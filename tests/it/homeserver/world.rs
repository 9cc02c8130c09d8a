//! Everything the homeserver knows, and what changes it. No I/O: the API and the tests both come here.

mod bans;
mod events;
mod rooms;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{Settings, fault::Fault, memory::TransactionMemory, room::Room};

/// How a room is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoomOptions {
    /// From "12" on, which is the default, the room's id has no server and the creator may do everything.
    pub(crate) version: Option<&'static str>,
    /// Whether only those who are invited may join.
    pub(crate) private: bool,
    pub(crate) alias: Option<OwnedRoomAliasId>,
    pub(crate) name: Option<String>,
    /// What `m.room.create` says beside the version; an object, or nothing.
    pub(crate) creation: Value,
}

#[derive(Debug, Default)]
struct User {
    display_name: Option<String>,
    avatar_url: Option<String>,
    devices: BTreeSet<String>,
    account_data: BTreeMap<String, Value>,
}

/// Everything the homeserver knows.
#[derive(Debug)]
pub(crate) struct World {
    pub(super) settings: Settings,
    pub(super) appservice: Option<Url>,
    pub(super) faults: Vec<Fault>,
    pub(super) pushed_transactions: u64,
    /// Events that the bot acknowledged, in order.
    pub(super) receipts: Vec<(OwnedRoomId, String)>,
    transactions: TransactionMemory,
    users: BTreeMap<OwnedUserId, User>,
    rooms: BTreeMap<OwnedRoomId, Room>,
    aliases: BTreeMap<OwnedRoomAliasId, OwnedRoomId>,
    media: BTreeMap<String, (String, Vec<u8>)>,
    /// What the application service is to be told, in order: positions in rooms.
    outbox: Vec<(OwnedRoomId, usize)>,
    pushed_events: usize,
    /// Left out of the outbox until the application service fails the next time.
    left_out: Vec<(OwnedRoomId, usize)>,
    ids_given: u64,
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            appservice: None,
            faults: Vec::new(),
            pushed_transactions: 0,
            receipts: Vec::new(),
            transactions: TransactionMemory::default(),
            users: BTreeMap::new(),
            rooms: BTreeMap::new(),
            aliases: BTreeMap::new(),
            media: BTreeMap::new(),
            outbox: Vec::new(),
            pushed_events: 0,
            left_out: Vec::new(),
            ids_given: 0,
        }
    }

    pub(super) fn forget_what_is_not_on_disk(&mut self) {
        self.transactions.forget_recent();
    }

    /// 43 characters, as ids of events have.
    fn new_id(&mut self) -> String {
        self.ids_given += 1;
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.ids_given.to_be_bytes()))
    }
}
