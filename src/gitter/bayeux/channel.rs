//! The channels of a room that the bridge follows (gitter-api 7.4): made and read here alone.

use crate::ids::GitterRoomId;

/// What a channel tells. In this order they are asked for: what people say comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::gitter) enum Topic {
    /// The room's messages.
    Messages,
    /// The room itself.
    Room,
    /// Who is in the room.
    Users,
}

/// One channel of one room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::gitter) struct Channel {
    /// What it tells.
    pub(in crate::gitter) topic: Topic,
    /// Of which room.
    pub(in crate::gitter) room: GitterRoomId,
}

impl Channel {
    /// One channel of a room.
    pub(in crate::gitter) const fn new(topic: Topic, room: GitterRoomId) -> Self {
        Self { topic, room }
    }

    /// All channels of a room.
    pub(in crate::gitter) fn of(room: &GitterRoomId) -> [Self; 3] {
        [Topic::Messages, Topic::Room, Topic::Users].map(|topic| Self::new(topic, room.clone()))
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        let room = &self.room;
        match self.topic {
            Topic::Messages => format!("/api/v1/rooms/{room}/chatMessages"),
            Topic::Room => format!("/api/v1/rooms/{room}"),
            Topic::Users => format!("/api/v1/rooms/{room}/users"),
        }
    }

    /// The channel of this name; `None` for one that is not followed.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let path = name.strip_prefix("/api/v1/rooms/")?;
        let (room, topic) = match path.split_once('/') {
            None => (path, Topic::Room),
            Some((room, "chatMessages")) => (room, Topic::Messages),
            Some((room, "users")) => (room, Topic::Users),
            Some(_) => return None,
        };
        Some(Self::new(topic, room.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_made_and_parsed_alike() {
        let room: GitterRoomId = "5f0000000000000000000a01".parse().unwrap();
        for channel in Channel::of(&room) {
            assert_eq!(Channel::parse(&channel.name()), Some(channel));
        }
        for other in [
            "/api/v1/rooms/",
            "/api/v1/rooms//chatMessages",
            "/api/v1/rooms/a/b/chatMessages",
            "/api/v1/rooms/a/events",
            "/api/v1/user/a/rooms",
        ] {
            assert_eq!(Channel::parse(other), None, "{other}");
        }
    }
}
