//! Bans, as Synapse takes them.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Caller;
use crate::homeserver::{Shared, error::Refusal};

#[derive(Deserialize)]
pub(super) struct Target {
    user_id: OwnedUserId,
    reason: Option<String>,
}

pub(super) async fn ban(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(room): Path<OwnedRoomId>,
    Json(target): Json<Target>,
) -> Result<Json<Value>, Refusal> {
    let reason = target.reason.as_deref();
    shared.change(|world| world.ban(&room, &caller.user, &target.user_id, reason))?;
    Ok(Json(json!({})))
}

pub(super) async fn unban(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(room): Path<OwnedRoomId>,
    Json(target): Json<Target>,
) -> Result<Json<Value>, Refusal> {
    shared.change(|world| world.unban(&room, &caller.user, &target.user_id))?;
    Ok(Json(json!({})))
}
