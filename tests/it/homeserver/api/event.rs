//! Events: sending, redacting, reading.

use std::sync::Arc;

use axum::{
    Json,
    extract::{OriginalUri, Path, Query, State},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Caller, Parameters};
use crate::homeserver::{
    Shared,
    error::{Refusal, not_found},
    memory::TransactionKey,
    now,
    room::{Draft, Room},
};

pub(super) async fn send(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    Path((room, event_type, transaction_id)): Path<(OwnedRoomId, String, String)>,
    Query(parameters): Query<Parameters>,
    Json(content): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let time = parameters.get("ts").and_then(|time| time.parse().ok());
    let draft = Draft::message(&caller.user, &event_type, content, time.unwrap_or_else(now));
    let key = key(uri.path(), &room, caller, transaction_id);
    let event_id = shared.change(|world| world.once(key, |world| world.send(&room, draft)))?;
    Ok(Json(json!({ "event_id": event_id })))
}

/// `?ts=` is ignored here, as Synapse does.
pub(super) async fn redact(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    Path((room, event_id, transaction_id)): Path<(OwnedRoomId, OwnedEventId, String)>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let draft = Draft::redaction(&caller.user, &event_id, body["reason"].as_str(), now());
    let key = key(uri.path(), &room, caller, transaction_id);
    let event_id = shared.change(|world| world.once(key, |world| world.redact(&room, draft)))?;
    Ok(Json(json!({ "event_id": event_id })))
}

fn key(path: &str, room: &OwnedRoomId, caller: Caller, transaction_id: String) -> TransactionKey {
    TransactionKey {
        path: path.to_owned(),
        durable: caller
            .device
            .map(|device| (room.clone(), caller.user, device, transaction_id)),
    }
}

pub(super) async fn event(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((room, event_id)): Path<(OwnedRoomId, OwnedEventId)>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let room = world.room(&room).ok();
    let room = room.filter(|room| room.must_be_joined(&caller.user).is_ok());
    room.and_then(|room| Some(room.event(room.position(&event_id)?)))
        .map(Json)
        .ok_or_else(|| not_found("Event not found."))
}

#[derive(Default, Deserialize)]
struct Filter {
    senders: Option<Vec<OwnedUserId>>,
    types: Option<Vec<String>>,
}

impl Filter {
    fn takes(&self, room: &Room, index: usize) -> bool {
        let sender = self
            .senders
            .as_ref()
            .is_none_or(|senders| senders.iter().any(|sender| room.is_sender(index, sender)));
        let event_type = self
            .types
            .as_ref()
            .is_none_or(|types| types.iter().any(|name| name == room.event_type(index)));
        sender && event_type
    }
}

/// Newest first only, the one direction that the bridge asks for. A page that is full has an `end` even if
/// nothing is left; the page after it is empty and has none.
pub(super) async fn messages(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(room): Path<OwnedRoomId>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let room = world.room(&room)?;
    room.must_be_joined(&caller.user)?;
    let filter: Filter = parameters
        .get("filter")
        .and_then(|filter| serde_json::from_str(filter).ok())
        .unwrap_or_default();
    let limit = parameters.get("limit").and_then(|limit| limit.parse().ok());
    let start = parameters
        .get("from")
        .and_then(|from| from.strip_prefix('t')?.parse().ok());
    let start: usize = start.unwrap_or_else(|| room.len());
    let found: Vec<usize> = (0..start)
        .rev()
        .filter(|&index| filter.takes(room, index))
        .take(limit.unwrap_or(10))
        .collect();
    let chunk: Vec<Value> = found.iter().map(|&index| room.event(index)).collect();
    let mut answer = json!({ "chunk": chunk, "start": format!("t{start}") });
    if let Some(end) = found.last() {
        answer["end"] = json!(format!("t{end}"));
    }
    Ok(Json(answer))
}
