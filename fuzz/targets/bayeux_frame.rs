//! Frames from Gitter's realtime server, one a line: whatever they say, only wanted rooms are told of, and the session
//! never waits for long.

#![no_main]

use std::time::Duration;

use gitter_matrix_bridge::{
    gitter::{RealtimeEvent, fuzzing},
    ids::GitterRoomId,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: &str| {
    let rooms: Vec<GitterRoomId> = ["a", "b"].iter().filter_map(|room| room.parse().ok()).collect();
    let told = fuzzing::receive(&rooms, frames.lines().take(100));
    for event in &told.events {
        match event {
            RealtimeEvent::Interrupted { rooms: lost } => {
                assert!(!lost.is_empty() && lost.iter().all(|room| rooms.contains(room)));
            }
            RealtimeEvent::Subscribed { room, .. }
            | RealtimeEvent::Message { room, .. }
            | RealtimeEvent::Room { room, .. }
            | RealtimeEvent::RoomRefused { room, .. }
            | RealtimeEvent::UsersFollowed { room }
            | RealtimeEvent::User { room, .. }
            | RealtimeEvent::Refused { room, .. } => assert!(rooms.contains(room)),
            RealtimeEvent::Connected | RealtimeEvent::TokenRefused => {}
        }
    }
    assert!(
        told.longest_wait <= Duration::from_mins(11),
        "{:?}",
        told.longest_wait
    );
    for frame in &told.frames {
        let frame: serde_json::Value = serde_json::from_str(frame).expect("a frame is JSON");
        assert!(frame.as_array().is_some_and(|messages| !messages.is_empty()));
    }
});
