//! Room upgrades, as Synapse does them.

use ruma::{OwnedRoomId, RoomId, UserId};
use serde_json::json;

use super::{FakeHomeserver, RoomOptions};

impl FakeHomeserver {
    /// Upgrades a room: the successor names it, its tombstone names the successor, and nobody may speak in it any more.
    pub(crate) fn upgrade(&self, room: &RoomId, by: &UserId, version: &'static str) -> OwnedRoomId {
        let options = RoomOptions {
            version: Some(version),
            creation: json!({ "predecessor": { "room_id": room } }),
            ..RoomOptions::default()
        };
        let successor = self.make_room(by, &options);
        self.entomb(room, by, &successor);
        successor
    }

    /// Says that a room has a successor, whatever that says.
    pub(crate) fn entomb(&self, room: &RoomId, by: &UserId, successor: &RoomId) {
        let tombstone = json!({ "body": "This room has been replaced", "replacement_room": successor });
        self.set_state(room, by, "m.room.tombstone", "", tombstone);
        let levels = json!({ "users": { by.as_str(): 100 }, "events_default": 50, "invite": 50 });
        self.set_state(room, by, "m.room.power_levels", "", levels);
    }
}
