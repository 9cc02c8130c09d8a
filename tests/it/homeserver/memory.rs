//! What the homeserver remembers of transaction ids: when two sends are one.
//!
//! In Synapse the memory that does not survive a restart is asked first, for every request of an application
//! service, and its key is the path alone: neither the ghost nor the device is part of it. The memory that
//! survives has room, user, device and transaction id as its key.

use std::collections::HashMap;

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};

/// What makes a send the same as another.
#[derive(Debug, Clone)]
pub(super) struct TransactionKey {
    /// The request's path, which holds the transaction id.
    pub(super) path: String,
    /// The key of the durable memory; none without a device.
    pub(super) durable: Option<(OwnedRoomId, OwnedUserId, String, String)>,
}

#[derive(Debug, Default)]
pub(super) struct TransactionMemory {
    recent: HashMap<String, OwnedEventId>,
    durable: HashMap<(OwnedRoomId, OwnedUserId, String, String), OwnedEventId>,
}

impl TransactionMemory {
    pub(super) fn event_of(&self, key: &TransactionKey) -> Option<OwnedEventId> {
        let recent = self.recent.get(&key.path);
        let durable = || self.durable.get(key.durable.as_ref()?);
        recent.or_else(durable).cloned()
    }

    pub(super) fn remember(&mut self, key: TransactionKey, event: &OwnedEventId) {
        self.recent.insert(key.path, event.clone());
        if let Some(durable) = key.durable {
            self.durable.insert(durable, event.clone());
        }
    }

    pub(super) fn forget_recent(&mut self) {
        self.recent.clear();
    }
}
