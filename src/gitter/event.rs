//! What the realtime side tells.

use serde_json::value::RawValue;

use crate::ids::GitterRoomId;

/// The operation of [`RealtimeEvent::Room`] that tells how a room is, and not what has changed in it.
pub const SNAPSHOT: &str = "snapshot";

/// One piece of news. Those of one room come in their order of arrival.
#[derive(Debug, Clone)]
pub enum RealtimeEvent {
    /// A socket is up and Gitter took its token.
    Connected,
    /// Gitter has subscribed a room: after [`subscribe`](super::Realtime::subscribe), and again after every
    /// interruption. Messages from about this time on are told.
    Subscribed {
        /// The room.
        room: GitterRoomId,
        /// Its newest messages.
        snapshot: Snapshot,
    },
    /// A message was made, changed or deleted (gitter-api 7.4). May come just before the room's `Subscribed`.
    Message {
        /// The room.
        room: GitterRoomId,
        /// `create`, `update`, `patch` or `remove`; other words may come with other servers.
        operation: String,
        /// The message; for `patch` and `remove` only some of its fields.
        model: Box<RawValue>,
    },
    /// How a room is, or what has changed about the room itself (gitter-api 7.4). It is told how it is after each
    /// [`subscribe`](super::Realtime::subscribe), [`look_at`](super::Realtime::look_at) and interruption.
    Room {
        /// The room.
        room: GitterRoomId,
        /// [`SNAPSHOT`], `update`, `patch` or `remove`.
        operation: String,
        /// The room; for `patch` and `remove` only some of its fields.
        model: Box<RawValue>,
    },
    /// Gitter does not say how a room is (403, 404). It is asked for again with the next
    /// [`look_at`](super::Realtime::look_at).
    RoomRefused {
        /// The room.
        room: GitterRoomId,
        /// Gitter's error, such as `403::Authorisation denied.`
        error: String,
    },
    /// Who comes to a room, leaves it or changes is told from here on; what was before is not.
    UsersFollowed {
        /// The room.
        room: GitterRoomId,
    },
    /// Somebody joined a room, left it, or has a new name or picture (gitter-api 7.4).
    User {
        /// The room.
        room: GitterRoomId,
        /// `create`, `update` or `remove`.
        operation: String,
        /// The user; for `remove` only the id.
        model: Box<RawValue>,
    },
    /// Messages of these rooms may have been missed: whatever comes after this may be newer than something
    /// that never comes. Each is subscribed again without being asked for, and its snapshot follows: in
    /// seconds after a lost socket, in at most 5 min after a gap.
    Interrupted {
        /// The rooms.
        rooms: Vec<GitterRoomId>,
    },
    /// Gitter refuses to subscribe a room (403, 404). It is not asked for again, and nothing of the room is
    /// told, until the room is subscribed again.
    Refused {
        /// The room.
        room: GitterRoomId,
        /// Gitter's error, such as `403::Authorisation denied.`
        error: String,
    },
    /// Gitter refuses the token. It is tried again every minute; told once until it is taken.
    TokenRefused,
}

impl RealtimeEvent {
    /// The room that it is about, if one alone.
    pub(super) fn room(&self) -> Option<&GitterRoomId> {
        match self {
            Self::Subscribed { room, .. }
            | Self::Message { room, .. }
            | Self::Room { room, .. }
            | Self::RoomRefused { room, .. }
            | Self::UsersFollowed { room }
            | Self::User { room, .. }
            | Self::Refused { room, .. } => Some(room),
            Self::Connected | Self::Interrupted { .. } | Self::TokenRefused => None,
        }
    }

    /// About how many bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        let content = match self {
            Self::Subscribed {
                snapshot: Snapshot::Messages(messages),
                ..
            } => messages.iter().map(|message| message.get().len()).sum(),
            Self::Message { model, .. } | Self::Room { model, .. } | Self::User { model, .. } => {
                model.get().len()
            }
            _ => 0,
        };
        content + size_of::<Self>()
    }
}

/// The newest messages of a room at the time of its subscription, threads included.
#[derive(Debug, Clone)]
pub enum Snapshot {
    /// At most 100, oldest first.
    Messages(Vec<Box<RawValue>>),
    /// There is none, for this reason. The subscription stands all the same.
    Failed(String),
}
