use jiff::SignedDuration;

use super::*;
use crate::{
    seed::{NewRoom, NewUser},
    state::Rules,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_600_000_000 + second).unwrap()
}

/// A state with a room and a user, who may write in it.
fn state() -> (State, Caller, String) {
    let mut state = State::new(Rules {
        web_url: "http://localhost".to_owned(),
        image_proxy: None,
        edit_window: SignedDuration::from_mins(10),
        connect_timeout: std::time::Duration::from_mins(2),
        rate_limit: 0,
        rate_window: std::time::Duration::from_mins(1),
    });
    state.add_user(at(0), &NewUser::named("wren", "Wren")).unwrap();
    let room = state
        .add_room(at(0), &NewRoom::public("tidepool/harbour"))
        .unwrap();
    let caller = state.caller_named("wren").unwrap();
    (state, caller, room.to_string())
}

fn id(message: &Value) -> &str {
    message["id"].as_str().unwrap()
}

#[test]
fn a_message_may_be_edited_for_600_seconds() {
    let (mut state, caller, room) = state();
    let message = state
        .create_message(at(0), &caller, &room, &json!({"text": "old"}))
        .unwrap();
    let mut edit =
        |second| state.update_message(at(second), &caller, &room, id(&message), &json!({"text": "new"}));
    assert_eq!(edit(600).unwrap()["editedAt"], "2020-09-13T12:36:40.000Z");
    assert_eq!(edit(601).unwrap_err().status, 400);
}

#[test]
fn a_tombstone_can_be_edited_back_to_life() {
    let (mut state, caller, room) = state();
    let parent = state
        .create_message(at(0), &caller, &room, &json!({"text": "parent"}))
        .unwrap();
    let reply = json!({"text": "reply", "parentId": id(&parent)});
    state.create_message(at(1), &caller, &room, &reply).unwrap();
    state.delete_message(&caller, &room, id(&parent)).unwrap();
    assert_eq!(state.message(&caller, &room, id(&parent)).unwrap()["text"], "");
    let revived = state.update_message(at(2), &caller, &room, id(&parent), &json!({"text": "back"}));
    assert_eq!(revived.unwrap()["text"], "back");
}

#[test]
fn a_reply_to_a_reply_is_stored_and_counts_on_that_reply() {
    let (mut state, caller, room) = state();
    let mut parent = Value::Null;
    for text in ["top", "reply", "nested"] {
        let body = json!({"text": text, "parentId": parent.get("id").cloned().unwrap_or_default()});
        parent = state.create_message(at(0), &caller, &room, &body).unwrap();
    }
    let reply = id_of_parent(&parent);
    assert_eq!(
        state.message(&caller, &room, &reply).unwrap()["threadMessageCount"],
        1
    );
}

fn id_of_parent(message: &Value) -> String {
    message["parentId"].as_str().unwrap().to_owned()
}
