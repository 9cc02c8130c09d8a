//! Rooms: making and finding them, memberships, state.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State},
};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Authenticated, Caller, Parameters};
use crate::homeserver::{
    Shared,
    error::{Refusal, forbidden, not_found},
    now,
    room::Draft,
};

pub(super) async fn resolve_alias(
    State(shared): State<Arc<Shared>>,
    _: Authenticated,
    Path(alias): Path<OwnedRoomAliasId>,
) -> Result<Json<Value>, Refusal> {
    let found = shared.find_alias(&alias).await;
    let room = found.map_err(|_| not_found(format!("Room alias {alias} not found")))?;
    let server_name = shared.world().settings.server_name.clone();
    Ok(Json(json!({ "room_id": room, "servers": [server_name] })))
}

#[derive(Deserialize)]
pub(super) struct Invitation {
    user_id: OwnedUserId,
}

pub(super) async fn invite(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(room): Path<OwnedRoomId>,
    Json(request): Json<Invitation>,
) -> Result<Json<Value>, Refusal> {
    shared.change(|world| world.invite(&room, &caller.user, &request.user_id))?;
    Ok(Json(json!({})))
}

pub(super) async fn join(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(room): Path<OwnedRoomId>,
) -> Result<Json<Value>, Refusal> {
    shared.change(|world| world.join(&room, &caller.user))?;
    Ok(Json(json!({ "room_id": room })))
}

pub(super) async fn leave(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(room): Path<OwnedRoomId>,
) -> Result<Json<Value>, Refusal> {
    shared.change(|world| world.leave(&room, &caller.user))?;
    Ok(Json(json!({})))
}

/// Allowed where any user of the application service is joined, not only the caller.
pub(super) async fn joined_members(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(room): Path<OwnedRoomId>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let room = world.room(&room)?;
    if !room.members(&["join"]).any(|user| world.is_of_appservice(&user)) {
        return Err(forbidden("Appservice not in room"));
    }
    let joined: BTreeMap<OwnedUserId, Value> = room
        .members(&["join"])
        .map(|user| {
            let member = room
                .state_content("m.room.member", user.as_str())
                .unwrap_or(&Value::Null);
            let profile =
                json!({ "display_name": member["displayname"], "avatar_url": member["avatar_url"] });
            (user, profile)
        })
        .collect();
    Ok(Json(json!({ "joined": joined })))
}

pub(super) async fn whole_state(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(room): Path<OwnedRoomId>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let room = world.room(&room)?;
    room.must_be_joined(&caller.user)?;
    Ok(Json(room.whole_state().into()))
}

/// The state key is the last part of the path, which may be absent for the empty one.
#[derive(Deserialize)]
pub(super) struct StatePath {
    room: OwnedRoomId,
    r#type: String,
    #[serde(default)]
    key: String,
}

pub(super) async fn state(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(path): Path<StatePath>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, Refusal> {
    let world = shared.world();
    let room = world.room(&path.room)?;
    // Who has left still sees the state of that time, and so how the room was made.
    let was_there = room
        .state_position("m.room.member", caller.user.as_str())
        .is_some();
    if !was_there || path.r#type != "m.room.create" {
        room.must_be_joined(&caller.user)?;
    }
    let index = room
        .state_position(&path.r#type, &path.key)
        .ok_or_else(|| not_found("Event not found."))?;
    let mut event = room.event(index);
    if parameters.get("format").is_some_and(|format| format == "event") {
        return Ok(Json(event));
    }
    Ok(Json(event["content"].take()))
}

pub(super) async fn set_state(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(path): Path<StatePath>,
    Query(parameters): Query<Parameters>,
    Json(content): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let time = parameters.get("ts").and_then(|time| time.parse().ok());
    let draft = Draft::state(
        &caller.user,
        &path.r#type,
        &path.key,
        content,
        time.unwrap_or_else(now),
    );
    let event_id = shared.change(|world| world.send(&path.room, draft))?;
    Ok(Json(json!({ "event_id": event_id })))
}

pub(super) async fn receipt(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((room, kind, event)): Path<(OwnedRoomId, String, String)>,
) -> Result<Json<Value>, Refusal> {
    let mut world = shared.world();
    world.room(&room)?.must_be_joined(&caller.user)?;
    assert_eq!(kind, "m.read");
    world.receipts.push((room, event));
    Ok(Json(json!({})))
}
