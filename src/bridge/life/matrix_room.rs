//! What becomes of a portal's Matrix room: encrypted, upgraded, the bot removed and invited again.

use ruma::{RoomId, events::StateEventType};
use serde_json::Value;
use tracing::{debug, info};

use super::{StopCause, upgrade};
use crate::{
    bridge::{Bridge, BridgeError},
    matrix::MatrixError,
    store::{Item, Portal, PortalState, life, life::Stop, portal},
};

/// What it means that the homeserver refuses something in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge) enum Refusal {
    /// What it says, for whoever asked.
    Meant,
    /// The room as a whole has changed; the portal has stopped or moved.
    OfRoom,
}

/// Heeds an event that may say that the room as a whole has changed, before it is settled like any other.
pub(in crate::bridge) async fn heed(
    bridge: &Bridge,
    portal: &Portal,
    item: &Item,
) -> Result<(), BridgeError> {
    let event: Value = serde_json::from_str(&item.body).unwrap_or(Value::Null);
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let is_news = match item.operation.as_str() {
        "m.room.tombstone" | "m.room.encryption" => text("/state_key") == Some(""),
        "m.room.member" => {
            text("/state_key") == Some(bridge.matrix.bot().as_str())
                && matches!(text("/content/membership"), Some("leave" | "ban"))
        }
        _ => false,
    };
    if is_news {
        look(bridge, portal).await?;
    }
    Ok(())
}

/// Finds out why the homeserver refuses something in a portal's room, and does what follows.
pub(in crate::bridge) async fn refusal(bridge: &Bridge, portal: &Portal) -> Result<Refusal, BridgeError> {
    Ok(if look(bridge, portal).await? {
        Refusal::OfRoom
    } else {
        Refusal::Meant
    })
}

/// Looks at a portal's room; whether the portal has stopped or moved.
async fn look(bridge: &Bridge, portal: &Portal) -> Result<bool, BridgeError> {
    let now = bridge.portal_now(portal).await?;
    if now.is_none_or(|now| now.matrix_room_id != portal.matrix_room_id) {
        return Ok(true);
    }
    let Some(mut obstacle) = obstacle(bridge, &portal.matrix_room_id).await? else {
        return Ok(false);
    };
    if obstacle.cause == StopCause::Upgraded {
        match upgrade::follow(bridge, portal).await? {
            None => {
                if !matches!(portal.state, PortalState::Active | PortalState::CatchingUp) {
                    bridge.go_on(portal).await?;
                }
                return Ok(true);
            }
            Some(stop) => obstacle = stop,
        }
    }
    super::stop(bridge, &portal.gitter_room_id, &obstacle).await?;
    Ok(true)
}

/// What keeps a portal from working in a Matrix room; `None` if nothing does.
async fn obstacle(bridge: &Bridge, room: &RoomId) -> Result<Option<Stop>, BridgeError> {
    let bot = bridge.matrix.bot();
    if !is_in(bridge, room).await? {
        return Ok(Some(Stop {
            state: PortalState::Broken,
            cause: StopCause::Kicked,
            detail: format!(
                "{bot} is not in the Matrix room any more. Unban it if it is banned, and invite it again"
            ),
            to_tell: String::new(),
        }));
    }
    if bridge.matrix.tombstone(room).await?.is_some() {
        return Ok(Some(upgrade::stop("the Matrix room was upgraded")));
    }
    let encryption = bridge
        .matrix
        .state(room, StateEventType::RoomEncryption, "")
        .await?;
    Ok(encryption.map(|_| Stop {
        state: PortalState::Paused,
        cause: StopCause::Encrypted,
        detail: "the Matrix room is encrypted, and that cannot be undone. Link the Gitter room with another".to_owned(),
        to_tell: "This room is encrypted now. The bridge cannot read encrypted messages, so nothing crosses to or from \
                  Gitter any more. Encryption cannot be switched off again; the Gitter room can be linked with another \
                  room."
            .to_owned(),
    }))
}

/// Gets the bot into a portal's room if it is not there; what still keeps the portal from working.
pub(super) async fn get_in(bridge: &Bridge, portal: &Portal) -> Result<Option<Stop>, BridgeError> {
    let room = &portal.matrix_room_id;
    match obstacle(bridge, room).await? {
        Some(stop) if stop.cause == StopCause::Kicked => {
            match bridge.matrix.join(room, bridge.matrix.bot()).await {
                Err(error) if is_refusal(&error) => return Ok(Some(stop)),
                joined => joined?,
            }
            obstacle(bridge, room).await
        }
        obstacle => Ok(obstacle),
    }
}

/// Whether the bot is in a room.
async fn is_in(bridge: &Bridge, room: &RoomId) -> Result<bool, BridgeError> {
    let bot = bridge.matrix.bot().as_str();
    match bridge.matrix.state(room, StateEventType::RoomMember, bot).await {
        Ok(member) => {
            Ok(member.is_some_and(|member| member.get("membership").is_some_and(|it| it == "join")))
        }
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the homeserver says that the bot may not, or that there is no such room.
pub(super) fn is_refusal(error: &MatrixError) -> bool {
    error
        .status()
        .is_some_and(|status| matches!(status.as_u16(), 403 | 404))
}

/// Goes back into the rooms that the bot was removed from and is invited to again. The invitation waits in the
/// portal's lane like any other event, so it is not lost.
pub(super) async fn let_bot_in(bridge: &Bridge) -> Result<(), BridgeError> {
    let bot = bridge.matrix.bot().as_str();
    let mut tx = bridge.db.read().await?;
    let mut invited = Vec::new();
    for room in life::stopped_by(&mut tx, StopCause::Kicked).await? {
        let waiting = life::waiting_memberships(&mut tx, &room).await?;
        let of_bot = waiting.iter().find_map(|body| {
            let event: Value = serde_json::from_str(body).ok()?;
            let is_of_bot = event.get("state_key").is_some_and(|key| key == bot);
            is_of_bot.then(|| event.pointer("/content/membership")?.as_str().map(str::to_owned))?
        });
        if matches!(of_bot.as_deref(), Some("invite" | "join")) {
            invited.extend(portal::portal_by_gitter_room(&mut tx, &room).await?);
        }
    }
    drop(tx);
    for portal in invited {
        match get_in(bridge, &portal).await? {
            None => {
                info!(
                    portal.uri = portal.gitter_uri,
                    "The bot is in a Matrix room again"
                );
                bridge.go_on(&portal).await?;
            }
            Some(stop) if stop.cause == StopCause::Kicked => {
                debug!(
                    portal.uri = portal.gitter_uri,
                    "The bot is invited and may not join yet"
                );
            }
            Some(_) => {
                look(bridge, &portal).await?;
            }
        }
    }
    Ok(())
}
