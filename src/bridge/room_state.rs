//! The state of a portal's Matrix room, as the Gitter room has it (DESIGN 4 and 5).
//!
//! What is there is read first, and only what differs is written. Rooms that the bridge made have everything from
//! Gitter; linked ones say which Gitter room they are bridged to, and keep their own name, topic and picture unless
//! `metadata` is set for them. What the bot may not set stays as it is.

mod admins;
mod bridge_event;
mod power;

use ruma::{OwnedMxcUri, OwnedRoomAliasId, OwnedUserId, RoomId, events::StateEventType};
use serde_json::{Map, Value, json};
use tokio::sync::OwnedMutexGuard;
use tracing::{info, warn};

pub(super) use self::{
    admins::{keep as keep_admins, refresh as refresh_admins},
    bridge_event::TYPES as BRIDGE_EVENTS,
};
use super::{Bridge, BridgeError, alias, ghost, space};
use crate::{
    gitter::picture_url,
    ids::GitterRoomId,
    matrix::MatrixError,
    model,
    store::{Portal, PortalKind, room_admin},
};

/// A piece of state as it has to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) event_type: StateEventType,
    pub(super) state_key: String,
    pub(super) content: Value,
}

impl Piece {
    /// With an empty key.
    pub(super) fn new(event_type: impl Into<StateEventType>, content: Value) -> Self {
        Self {
            event_type: event_type.into(),
            state_key: String::new(),
            content,
        }
    }

    /// Whether the room's state says everything that this does. What it says beyond is somebody else's, and an
    /// empty text is as good as none.
    fn is_in(&self, there: Option<&Value>) -> bool {
        let none = Map::new();
        let there = there.and_then(Value::as_object).unwrap_or(&none);
        let wanted = self.content.as_object().unwrap_or(&none);
        let is_empty = |value: &Value| value.as_str().is_some_and(str::is_empty);
        wanted.iter().all(|(key, value)| match there.get(key) {
            Some(there) => there == value,
            None => is_empty(value),
        })
    }
}

/// Brings the state of a portal's Matrix room in step with the Gitter room. `room` must be the whole room, as by
/// `GET rooms/:id`, its channel's snapshot or an `update`: not a patch.
///
/// # Errors
/// When the database or the homeserver fails; a piece that the bot may not set is none.
pub(super) async fn write(bridge: &Bridge, portal: &Portal, room: &model::Room) -> Result<(), BridgeError> {
    let _alone = lock_state(bridge, &portal.matrix_room_id).await;
    let created = portal.kind == PortalKind::Created;
    let mut tx = bridge.db.read().await?;
    let settings = bridge
        .room_settings(&mut tx, portal.gitter_room_id.as_str())
        .await?;
    drop(tx);
    let mut pieces = bridge_event::pieces(bridge.matrix.bot(), &bridge.settings.web_url, room);
    if created || settings.metadata {
        pieces.extend(description(room));
        pieces.extend(picture(bridge, room.avatar_url.as_deref()).await?);
    }
    if created {
        pieces.extend(access(room));
        pieces.extend(shown_aliases(&alias::keep(bridge, portal, room).await?));
    }
    for piece in pieces {
        put(bridge, &portal.matrix_room_id, &piece).await?;
    }
    if created {
        write_power(bridge, portal).await?;
    }
    space::keep(bridge, portal, room).await
}

/// Keeps everybody else of this process from writing a room's state: two at once would both find a piece missing, and
/// write it twice.
async fn lock_state(bridge: &Bridge, room: &RoomId) -> OwnedMutexGuard<()> {
    bridge.locks.lock(&format!("state {room}")).await
}

/// Asks Gitter how a portal's room is now, and brings the Matrix room in step with it.
pub(super) async fn refresh(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
    let room = bridge.gitter.room(&portal.gitter_room_id).await?;
    if portal.kind == PortalKind::Created {
        refresh_admins(bridge, portal).await?;
        space::refresh(bridge, &room).await?;
    }
    write(bridge, portal, &room).await
}

/// Takes back what says that a portal's Matrix room is bridged.
///
/// # Errors
/// When the homeserver fails; that the bot is not there any more, or may not, is none.
pub(super) async fn withdraw(
    bridge: &Bridge,
    gitter: &GitterRoomId,
    room: &RoomId,
) -> Result<(), BridgeError> {
    for (event_type, key) in bridge_event::keys(gitter) {
        blank(bridge, room, event_type, &key).await?;
    }
    Ok(())
}

/// Takes a piece of a room's state back, if the bot may.
pub(super) async fn blank(
    bridge: &Bridge,
    room: &RoomId,
    event_type: StateEventType,
    key: &str,
) -> Result<(), BridgeError> {
    let there = match bridge.matrix.state(room, event_type.clone(), key).await {
        Err(error) if error.is("M_FORBIDDEN") => return Ok(()),
        there => there?,
    };
    if there.is_none_or(|there| there == json!({})) {
        return Ok(());
    }
    let set = bridge
        .matrix
        .set_state(room, event_type.clone(), key, &json!({}))
        .await;
    Ok(allowed(room, &event_type, set)?)
}

/// Sets a piece of a room's state if it is not so already.
pub(super) async fn put(bridge: &Bridge, room: &RoomId, piece: &Piece) -> Result<(), BridgeError> {
    let there = bridge
        .matrix
        .state(room, piece.event_type.clone(), &piece.state_key)
        .await?;
    if piece.is_in(there.as_ref()) {
        return Ok(());
    }
    let set = bridge
        .matrix
        .set_state(room, piece.event_type.clone(), &piece.state_key, &piece.content);
    Ok(allowed(room, &piece.event_type, set.await)?)
}

/// In a room that others made the bot may not set everything; messages cross all the same.
fn allowed<T>(
    room: &RoomId,
    event_type: &StateEventType,
    set: Result<T, MatrixError>,
) -> Result<(), MatrixError> {
    match set {
        Err(error) if error.is("M_FORBIDDEN") => {
            info!(room.id = %room, event.kind = %event_type, "The bot may not set some of a room's state");
            Ok(())
        }
        set => set.map(drop),
    }
}

/// Name and topic.
fn description(room: &model::Room) -> [Piece; 2] {
    [
        Piece::new(StateEventType::RoomName, json!({ "name": name(room) })),
        Piece::new(StateEventType::RoomTopic, json!({ "topic": room.topic })),
    ]
}

/// The name that people see, or the URI where there is none.
pub(super) fn name(room: &model::Room) -> &str {
    let named = Some(room.name.as_str()).filter(|name| !name.is_empty());
    named.or(room.uri.as_deref()).unwrap_or_default()
}

/// The alias that clients show, and the others.
fn shown_aliases(aliases: &[OwnedRoomAliasId]) -> Option<Piece> {
    let (shown, others) = aliases.split_first()?;
    let content = json!({ "alias": shown, "alt_aliases": others });
    Some(Piece::new(StateEventType::RoomCanonicalAlias, content))
}

/// Who may read and join: everyone, as on Gitter, while the Gitter room is public.
fn access(room: &model::Room) -> [Piece; 2] {
    let (visibility, rule) = if room.public {
        ("world_readable", "public")
    } else {
        ("joined", "invite")
    };
    [
        Piece::new(
            StateEventType::RoomHistoryVisibility,
            json!({ "history_visibility": visibility }),
        ),
        Piece::new(StateEventType::RoomJoinRules, json!({ "join_rule": rule })),
    ]
}

/// The picture of a group, which its rooms have as well.
pub(super) async fn picture(bridge: &Bridge, avatar_url: Option<&str>) -> Result<Option<Piece>, BridgeError> {
    let mxc = uploaded(bridge, avatar_url).await?;
    Ok(mxc.map(|mxc| Piece::new(StateEventType::RoomAvatar, json!({ "url": mxc }))))
}

/// A picture of Gitter's, uploaded once; none where it cannot be had now.
async fn uploaded(bridge: &Bridge, avatar_url: Option<&str>) -> Result<Option<OwnedMxcUri>, BridgeError> {
    let Some(url) = picture_url(avatar_url, None, &bridge.settings.web_url) else {
        return Ok(None);
    };
    if !bridge.absent_pictures.may_try(url.as_str()) {
        return Ok(None);
    }
    match ghost::upload_picture(bridge, url.as_str()).await {
        Ok(mxc) => Ok(Some(mxc)),
        Err(error @ BridgeError::Store(_)) => Err(error),
        Err(error) => {
            bridge.absent_pictures.note(url.as_str());
            warn!(error = %error, "A room goes without its picture for now");
            Ok(None)
        }
    }
}

/// Gives the bot and the Gitter admins' ghosts their power, and takes from those who are admins no more what it gave
/// them. Everybody else's stays as it is. The caller has locked the room's state.
async fn write_power(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
    let room = &portal.matrix_room_id;
    let mut tx = bridge.db.read().await?;
    let admins = room_admin::room_admins(&mut tx, &portal.gitter_room_id).await?;
    let given = room_admin::given_power(&mut tx, room).await?;
    drop(tx);
    let event_type = StateEventType::RoomPowerLevels;
    let Some(there) = bridge.matrix.state(room, event_type.clone(), "").await? else {
        return Ok(());
    };
    let mut former = power::with_power_of_admins(&there);
    former.retain(|user| given.contains(user));
    // Whoever has another power by now has it from somebody else, and so all that comes later.
    let outlived: Vec<_> = given.into_iter().filter(|user| !former.contains(user)).collect();
    forget_given(bridge, room, &outlived).await?;
    former.retain(|user| !admins.contains(user));
    let bot = bridge.matrix.bot();
    let privileged = bridge.matrix.room_access(room).await?.has_privileged_creators();
    let Some(wanted) = power::wanted(&there, (!privileged).then_some(bot), &admins, &former) else {
        return Ok(());
    };
    // Before it is so: what was given and not noted would never be taken back.
    let gifts = power::without_power(&there, &admins);
    let mut tx = bridge.db.write().await?;
    room_admin::note_given(&mut tx, room, &gifts).await?;
    tx.commit().await?;
    let set = bridge
        .matrix
        .set_state(room, event_type.clone(), "", &wanted)
        .await;
    match &set {
        Ok(_) => forget_given(bridge, room, &former).await?,
        Err(error) if error.refuses() => {
            forget_given(bridge, room, &gifts).await?;
        }
        // It may be so all the same.
        Err(_) => {}
    }
    Ok(allowed(room, &event_type, set)?)
}

/// Notes that ghosts have no power from the bridge.
async fn forget_given(bridge: &Bridge, room: &RoomId, ghosts: &[OwnedUserId]) -> Result<(), BridgeError> {
    if !ghosts.is_empty() {
        let mut tx = bridge.db.write().await?;
        room_admin::note_taken(&mut tx, room, ghosts).await?;
        tx.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_written() {
        let topic = |topic| Piece::new(StateEventType::RoomTopic, json!({ "topic": topic }));
        let there = json!({ "topic": "boats", "m.topic": {} });
        assert!(topic("boats").is_in(Some(&there)));
        assert!(!topic("ropes").is_in(Some(&there)));
        assert!(!topic("").is_in(Some(&there)));
        assert!(topic("").is_in(None));
        assert!(!topic("boats").is_in(None));
    }
}
