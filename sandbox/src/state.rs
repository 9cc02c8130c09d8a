//! Everything the sandbox remembers, and every operation on it.
//!
//! One struct, kept behind one mutex by its owner. Operations are plain functions that take the time as an
//! argument; nothing here waits, reads a clock or speaks HTTP. What an operation publishes is handed to the
//! realtime clients before it returns, in the order of gitter-api 14.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    faults::Faults,
    image_proxy::ImageProxy,
    object_id::{ObjectId, ObjectIdMaker},
    refusal::Refusal,
};

use self::{
    budget::Budget,
    room::{Room, RoomKind},
};
pub(crate) use self::{
    budget::Charge,
    channel::{BadChannel, Channel},
    files::{File, MAX_UPLOAD},
    members::MemberQuery,
    messages::{ListQuery, MessageSnapshot},
    realtime::{Mount, Outgoing, Realtime, Socket, SocketId, Transport},
};
pub use self::{
    budget::Charged,
    report::{RoomReport, StateReport, StoredMessage, TokenReport, UserReport},
    setup::SetupError,
    virtual_user::VirtualUser,
};

mod bans;
mod budget;
mod channel;
mod directory;
mod export;
mod files;
mod groups;
mod members;
mod messages;
mod realtime;
mod report;
mod room;
mod room_settings;
mod rooms;
mod setup;
mod users;
mod view;
mod virtual_user;

/// What the operations need to know of the settings.
pub(crate) struct Rules {
    /// Where the web site is, without a slash at the end.
    pub(crate) web_url: String,
    /// What pictures are fetched through, if anything.
    pub(crate) image_proxy: Option<ImageProxy>,
    /// How long after it was sent a message may be edited.
    pub(crate) edit_window: SignedDuration,
    /// How long a connect of Bayeux is held.
    pub(crate) connect_timeout: Duration,
    /// Requests in a window for each account and client; 0 for no limit.
    pub(crate) rate_limit: u32,
    /// How long such a window is.
    pub(crate) rate_window: Duration,
}

/// The whole server.
pub(crate) struct State {
    ids: ObjectIdMaker,
    rules: Rules,
    budget: Budget,
    users: BTreeMap<ObjectId, User>,
    user_names: HashMap<String, ObjectId>,
    /// Whom each access token speaks for.
    tokens: HashMap<String, Caller>,
    /// Client key to the one type of virtual user it may use (gitter-api 2.1).
    approved_client_keys: HashMap<String, String>,
    groups: BTreeMap<ObjectId, Group>,
    rooms: BTreeMap<ObjectId, Room>,
    /// Rooms by their URI in lower case.
    room_uris: HashMap<String, ObjectId>,
    /// URIs that rooms once had, in lower case, until another room takes them.
    old_room_uris: HashMap<String, ObjectId>,
    /// Uploads by the last three parts of their URLs.
    files: HashMap<String, File>,
    /// When each kind of file was last exported for an account and client.
    exports: HashMap<(Caller, String), Timestamp>,
    /// The Bayeux clients.
    pub(crate) realtime: Realtime,
    /// The faults asked for.
    pub(crate) faults: Faults,
}

/// Who makes a request: an account, by way of an OAuth client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    /// The account.
    pub(crate) user: ObjectId,
    /// The key of the client that the token was issued to.
    pub(crate) client: String,
}

struct User {
    id: ObjectId,
    username: String,
    display_name: String,
    /// Whether the account was deleted; its row stays.
    removed: bool,
    /// Whether what it posts is thrown away without a word (gitter-api 5.8).
    silently_banned: bool,
    /// Saves, from 1 on.
    v: u32,
}

struct Group {
    id: ObjectId,
    uri: String,
    name: String,
}

impl State {
    /// An empty server.
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            ids: ObjectIdMaker::new(rand::random()),
            budget: Budget::new(rules.rate_limit, rules.rate_window),
            realtime: Realtime::new(rules.connect_timeout),
            rules,
            users: BTreeMap::new(),
            user_names: HashMap::new(),
            tokens: HashMap::new(),
            approved_client_keys: HashMap::new(),
            groups: BTreeMap::new(),
            rooms: BTreeMap::new(),
            room_uris: HashMap::new(),
            old_room_uris: HashMap::new(),
            files: HashMap::new(),
            exports: HashMap::new(),
            faults: Faults::default(),
        }
    }

    /// Whom an access token speaks for; nobody where the account was deleted.
    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        let caller = self.tokens.get(token)?;
        let removed = self.users.get(&caller.user).is_none_or(|user| user.removed);
        (!removed).then(|| caller.clone())
    }

    /// The caller who is a user by name, through no client in particular.
    pub(crate) fn caller_named(&self, username: &str) -> Option<Caller> {
        let user = *self.user_names.get(username)?;
        Some(Caller {
            user,
            client: String::new(),
        })
    }

    /// Counts a request against the caller's budget; `None` where there is no limit.
    pub(crate) fn charge(&mut self, now: Timestamp, caller: &Caller) -> Option<Charge> {
        self.budget.charge(now, caller)
    }

    /// How many requests were counted.
    pub(crate) const fn charged(&self) -> Charged {
        self.budget.charged()
    }

    /// Whether the caller may follow a channel.
    pub(crate) fn may_follow(&self, caller: &Caller, channel: Channel) -> Result<(), Refusal> {
        match channel {
            Channel::RoomMessages(room)
            | Channel::Room(room)
            | Channel::RoomUsers(room)
            | Channel::RoomEvents(room) => self.readable_room(caller, &room.to_string()).map(drop),
            Channel::User(user) | Channel::UserRooms(user) | Channel::UserGroups(user)
                if user != caller.user =>
            {
                Err(Refusal::forbidden("the channel is another user's"))
            }
            Channel::User(_) | Channel::UserRooms(_) | Channel::UserGroups(_) | Channel::Ping => Ok(()),
        }
    }

    /// A room that the caller may read, by the id in a path or channel.
    fn readable_room(&self, caller: &Caller, room_id: &str) -> Result<&Room, Refusal> {
        let room_id: ObjectId = room_id
            .parse()
            .map_err(|_| Refusal::bad_request("the room id is not an object id"))?;
        let room = self
            .rooms
            .get(&room_id)
            .ok_or(Refusal::not_found("there is no such room"))?;
        if !room.may_read(caller.user) {
            return Err(Refusal::forbidden("the account may not read the room"));
        }
        Ok(room)
    }

    /// A room that the caller may write to, by the id in a path.
    fn writable_room(&self, caller: &Caller, room_id: &str) -> Result<&Room, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        if !room.may_write(caller.user) {
            return Err(Refusal::forbidden("the account may not write to the room"));
        }
        Ok(room)
    }

    /// A room whose settings the caller may change, by the id in a path.
    fn administered_room(&self, caller: &Caller, room_id: &str) -> Result<&Room, Refusal> {
        let room = self.writable_room(caller, room_id)?;
        if !room.admins.contains(&caller.user) {
            return Err(Refusal::forbidden("the account is no admin of the room"));
        }
        Ok(room)
    }
}
