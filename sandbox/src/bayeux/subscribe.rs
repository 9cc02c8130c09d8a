//! Subscriptions: who may follow what, and the snapshot that comes with it (gitter-api 7.3 and 14).

use serde_json::{Value, json};

use super::reply::Reply;
use crate::{
    object_id::ObjectId,
    refusal::Refusal,
    state::{BadChannel, Caller, Channel, MessageSnapshot, State},
};

/// Entries of an activity feed in a snapshot.
const SNAPSHOT_EVENTS: usize = 20;

/// Subscribes a client of `user`, and answers with the snapshot it asked for.
pub(super) fn subscribe(state: &mut State, client: &str, user: ObjectId, message: &Value) -> Reply {
    let name = channel_name(message);
    let channel = match Channel::parse(&name) {
        Ok(channel) => channel,
        Err(BadChannel::Unknown) => return Reply::refused(format!("404::Unknown subscription {name}")),
        Err(BadChannel::BadId(id)) => return Reply::refused(format!("400::Invalid ID: {id}")),
    };
    let caller = Caller {
        user,
        client: String::new(),
    };
    if let Some(status) = state.faults.subscription_refusal(&name) {
        return Reply::refused(format!("{status}::A fault on order"));
    }
    if let Err(refusal) = state.may_follow(&caller, channel) {
        return Reply::refused(error_of(refusal));
    }
    state.realtime.subscribe(client, channel);
    let reply = Reply::accepted();
    match snapshot(state, &caller, channel, message.pointer("/ext/snapshot")) {
        Ok(None) => reply,
        Ok(Some(snapshot)) => reply.with("ext", json!({ "snapshot": snapshot })),
        // The subscription stands; only the snapshot failed.
        Err(refusal) => reply.with("error", json!(error_of(refusal))),
    }
}

/// Unsubscribes a client; a channel that it does not follow is no error.
pub(super) fn unsubscribe(state: &mut State, client: &str, message: &Value) -> Reply {
    state.realtime.unsubscribe(client, &channel_name(message));
    Reply::accepted()
}

/// The channel named in a message. Gitter takes an array for its elements joined, so only arrays of one work.
fn channel_name(message: &Value) -> String {
    match message.get("subscription") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
            names.join(",")
        }
        _ => String::new(),
    }
}

fn snapshot(
    state: &State,
    caller: &Caller,
    channel: Channel,
    options: Option<&Value>,
) -> Result<Option<Value>, Refusal> {
    let wanted = options.map(is_truthy);
    let collection = !matches!(channel, Channel::Room(_));
    // Collections come unless they are declined, a room only when it is asked for.
    if !wanted.unwrap_or(collection) {
        return Ok(None);
    }
    if state.faults.empty_snapshots() {
        return Ok(collection.then(|| json!([])));
    }
    Ok(match channel {
        Channel::RoomMessages(room) => {
            let options = message_options(options.unwrap_or(&Value::Null));
            Some(json!(state.message_snapshot(
                caller,
                &room.to_string(),
                &options
            )?))
        }
        Channel::Room(room) => Some(state.room_snapshot(caller, &room.to_string())?),
        Channel::RoomUsers(room) => Some(json!(state.member_snapshot(caller, &room.to_string())?)),
        Channel::UserRooms(_) => Some(json!(state.rooms(caller))),
        Channel::RoomEvents(room) => Some(json!(state.activity(
            caller,
            &room.to_string(),
            Some(SNAPSHOT_EVENTS),
            None
        )?)),
        Channel::UserGroups(_) => Some(json!(state.groups(caller, false))),
        Channel::User(_) | Channel::Ping => None,
    })
}

fn message_options(options: &Value) -> MessageSnapshot {
    let limit = options.get("limit").and_then(Value::as_u64);
    MessageSnapshot {
        limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        include_threads: options.get("includeThreads").is_some_and(is_truthy),
        before_inclusive: options
            .get("beforeInclId")
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}

/// Whether JavaScript takes the value for true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn error_of(refusal: Refusal) -> String {
    let text = match refusal.status.as_u16() {
        403 => "Authorisation denied.",
        _ => refusal.status.canonical_reason().unwrap_or_default(),
    };
    format!("{}::{text}", refusal.status.as_u16())
}
