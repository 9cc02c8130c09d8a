//! The bot comes when it is invited, says in one message what it can do, and leaves rooms in which nobody is left. Only
//! of rooms that are not linked: what becomes of portals is not decided here. Rooms that it made, such as Spaces, it never
//! leaves: nobody could let it in again.

use ruma::{OwnedUserId, RoomId};
use serde_json::{Value, value::RawValue};
use tracing::info;

use super::{Outcome, is_own, portal_of, who::is_refusal};
use crate::{
    bridge::{Bridge, BridgeError, say},
    store::{StoreError, command::AskedFor, portal, space},
};

/// Whether an event may concern where the bot is: an invite, or somebody's going.
pub(super) fn is_one(event: &RawValue) -> bool {
    let event: Value = serde_json::from_str(event.get()).unwrap_or(Value::Null);
    event.get("type").is_some_and(|is| is == "m.room.member")
        && matches!(membership(&event), "invite" | "leave" | "ban")
}

/// Whether an event invites somebody.
pub(super) fn is_invite(event: &Value) -> bool {
    membership(event) == "invite"
}

fn membership(event: &Value) -> &str {
    event
        .pointer("/content/membership")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Comes, or goes.
pub(super) async fn handle(bridge: &Bridge, asked: &AskedFor, event: &Value) -> Result<Outcome, BridgeError> {
    let about: Option<OwnedUserId> = event
        .get("state_key")
        .and_then(Value::as_str)
        .and_then(|user| user.try_into().ok());
    let Some(about) = about else {
        return Ok(Outcome::Silence);
    };
    let is_bot = about == bridge.matrix.bot();
    match membership(event) {
        "invite" if is_bot => come(bridge, asked).await?,
        "leave" | "ban" if !is_bot && !is_needed(bridge, &asked.room).await? => {
            leave_alone(bridge, &asked.room).await?;
        }
        _ => {}
    }
    Ok(Outcome::Silence)
}

/// Whether the bot has something to do in a room, whoever is in it.
async fn is_needed(bridge: &Bridge, room: &RoomId) -> Result<bool, StoreError> {
    let mut tx = bridge.db.read().await?;
    let is_linked = portal::portal_by_matrix_room(&mut tx, room).await?.is_some();
    Ok(is_linked || space::is_space(&mut tx, room).await?)
}

async fn come(bridge: &Bridge, asked: &AskedFor) -> Result<(), BridgeError> {
    let (room, bot) = (&asked.room, bridge.matrix.bot());
    if !bridge.settings.permissions.permit(&asked.user) {
        info!(room = %room, user.id = %asked.user, "Declined an invite: bridge.permissions does not name who sent it");
        return leave(bridge, room).await;
    }
    match bridge.matrix.join(room, bot).await {
        // Taken back, or not for the bot any more.
        Err(error) if is_refusal(&error) => {
            info!(room = %room, error = %error, "An invite leads nowhere");
            return Ok(());
        }
        joined => joined?,
    }
    info!(room = %room, user.id = %asked.user, "Came into a room by invite");
    if portal_of(bridge, room).await?.is_some() {
        return Ok(());
    }
    let key = asked.event_id.as_str();
    if bridge.matrix.room_access(room).await?.encrypted {
        let text = "I cannot read encrypted messages, so this room cannot be linked with Gitter, and I leave it. \
                    Invite me to a room without encryption.";
        say_if_possible(bridge, room, key, text).await?;
        return leave(bridge, room).await;
    }
    let site = bridge.settings.web_url.as_str().trim_end_matches('/');
    let text = format!(
        "Hello! I link Matrix rooms with rooms on Gitter ({site}). `!gitter link <group/room>` links this room, \
         `!gitter status` says how things are, and `!gitter help` lists all that I do for you."
    );
    say_if_possible(bridge, room, key, &text).await
}

/// A room in which the bot may not speak still may be linked by an operator.
async fn say_if_possible(bridge: &Bridge, room: &RoomId, key: &str, text: &str) -> Result<(), BridgeError> {
    match say::say(bridge, room, key, text).await {
        Err(BridgeError::Matrix(error)) if is_refusal(&error) => Ok(()),
        said => said,
    }
}

async fn leave(bridge: &Bridge, room: &RoomId) -> Result<(), BridgeError> {
    match bridge.matrix.leave(room, bridge.matrix.bot()).await {
        Err(error) if is_refusal(&error) => Ok(()),
        left => Ok(left?),
    }
}

/// Leaves a room in which there is nobody else.
async fn leave_alone(bridge: &Bridge, room: &RoomId) -> Result<(), BridgeError> {
    let members = match bridge.matrix.joined_members(room).await {
        Err(error) if is_refusal(&error) => return Ok(()),
        members => members?,
    };
    for member in members {
        if !is_own(bridge, &member.user_id).await? {
            return Ok(());
        }
    }
    match bridge.matrix.creation(room).await {
        Err(error) if is_refusal(&error) => return Ok(()),
        creation => {
            if creation?.is_none_or(|creation| creation.sender == bridge.matrix.bot()) {
                return Ok(());
            }
        }
    }
    info!(room = %room, "Left a room in which nobody is left");
    leave(bridge, room).await
}
