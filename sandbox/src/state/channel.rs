//! The Bayeux channels that exist (gitter-api 7.3), made and parsed. Pure.

use std::fmt;

use crate::object_id::ObjectId;

/// A channel to subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Messages of a room, replies included.
    RoomMessages(ObjectId),
    /// The room itself.
    Room(ObjectId),
    /// Members of a room.
    RoomUsers(ObjectId),
    /// The activity feed of a room.
    RoomEvents(ObjectId),
    /// Notifications of a user.
    User(ObjectId),
    /// The rooms of a user.
    UserRooms(ObjectId),
    /// The groups of a user.
    UserGroups(ObjectId),
    /// Idle; for probing.
    Ping,
}

impl Channel {
    /// Reads a channel's name.
    ///
    /// # Errors
    /// 404 where no channel has this form, 400 where an id in it is none.
    pub(crate) fn parse(name: &str) -> Result<Self, BadChannel> {
        if name == "/ping" {
            return Ok(Self::Ping);
        }
        let path = name.strip_prefix("/api/v1/").ok_or(BadChannel::Unknown)?;
        let (make, id): (fn(ObjectId) -> Self, _) = match path.split('/').collect::<Vec<_>>()[..] {
            ["rooms", id] => (Self::Room, id),
            ["rooms", id, "chatMessages"] => (Self::RoomMessages, id),
            ["rooms", id, "users"] => (Self::RoomUsers, id),
            ["rooms", id, "events"] => (Self::RoomEvents, id),
            ["user", id] => (Self::User, id),
            ["user", id, "rooms"] => (Self::UserRooms, id),
            ["user", id, "groups"] => (Self::UserGroups, id),
            _ => return Err(BadChannel::Unknown),
        };
        let id = id.parse().map_err(|_| BadChannel::BadId(id.to_owned()))?;
        Ok(make(id))
    }
}

/// Why a name is no channel, as the errors that clients see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadChannel {
    /// No channel has this form.
    Unknown,
    /// The id in it is no object id.
    BadId(String),
}

impl fmt::Display for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoomMessages(id) => write!(formatter, "/api/v1/rooms/{id}/chatMessages"),
            Self::Room(id) => write!(formatter, "/api/v1/rooms/{id}"),
            Self::RoomUsers(id) => write!(formatter, "/api/v1/rooms/{id}/users"),
            Self::RoomEvents(id) => write!(formatter, "/api/v1/rooms/{id}/events"),
            Self::User(id) => write!(formatter, "/api/v1/user/{id}"),
            Self::UserRooms(id) => write!(formatter, "/api/v1/user/{id}/rooms"),
            Self::UserGroups(id) => write!(formatter, "/api/v1/user/{id}/groups"),
            Self::Ping => formatter.write_str("/ping"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_read_back_as_they_were_written() {
        let id = "5f0000000000000000000a01".parse().unwrap();
        for channel in [
            Channel::RoomMessages(id),
            Channel::Room(id),
            Channel::RoomUsers(id),
            Channel::RoomEvents(id),
            Channel::User(id),
            Channel::UserRooms(id),
            Channel::UserGroups(id),
            Channel::Ping,
        ] {
            assert_eq!(Channel::parse(&channel.to_string()).unwrap(), channel);
        }
    }

    #[test]
    fn other_names_are_refused() {
        let bad_id = BadChannel::BadId("zzz".to_owned());
        assert_eq!(Channel::parse("/api/v1/rooms/zzz/chatMessages"), Err(bad_id));
        for name in ["", "/foo", "/api/v1/rooms", "/api/v1/rooms/*", "/ping2"] {
            assert!(Channel::parse(name).is_err(), "{name}");
        }
    }
}
