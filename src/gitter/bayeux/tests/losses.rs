//! Lost sockets, forgotten clients, gaps and silence.

use super::*;

/// Takes a session that waits back to all rooms subscribed.
fn recover(bench: &mut Bench) {
    bench.link();
    bench.grant_all();
}

#[test]
fn a_cut_socket_interrupts_its_rooms_at_once_and_brings_them_back() {
    let mut bench = Bench::with_rooms(&["a", "b"]);
    bench.cut();
    assert_eq!(bench.told(), ["interrupted a b"]);
    recover(&mut bench);
    assert_eq!(bench.told(), ["connected", "subscribed a 1", "subscribed b 1"]);
    bench.data("a", 1);
    assert_eq!(bench.told(), [r#"create a {"id":"m1"}"#], "the count starts anew");
}

#[test]
fn rooms_that_never_were_subscribed_are_not_interrupted() {
    let mut bench = Bench::new();
    bench.subscribe("a");
    bench.link();
    bench.cut();
    assert_eq!(bench.told(), ["connected"]);
}

#[test]
fn a_room_lost_before_its_new_grant_is_interrupted_only_once() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.cut();
    bench.wait_for_socket();
    bench.cut();
    assert_eq!(bench.told(), ["interrupted a"]);
}

#[test]
fn a_forgotten_client_shakes_hands_again_and_resubscribes_all() {
    for reply in [
        json!({ "channel": "/meta/connect", "successful": false, "error": "401:c1:Unknown client",
            "advice": { "reconnect": "handshake", "interval": 2000 } }),
        json!({ "channel": "/meta/subscribe", "successful": false, "error": "401::Unknown client",
            "advice": { "reconnect": "handshake", "interval": 2000 } }),
        json!({ "channel": "/meta/connect", "successful": false, "advice": { "reconnect": "none",
            "interval": 2000 } }),
    ] {
        let mut bench = Bench::with_rooms(&["a", "b"]);
        bench.receive(&reply);
        assert_eq!(bench.told(), ["interrupted a b"]);
        assert_eq!(
            bench.wait_for_socket(),
            Duration::from_secs(2),
            "the advice is longer than the back-off"
        );
        bench.open();
        bench.sent();
        bench.shake_hands();
        bench.frames.pop_front();
        bench.connect_answered();
        bench.grant_all();
        assert_eq!(bench.told(), ["connected", "subscribed a 1", "subscribed b 1"]);
    }
}

#[test]
fn an_advised_wait_of_days_is_cut_to_a_minute() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.receive(
        &json!({ "channel": "/meta/connect", "successful": false, "error": "401::x",
        "advice": { "reconnect": "none", "interval": 864_000_000 } }),
    );
    assert_eq!(bench.wait_for_socket(), Duration::from_mins(1));
}

#[test]
fn a_connect_that_failed_for_another_reason_is_repeated() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.receive(
        &json!({ "channel": "/meta/connect", "successful": false, "error": "500::Oops",
        "advice": { "reconnect": "retry", "interval": 3000 } }),
    );
    bench.pass(2999);
    assert!(bench.sent().is_empty());
    bench.pass(1);
    assert_eq!(bench.sent()[0]["channel"], "/meta/connect");
    assert!(bench.told().is_empty());
}

#[test]
fn a_gap_is_told_before_the_message_that_shows_it_and_resets() {
    let mut bench = Bench::with_rooms(&["a", "b"]);
    bench.data("a", 1);
    bench.data("b", 3);
    assert_eq!(
        bench.told(),
        [
            r#"create a {"id":"m1"}"#,
            "interrupted a b",
            r#"create b {"id":"m3"}"#,
            "interrupted a b"
        ]
    );
    assert_eq!(bench.sent()[0]["channel"], "/meta/disconnect");
    assert!(!bench.socket);
    recover(&mut bench);
    assert_eq!(bench.told(), ["connected", "subscribed a 1", "subscribed b 1"]);
}

#[test]
fn the_rest_of_a_frame_with_a_gap_is_told() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.receive_frame(&json!([data("a", 2), data("a", 3), data("a", 4)]).to_string());
    let told = bench.told();
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told[0], "interrupted a");
    assert_eq!(told[3], r#"create a {"id":"m4"}"#);
    assert_eq!(told[4], "interrupted a");
}

#[test]
fn a_count_that_starts_too_high_or_starts_again_is_a_gap() {
    for counts in [vec![2], vec![1, 2, 1], vec![1, 1]] {
        let mut bench = Bench::with_rooms(&["a"]);
        let last = counts.len() - 1;
        for (place, count) in counts.iter().enumerate() {
            assert!(bench.socket, "{counts:?}");
            bench.data("a", *count);
            assert_eq!(
                bench.told().contains(&"interrupted a".to_owned()),
                place == last,
                "{counts:?}"
            );
        }
    }
}

#[test]
fn frames_without_a_count_are_not_counted() {
    let mut bench = Bench::with_rooms(&["a"]);
    for _ in 0..2 {
        let mut message = data("a", 7);
        message["ext"] = Value::Null;
        bench.receive(&message);
    }
    assert_eq!(bench.told().len(), 2);
    assert!(bench.socket);
}

#[test]
fn gaps_reset_at_most_every_five_minutes_but_are_always_told() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.data("a", 2);
    assert!(!bench.socket);
    let reset = bench.now;
    recover(&mut bench);
    bench.events.clear();
    bench.data("a", 2);
    bench.data("a", 9);
    assert_eq!(
        bench.told(),
        [
            "interrupted a",
            r#"create a {"id":"m2"}"#,
            "interrupted a",
            r#"create a {"id":"m9"}"#
        ]
    );
    assert!(bench.socket, "too soon after the last reset");
    while bench.now < reset + Duration::from_secs(299) {
        bench.pass(1000);
        bench.connect_answered();
        assert!(bench.socket);
    }
    bench.pass(1000);
    assert_eq!(bench.told(), ["interrupted a"], "the reset is made up for");
    assert!(!bench.socket);
    recover(&mut bench);
    assert_eq!(bench.told(), ["connected", "subscribed a 1"]);
}

#[test]
fn what_cannot_be_read_counts_as_a_gap() {
    let frames = [
        "",
        "{",
        "null",
        r#"{"channel":"/meta/connect"}"#,
        "[1]",
        r#"[{"channel":5}]"#,
        "[[]]",
    ];
    for frame in frames {
        let mut bench = Bench::with_rooms(&["a"]);
        bench.receive_frame(frame);
        assert_eq!(bench.told(), ["interrupted a", "interrupted a"], "{frame}");
        assert!(!bench.socket, "{frame}");
    }
    let mut bench = Bench::with_rooms(&["a"]);
    bench.session.binary_received(bench.now);
    bench.perform();
    assert_eq!(bench.told(), ["interrupted a", "interrupted a"]);
}

#[test]
fn one_unreadable_message_does_not_sink_its_frame() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.receive_frame(&json!([{ "channel": 5 }, data("a", 1)]).to_string());
    let told = bench.told();
    assert_eq!(
        told[..2],
        ["interrupted a".to_owned(), r#"create a {"id":"m1"}"#.to_owned()]
    );
}

#[test]
fn an_unreadable_answer_to_the_handshake_starts_over() {
    let mut bench = Bench::new();
    bench.pass(0);
    bench.open();
    bench.receive_frame("<html>");
    assert!(!bench.socket);
    bench.wait_for_socket();
}

#[test]
fn silence_beyond_the_timeout_is_a_dead_socket() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.pass(129_999);
    assert!(bench.socket);
    bench.pass(1);
    assert!(!bench.socket);
    assert_eq!(bench.told(), ["interrupted a"]);
    recover(&mut bench);
    assert_eq!(bench.told(), ["connected", "subscribed a 1"]);
}

#[test]
fn the_advised_timeout_says_how_long_silence_may_be() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.receive(&json!({ "channel": "/meta/connect", "successful": true,
        "advice": { "interval": 500, "timeout": 864_000_000 } }));
    bench.pass(500);
    bench.pass(609_999);
    assert!(bench.socket);
    bench.pass(1);
    assert!(!bench.socket, "ten minutes and ten seconds, not ten days");
}

#[test]
fn late_frames_of_a_dropped_socket_are_nobodys() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.cut();
    bench.told();
    bench.data("a", 1);
    bench.receive_frame("{");
    assert!(bench.told().is_empty());
}
