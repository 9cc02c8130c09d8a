//! The channels beside a room's messages: the room itself, and who is in it.

use super::*;

const ROOM: &str = "/api/v1/rooms/a";
const USERS: &str = "/api/v1/rooms/a/users";

/// A session with all channels of a room subscribed.
fn following() -> Bench {
    let mut bench = Bench::with_rooms(&[]);
    bench.session.subscribe(Channel::of(&room("a")), bench.now);
    bench.perform();
    for request in bench.sent() {
        bench.receive(&granted_as_is(&request));
    }
    assert_eq!(bench.told().len(), 3);
    bench
}

/// The grant of a channel, with what Gitter gives if it is asked for.
fn granted_as_is(request: &Value) -> Value {
    let mut reply = granted(request);
    if request["subscription"] == ROOM {
        reply["ext"]["snapshot"] = json!({ "id": "a", "public": true });
    }
    reply
}

fn look_at(bench: &mut Bench) -> Value {
    let channel = Channel::new(Topic::Room, room("a"));
    bench.session.subscribe([channel], bench.now);
    bench.perform();
    let mut sent = bench.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["subscription"], ROOM);
    sent.remove(0)
}

fn refusal(request: &Value, error: &str) -> Value {
    json!({ "channel": "/meta/subscribe", "id": request["id"], "successful": false, "error": error })
}

#[test]
fn the_room_is_asked_for_with_its_snapshot_and_users_without_after_messages() {
    let mut bench = Bench::with_rooms(&[]);
    bench.session.subscribe(Channel::of(&room("a")), bench.now);
    bench.perform();
    let asked = bench.sent();
    let names: Vec<_> = asked
        .iter()
        .map(|message| message["subscription"].clone())
        .collect();
    assert_eq!(names, [json!(channel("a")), json!(ROOM), json!(USERS)]);
    assert_eq!(asked[1]["ext"]["snapshot"], true);
    assert_eq!(asked[2]["ext"]["snapshot"], false);
    for request in &asked {
        bench.receive(&granted_as_is(request));
    }
    assert_eq!(
        bench.told(),
        [
            "subscribed a 1",
            r#"room snapshot a {"id":"a","public":true}"#,
            "users of a"
        ]
    );
}

#[test]
fn changes_of_the_room_and_of_its_people_are_told_and_presence_is_not() {
    let mut bench = following();
    let data =
        |name: &str, count: u64, data: Value| json!({ "channel": name, "ext": { "c": count }, "data": data });
    bench.receive(&data(
        ROOM,
        1,
        json!({ "operation": "patch", "model": { "id": "a", "topic": "new" } }),
    ));
    bench.receive(&data(
        ROOM,
        2,
        json!({ "notification": "presence", "userId": "u", "status": "in" }),
    ));
    bench.receive(&data(
        USERS,
        3,
        json!({ "operation": "remove", "model": { "id": "u" } }),
    ));
    assert_eq!(
        bench.told(),
        [
            r#"room patch a {"id":"a","topic":"new"}"#,
            r#"user remove a {"id":"u"}"#
        ]
    );
}

#[test]
fn a_look_asks_for_the_room_alone() {
    let mut bench = following();
    let request = look_at(&mut bench);
    bench.receive(&granted_as_is(&request));
    assert_eq!(bench.told(), [r#"room snapshot a {"id":"a","public":true}"#]);
}

#[test]
fn following_again_asks_for_new_snapshots_and_not_for_people() {
    let mut bench = following();
    bench.session.subscribe(Channel::of(&room("a")), bench.now);
    bench.perform();
    let names: Vec<_> = bench
        .sent()
        .iter()
        .map(|message| message["subscription"].clone())
        .collect();
    assert_eq!(names, [json!(channel("a")), json!(ROOM)]);
}

#[test]
fn a_refused_side_channel_leaves_the_messages_alone() {
    let mut bench = Bench::with_rooms(&[]);
    bench.session.subscribe(Channel::of(&room("a")), bench.now);
    bench.perform();
    let asked = bench.sent();
    bench.receive(&granted(&asked[0]));
    bench.receive(&refusal(&asked[1], "403::Authorisation denied."));
    bench.receive(&refusal(&asked[2], "403::Authorisation denied."));
    assert_eq!(
        bench.told(),
        ["subscribed a 1", "room refused a 403::Authorisation denied."]
    );
    bench.data("a", 1);
    assert_eq!(bench.told(), [r#"create a {"id":"m1"}"#]);
    let again = look_at(&mut bench);
    bench.receive(&granted_as_is(&again));
    assert_eq!(bench.told(), [r#"room snapshot a {"id":"a","public":true}"#]);
}

#[test]
fn a_room_without_a_snapshot_is_not_told() {
    let mut bench = following();
    let request = look_at(&mut bench);
    bench.receive(
        &json!({ "channel": "/meta/subscribe", "id": request["id"], "successful": true,
        "error": "500::Internal Server Error" }),
    );
    assert!(bench.told().is_empty());
}

#[test]
fn a_room_let_go_is_let_go_on_all_its_channels() {
    let mut bench = following();
    bench.unsubscribe("a");
    let names: Vec<_> = bench
        .sent()
        .iter()
        .map(|message| message["subscription"].clone())
        .collect();
    assert_eq!(names, [json!(channel("a")), json!(ROOM), json!(USERS)]);
    bench.receive(&json!({ "channel": ROOM, "ext": { "c": 1 }, "data": { "operation": "remove", "model": { "id": "a" } } }));
    assert!(bench.told().is_empty());
}

#[test]
fn a_cut_socket_brings_all_channels_back_and_interrupts_the_room_once() {
    let mut bench = following();
    bench.cut();
    assert_eq!(bench.told(), ["interrupted a"]);
    bench.link();
    let names: Vec<_> = bench
        .sent()
        .iter()
        .map(|message| message["subscription"].clone())
        .collect();
    assert_eq!(names, [json!(channel("a")), json!(ROOM), json!(USERS)]);
}
