//! Making rooms, and the directory of aliases.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Caller;
use crate::homeserver::{
    RoomOptions, Shared,
    error::{Refusal, forbidden, refuse},
    now,
    room::Draft,
};

#[derive(Deserialize)]
pub(super) struct Request {
    preset: Option<String>,
    name: Option<String>,
    room_alias_name: Option<String>,
    #[serde(default)]
    creation_content: Value,
    #[serde(default)]
    initial_state: Vec<InitialState>,
    #[serde(default)]
    invite: Vec<OwnedUserId>,
    power_level_content_override: Option<Value>,
}

#[derive(Deserialize)]
struct InitialState {
    r#type: String,
    #[serde(default)]
    state_key: String,
    content: Value,
}

/// As much of it as the bridge uses.
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Json(request): Json<Request>,
) -> Result<Json<Value>, Refusal> {
    shared.change(|world| {
        let alias = request.room_alias_name.map(|localpart| {
            let alias = format!("#{localpart}:{}", world.settings.server_name);
            RoomAliasId::parse(alias).expect("the bridge makes valid aliases")
        });
        if let Some(alias) = &alias
            && world.resolve_alias(alias).is_ok()
        {
            return Err(refuse(400, "M_ROOM_IN_USE", "Room alias already taken"));
        }
        let room = world.create_room(
            &caller.user,
            &RoomOptions {
                private: request.preset.as_deref() != Some("public_chat"),
                name: request.name,
                alias: alias.clone(),
                creation: request.creation_content,
                ..RoomOptions::default()
            },
        );
        if let Some(levels) = request.power_level_content_override {
            assert!(
                levels.get("users").is_none(),
                "a maker of version 12 is not listed"
            );
        }
        let mut state = request.initial_state;
        state.extend(alias.map(|alias| InitialState {
            r#type: "m.room.canonical_alias".to_owned(),
            state_key: String::new(),
            content: json!({ "alias": alias }),
        }));
        for event in state {
            let draft = Draft::state(
                &caller.user,
                &event.r#type,
                &event.state_key,
                event.content,
                now(),
            );
            world.send(&room, draft)?;
        }
        for user in request.invite {
            world.invite(&room, &caller.user, &user)?;
        }
        Ok(Json(json!({ "room_id": room })))
    })
}

#[derive(Deserialize)]
pub(super) struct Target {
    room_id: OwnedRoomId,
}

pub(super) async fn create_alias(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(alias): Path<OwnedRoomAliasId>,
    Json(target): Json<Target>,
) -> Result<Json<Value>, Refusal> {
    shared.change(|world| {
        world.room(&target.room_id)?.must_be_joined(&caller.user)?;
        world.create_alias(alias, target.room_id)?;
        Ok(Json(json!({})))
    })
}

pub(super) async fn delete_alias(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(alias): Path<OwnedRoomAliasId>,
) -> Result<Json<Value>, Refusal> {
    shared.change(|world| {
        if !world.is_of_appservice(&caller.user) {
            return Err(forbidden("You don't have permission to delete the alias."));
        }
        world.delete_alias(&alias)?;
        Ok(Json(json!({})))
    })
}
