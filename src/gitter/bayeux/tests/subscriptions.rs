//! Rooms asked for, granted, refused and let go.

use super::*;

fn refused(request: &Value, error: &str) -> Value {
    json!({ "channel": "/meta/subscribe", "id": request["id"], "successful": false, "error": error })
}

#[test]
fn a_room_is_asked_for_with_a_snapshot_of_all_that_gitter_gives() {
    let mut bench = Bench::new();
    bench.link();
    bench.subscribe("a");
    let asked = bench.sent();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["subscription"], channel("a"));
    assert_eq!(asked[0]["clientId"], "c1");
    assert_eq!(
        asked[0]["ext"]["snapshot"],
        json!({ "limit": 100, "includeThreads": true })
    );
    bench.receive(&granted(&asked[0]));
    assert_eq!(bench.told(), ["connected", "subscribed a 1"]);
}

#[test]
fn messages_are_told_as_they_come() {
    let mut bench = Bench::with_rooms(&["a", "b"]);
    bench.data("a", 1);
    bench.receive(&json!({ "channel": channel("b"), "ext": { "c": 2 },
        "data": { "operation": "remove", "model": { "id": "m9" } } }));
    assert_eq!(
        bench.told(),
        [r#"create a {"id":"m1"}"#, r#"remove b {"id":"m9"}"#]
    );
}

#[test]
fn rooms_are_asked_for_one_a_message_and_fifty_a_frame_one_frame_at_a_time() {
    let mut bench = Bench::new();
    for number in 0..120 {
        bench.subscribe(&format!("r{number:03}"));
    }
    bench.link();
    let mut sizes = Vec::new();
    while let Some(frame) = bench.frames.pop_front() {
        assert!(bench.frames.is_empty(), "one frame at a time");
        assert!(frame.iter().all(|message| message["subscription"].is_string()));
        sizes.push(frame.len());
        for request in &frame {
            bench.receive(&granted(request));
        }
    }
    assert_eq!(sizes, [50, 50, 20]);
    assert_eq!(bench.told().len(), 121);
}

#[test]
fn a_grant_without_a_snapshot_is_a_grant_all_the_same() {
    for (extra, reason) in [
        (
            json!({ "error": "500::Internal Server Error" }),
            "500::Internal Server Error",
        ),
        (json!({ "ext": {} }), "Gitter sent no snapshot"),
        (
            json!({ "ext": { "snapshot": { "items": [] } } }),
            "Gitter's snapshot is no list",
        ),
    ] {
        let mut bench = Bench::new();
        bench.link();
        bench.subscribe("a");
        let mut reply = granted(&bench.sent()[0]);
        reply["ext"] = Value::Null;
        for (key, value) in extra.as_object().unwrap() {
            reply[key] = value.clone();
        }
        bench.receive(&reply);
        bench.data("a", 1);
        let told = bench.told();
        assert_eq!(told[1], format!("subscribed a without: {reason}"));
        assert_eq!(told[2], r#"create a {"id":"m1"}"#);
    }
}

#[test]
fn an_empty_snapshot_is_no_failure() {
    let mut bench = Bench::new();
    bench.link();
    bench.subscribe("a");
    let mut reply = granted(&bench.sent()[0]);
    reply["ext"]["snapshot"] = json!([]);
    bench.receive(&reply);
    assert_eq!(bench.told()[1], "subscribed a 0");
}

#[test]
fn a_reply_without_an_id_is_known_by_its_subscription() {
    let mut bench = Bench::new();
    bench.link();
    bench.subscribe("a");
    let mut reply = granted(&bench.sent()[0]);
    reply["id"] = Value::Null;
    bench.receive(&reply);
    assert_eq!(bench.told()[1], "subscribed a 1");
}

#[test]
fn a_refused_room_is_told_and_left_alone_until_asked_for_again() {
    for error in ["403::Authorisation denied.", "404::Not Found"] {
        let mut bench = Bench::with_rooms(&["b"]);
        bench.subscribe("a");
        let request = bench.sent().remove(0);
        bench.receive(&refused(&request, error));
        assert_eq!(bench.told(), [format!("refused a {error}")]);
        bench.pass(100_000);
        bench.cut();
        bench.link();
        let asked = bench.sent();
        assert_eq!(asked.len(), 1, "only the other room: {asked:?}");
        bench.receive(&granted(&asked[0]));
        bench.subscribe("a");
        assert_eq!(bench.sent()[0]["subscription"], channel("a"));
    }
}

#[test]
fn a_subscribed_room_that_is_refused_later_is_heard_of_no_more() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.subscribe("a");
    let request = bench.sent().remove(0);
    bench.receive(&refused(&request, "403::Authorisation denied."));
    bench.data("a", 1);
    bench.cut();
    assert_eq!(bench.told(), ["refused a 403::Authorisation denied."]);
}

#[test]
fn a_room_that_gitter_failed_over_is_asked_for_again_a_while_later() {
    let mut bench = Bench::with_rooms(&["b"]);
    bench.subscribe("a");
    let request = bench.sent().remove(0);
    bench.receive(&refused(&request, "500::Internal Server Error"));
    bench.pass(29_000);
    assert!(bench.sent().is_empty());
    bench.pass(1_000);
    let again = bench.sent().remove(0);
    assert_eq!(again["subscription"], channel("a"));
    bench.receive(&granted(&again));
    assert_eq!(bench.told(), ["subscribed a 1"]);
}

#[test]
fn asking_again_gives_a_new_snapshot_without_an_interruption() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.subscribe("a");
    bench.data("a", 1);
    bench.grant_all();
    assert_eq!(bench.told(), [r#"create a {"id":"m1"}"#, "subscribed a 1"]);
}

#[test]
fn a_room_let_go_is_unsubscribed_and_heard_of_no_more() {
    let mut bench = Bench::with_rooms(&["a", "b"]);
    bench.unsubscribe("a");
    let sent = bench.sent();
    assert_eq!(
        (sent.len(), &sent[0]["channel"]),
        (1, &json!("/meta/unsubscribe"))
    );
    assert_eq!(sent[0]["subscription"], channel("a"));
    bench.receive(&json!({ "channel": "/meta/unsubscribe", "id": sent[0]["id"], "successful": true }));
    bench.data("a", 1);
    bench.data("b", 2);
    bench.cut();
    assert_eq!(bench.told(), [r#"create b {"id":"m2"}"#, "interrupted b"]);
    bench.link();
    assert_eq!(bench.sent().len(), 1, "only the other room is asked for");
}

#[test]
fn a_room_let_go_while_it_was_asked_for_does_not_hold_up_the_next() {
    let mut bench = Bench::with_rooms(&[]);
    bench.subscribe("a");
    let request = bench.sent().remove(0);
    bench.subscribe("b");
    assert!(bench.sent().is_empty(), "one batch at a time");
    bench.unsubscribe("a");
    let sent = bench.sent();
    assert_eq!(sent[0]["channel"], "/meta/unsubscribe");
    assert_eq!(sent[1]["subscription"], channel("b"));
    bench.receive(&granted(&request));
    assert!(bench.told().is_empty(), "the late grant is nobody's");
    bench.receive(&granted(&sent[1]));
    assert_eq!(bench.told(), ["subscribed b 1"]);
}

#[test]
fn an_unknown_room_is_let_go_in_silence() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.unsubscribe("z");
    assert!(bench.sent().is_empty());
}

#[test]
fn a_batch_that_is_never_answered_is_a_dead_socket() {
    let mut bench = Bench::with_rooms(&["b"]);
    bench.subscribe("a");
    bench.pass(59_999);
    assert!(bench.socket);
    bench.pass(1);
    assert!(!bench.socket);
    assert_eq!(bench.told(), ["interrupted b"]);
}

#[test]
fn a_room_whose_snapshot_kills_the_socket_ends_up_alone_and_without_one() {
    let mut bench = Bench::new();
    for name in ["a", "b", "poison"] {
        bench.subscribe(name);
    }
    bench.link();
    bench.cut();
    bench.link();
    let mut alone = Vec::new();
    while let Some(frame) = bench.frames.pop_front() {
        alone.push(frame.len());
        if frame[0]["subscription"] == channel("poison") {
            break;
        }
        bench.receive(&granted(&frame[0]));
    }
    assert_eq!(alone, [1, 1, 1], "the suspects are asked for one by one");
    bench.cut();
    bench.link();
    let together = bench.frames.pop_front().unwrap();
    assert_eq!(together.len(), 2, "the others are cleared");
    bench.receive_frame(&Value::Array(together.iter().map(granted).collect()).to_string());
    let poison = bench.frames.pop_front().unwrap();
    assert_eq!(poison[0]["ext"]["snapshot"], false);
    bench.events.clear();
    bench.receive(&json!({ "channel": "/meta/subscribe", "id": poison[0]["id"], "successful": true }));
    assert_eq!(
        bench.told(),
        ["subscribed poison without: Gitter sent no snapshot"]
    );
}
