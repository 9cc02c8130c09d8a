//! Events that wait for room in the channel.

use std::collections::VecDeque;

use crate::{gitter::event::RealtimeEvent, ids::GitterRoomId};

/// With more than this the socket is no longer read: 16 MiB.
const FULL: usize = 16 * 1024 * 1024;

/// A queue that knows about how large it is.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    events: VecDeque<RealtimeEvent>,
    bytes: usize,
}

impl Backlog {
    pub(super) fn push(&mut self, event: RealtimeEvent) {
        self.bytes += event.bytes();
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<RealtimeEvent> {
        let event = self.events.pop_front()?;
        self.bytes -= event.bytes();
        Some(event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= FULL
    }

    /// Drops all that waits of a room.
    pub(super) fn forget(&mut self, room: &GitterRoomId) {
        self.events.retain_mut(|event| match event {
            RealtimeEvent::Interrupted { rooms } => {
                rooms.retain(|other| other != room);
                !rooms.is_empty()
            }
            event => event.room() != Some(room),
        });
        self.bytes = self.events.iter().map(RealtimeEvent::bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn room(name: &str) -> GitterRoomId {
        name.parse().unwrap()
    }

    fn message(name: &str, bytes: usize) -> RealtimeEvent {
        RealtimeEvent::Message {
            room: room(name),
            operation: "create".to_owned(),
            model: RawValue::from_string(format!("{:?}", "x".repeat(bytes))).unwrap(),
        }
    }

    #[test]
    fn it_is_full_by_bytes_and_has_room_again() {
        let mut backlog = Backlog::default();
        backlog.push(message("a", FULL / 2));
        assert!(!backlog.is_full());
        backlog.push(message("b", FULL / 2));
        assert!(backlog.is_full());
        assert_eq!(backlog.pop().unwrap().room(), Some(&room("a")));
        assert!(!backlog.is_full());
    }

    #[test]
    fn a_forgotten_room_leaves_the_others_in_order() {
        let mut backlog = Backlog::default();
        backlog.push(message("a", 1));
        backlog.push(RealtimeEvent::Interrupted {
            rooms: vec![room("a")],
        });
        backlog.push(RealtimeEvent::Interrupted {
            rooms: vec![room("a"), room("b")],
        });
        backlog.push(message("b", FULL));
        backlog.push(message("a", FULL));
        backlog.forget(&room("a"));
        assert!(matches!(backlog.pop(), Some(RealtimeEvent::Interrupted { rooms }) if rooms == [room("b")]));
        assert!(backlog.is_full());
        assert_eq!(backlog.pop().unwrap().room(), Some(&room("b")));
        assert!(backlog.is_empty() && !backlog.is_full());
    }
}
