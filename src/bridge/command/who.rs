//! Who may do what: by `bridge.permissions`, and by the power that somebody has in the room that it is about.

use ruma::{OwnedRoomId, RoomAliasId, RoomId, UserId, events::StateEventType};

use super::{Failure, table::Who};
use crate::{
    bridge::{Bridge, BridgeError, alias},
    config::Permission,
    matrix::MatrixError,
    store::command::AskedFor,
};

/// What somebody may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    /// Whether the bridge is for them at all.
    pub(super) permitted: bool,
    /// Whether they are an admin of the bridge.
    pub(super) admin: bool,
    /// Whether they have the power to change the room's state.
    pub(super) power: bool,
}

impl Rights {
    /// Whether they may use commands that are for these people.
    pub(super) fn check(self, who: Who) -> Result<(), Failure> {
        if !self.permitted {
            return Err(Failure::Told(
                "The operator of this bridge has not allowed you to use it: bridge.permissions names who may.".to_owned(),
            ));
        }
        match who {
            Who::Everyone => Ok(()),
            Who::Moderators if self.admin || self.power => Ok(()),
            Who::Moderators => Err(Failure::Told(
                "That is for people with the power to change this room's state, and for admins of the bridge. Ask a \
                 moderator of the room."
                    .to_owned(),
            )),
        }
    }
}

/// The room that a command names behind it, which its sender must be in; the word is taken out.
pub(super) async fn named_room(
    bridge: &Bridge,
    asked: &AskedFor,
    words: &mut Vec<String>,
) -> Result<Option<OwnedRoomId>, Failure> {
    let is_room = |word: &String| RoomAliasId::parse(word).is_ok() || RoomId::parse(word).is_ok();
    let Some(place) = words.iter().position(is_room) else {
        return Ok(None);
    };
    let word = words.remove(place);
    let room = match RoomAliasId::parse(&word) {
        // Not as people try it: that would make a room for it.
        Ok(alias) => alias::resolve(bridge, &alias)
            .await
            .or_else(nothing_there)?
            .ok_or_else(|| Failure::Told(format!("No room has the alias {alias}. Check its spelling.")))?,
        Err(_) => RoomId::parse(&word).map_err(|_| Failure::Told(format!("{word} is no room.")))?,
    };
    if room != asked.room && !is_admin(bridge, &asked.user) && !is_in(bridge, &room, &asked.user).await? {
        return Err(Failure::Told(format!(
            "You and I are not both in {word}. Invite {} there, then ask again.",
            bridge.matrix.bot()
        )));
    }
    Ok(Some(room))
}

/// An alias of a server that cannot be asked leads nowhere.
fn nothing_there<T>(error: BridgeError) -> Result<Option<T>, BridgeError> {
    let BridgeError::Matrix(refused) = &error else {
        return Err(error);
    };
    match refused.status() {
        Some(status) if status.is_client_error() && status != 429 => Ok(None),
        Some(status) if status == 502 || status == 504 => Ok(None),
        _ => Err(error),
    }
}

/// Whether somebody is in a room that the bot is in.
async fn is_in(bridge: &Bridge, room: &RoomId, user: &UserId) -> Result<bool, BridgeError> {
    match bridge
        .matrix
        .state(room, StateEventType::RoomMember, user.as_str())
        .await
    {
        Ok(member) => {
            Ok(member.is_some_and(|member| member.get("membership").is_some_and(|is| is == "join")))
        }
        Err(error) if is_refusal(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the homeserver does not let the bot look into a room.
pub(super) fn is_refusal(error: &MatrixError) -> bool {
    error
        .status()
        .is_some_and(|status| status == 403 || status == 404)
}

/// Whether the bridge is for somebody at all.
pub(super) fn is_permitted(bridge: &Bridge, user: &UserId) -> bool {
    bridge.settings.permissions.permit(user)
}

fn is_admin(bridge: &Bridge, user: &UserId) -> bool {
    bridge.settings.permissions.of(user) == Some(Permission::Admin)
}

/// What the sender of a command may do with a room. Power is of those who are there: it is kept for who has gone.
pub(super) async fn rights(bridge: &Bridge, asked: &AskedFor, room: &RoomId) -> Result<Rights, Failure> {
    let power = match bridge.matrix.room_access(room).await {
        Ok(access) => access.may_change_state(&asked.user) && is_in(bridge, room, &asked.user).await?,
        Err(error) if is_refusal(&error) => false,
        Err(error) => return Err(BridgeError::from(error).into()),
    };
    Ok(Rights {
        permitted: is_permitted(bridge, &asked.user),
        admin: is_admin(bridge, &asked.user),
        power,
    })
}
