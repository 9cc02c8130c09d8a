//! Rooms in which Gitter fails every post for a virtual user, because an account is banned there (gitter-api 8).
//!
//! In memory, and for some minutes only: it saves each message there a request that fails, and a mended Gitter or a
//! lifted ban is noticed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use crate::ids::GitterRoomId;

/// How long a room is known, in milliseconds.
const KNOWN: i64 = 600_000;

/// A room with the bug.
#[derive(Debug)]
struct Known {
    until: i64,
    /// The virtual users that are banned themselves: nothing of theirs goes there in any form.
    banned: BTreeSet<String>,
}

/// The rooms known to have the bug.
#[derive(Debug, Default)]
pub(super) struct BanBugs(Mutex<HashMap<GitterRoomId, Known>>);

impl BanBugs {
    /// Notes a room, and who is banned there for good reason.
    pub(super) fn note(&self, room: &GitterRoomId, banned: BTreeSet<String>, now: i64) {
        let until = now + KNOWN;
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(|_, known| known.until > now);
        rooms.insert(room.clone(), Known { until, banned });
    }

    /// Whether somebody's messages go to a room in the account's name.
    pub(super) fn stands_in(&self, room: &GitterRoomId, external_id: &str, now: i64) -> bool {
        let rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rooms
            .get(room)
            .is_some_and(|known| known.until > now && !known.banned.contains(external_id))
    }
}
