//! Everything the homeserver knows, and what changes it. No I/O: the API and the tests both come here.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    Settings,
    error::{Refusal, forbidden, not_found, refuse},
    fault::Fault,
    memory::{TransactionKey, TransactionMemory},
    now,
    room::{Draft, Room},
};

/// An event may have 65,536 bytes; some go to what the content does not hold.
const MAX_CONTENT_BYTES: usize = 65_000;

/// How a room is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoomOptions {
    /// From "12" on, which is the default, the room's id has no server and the creator may do everything.
    pub(crate) version: Option<&'static str>,
    /// Whether only those who are invited may join.
    pub(crate) private: bool,
    pub(crate) alias: Option<OwnedRoomAliasId>,
    pub(crate) name: Option<String>,
}

#[derive(Debug, Default)]
struct User {
    display_name: Option<String>,
    avatar_url: Option<String>,
    devices: BTreeSet<String>,
}

/// Everything the homeserver knows.
#[derive(Debug)]
pub(crate) struct World {
    pub(super) settings: Settings,
    pub(super) appservice: Option<Url>,
    pub(super) faults: Vec<Fault>,
    pub(super) pushed_transactions: u64,
    transactions: TransactionMemory,
    users: BTreeMap<OwnedUserId, User>,
    rooms: BTreeMap<OwnedRoomId, Room>,
    aliases: BTreeMap<OwnedRoomAliasId, OwnedRoomId>,
    media: BTreeMap<String, (String, Vec<u8>)>,
    /// What the application service is to be told, in order: positions in rooms.
    outbox: Vec<(OwnedRoomId, usize)>,
    pushed_events: usize,
    ids_given: u64,
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            appservice: None,
            faults: Vec::new(),
            pushed_transactions: 0,
            transactions: TransactionMemory::default(),
            users: BTreeMap::new(),
            rooms: BTreeMap::new(),
            aliases: BTreeMap::new(),
            media: BTreeMap::new(),
            outbox: Vec::new(),
            pushed_events: 0,
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

/// Users, and what is theirs.
impl World {
    pub(super) fn user_id(&self, localpart: &str) -> OwnedUserId {
        UserId::parse(format!("@{localpart}:{}", self.settings.server_name))
            .expect("tests use valid localparts")
    }

    pub(super) fn is_bot(&self, user: &UserId) -> bool {
        *user == self.user_id(&self.settings.sender_localpart)
    }

    /// Whether the user is the bot or in the registration's namespace.
    pub(super) fn is_of_appservice(&self, user: &UserId) -> bool {
        user.localpart().starts_with(&self.settings.user_prefix) || self.is_bot(user)
    }

    pub(super) fn is_registered(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    pub(super) fn add_user(&mut self, user: &UserId, display_name: Option<&str>) {
        let display_name = display_name.unwrap_or(user.localpart()).to_owned();
        let user = self.users.entry(user.to_owned()).or_default();
        user.display_name = Some(display_name);
    }

    pub(super) fn register(&mut self, localpart: &str) -> Result<OwnedUserId, Refusal> {
        let user = self.user_id(localpart);
        if !self.is_of_appservice(&user) {
            let error = "Invalid user localpart for this application service.";
            return Err(refuse(400, "M_EXCLUSIVE", error));
        }
        if self.is_registered(&user) {
            return Err(refuse(400, "M_USER_IN_USE", "User ID already taken."));
        }
        self.add_user(&user, None);
        Ok(user)
    }

    pub(super) fn has_device(&self, user: &UserId, device: &str) -> bool {
        self.users
            .get(user)
            .is_some_and(|user| user.devices.contains(device))
    }

    /// Whether the device is new.
    pub(super) fn add_device(&mut self, user: &UserId, device: String) -> bool {
        let user = self.users.entry(user.to_owned()).or_default();
        user.devices.insert(device)
    }

    /// Sets a field of a profile, and with it the memberships of the user.
    pub(super) fn set_profile(
        &mut self,
        user: &UserId,
        field: &str,
        value: Option<String>,
    ) -> Result<(), Refusal> {
        let profile = self.users.entry(user.to_owned()).or_default();
        match field {
            "displayname" => profile.display_name = value,
            "avatar_url" => profile.avatar_url = value,
            _ => return Err(refuse(400, "M_UNRECOGNIZED", "no such field")),
        }
        let joined = self
            .rooms
            .iter()
            .filter(|(_, room)| room.membership(user) == "join");
        let joined: Vec<OwnedRoomId> = joined.map(|(id, _)| id.clone()).collect();
        for room in joined {
            self.set_membership(&room, user, user, "join")?;
        }
        Ok(())
    }

    pub(super) fn add_media(&mut self, content_type: String, bytes: Vec<u8>) -> String {
        let id = self.new_id();
        let uri = format!("mxc://{}/{id}", self.settings.server_name);
        self.media.insert(uri.clone(), (content_type, bytes));
        uri
    }

    pub(super) fn media(&self, uri: &str) -> Option<(String, Vec<u8>)> {
        self.media.get(uri).cloned()
    }
}

/// Rooms, and who is in them.
impl World {
    pub(super) fn room(&self, room: &RoomId) -> Result<&Room, Refusal> {
        self.rooms
            .get(room)
            .ok_or_else(|| forbidden(format!("You are not in room {room}")))
    }

    pub(super) fn create_room(&mut self, creator: &UserId, options: &RoomOptions) -> OwnedRoomId {
        let version = options.version.unwrap_or("12");
        let privileged_creator = version.parse::<u32>().is_ok_and(|version| version >= 12);
        let id = self.new_id();
        let room = if privileged_creator {
            format!("!{id}")
        } else {
            let letters: String = id.chars().filter(char::is_ascii_alphabetic).take(18).collect();
            format!("!{letters}:{}", self.settings.server_name)
        };
        let room = RoomId::parse(room).expect("made ids are valid");
        self.rooms
            .insert(room.clone(), Room::new(room.clone(), privileged_creator));
        let levels = if privileged_creator {
            json!({ "users": {} })
        } else {
            json!({ "users": { creator.as_str(): 100 } })
        };
        let join_rule = if options.private { "invite" } else { "public" };
        let mut state = vec![
            ("m.room.create", "", json!({ "room_version": version })),
            (
                "m.room.member",
                creator.as_str(),
                self.member_content(creator, "join"),
            ),
            ("m.room.power_levels", "", levels),
            ("m.room.join_rules", "", json!({ "join_rule": join_rule })),
        ];
        if let Some(name) = &options.name {
            state.push(("m.room.name", "", json!({ "name": name })));
        }
        for (event_type, state_key, content) in state {
            self.append(
                &room,
                Draft::state(creator, event_type, state_key, content, now()),
            );
        }
        if let Some(alias) = options.alias.clone() {
            self.aliases.insert(alias, room.clone());
        }
        room
    }

    pub(super) fn resolve_alias(&self, alias: &OwnedRoomAliasId) -> Result<&OwnedRoomId, Refusal> {
        self.aliases
            .get(alias)
            .ok_or_else(|| not_found(format!("Room alias {alias} not found")))
    }

    pub(super) fn join(&mut self, room: &RoomId, user: &UserId) -> Result<(), Refusal> {
        let Some(found) = self.rooms.get(room) else {
            let error = "Can't join remote room because no servers that are in the room have been provided.";
            return Err(refuse(404, "M_UNKNOWN", error));
        };
        match found.membership(user) {
            "join" => Ok(()),
            "ban" => Err(refuse(403, "M_BAD_STATE", "Cannot join user who was banned")),
            "invite" => self.set_membership(room, user, user, "join"),
            _ if found.state_content("m.room.join_rules", "") == Some(&json!({ "join_rule": "public" })) => {
                self.set_membership(room, user, user, "join")
            }
            _ => Err(forbidden("You are not invited to this room.")),
        }
    }

    pub(super) fn invite(&mut self, room: &RoomId, inviter: &UserId, user: &UserId) -> Result<(), Refusal> {
        let found = self.room(room)?;
        found.may_invite(inviter)?;
        match found.membership(user) {
            "join" => Err(forbidden(format!("{user} is already in the room."))),
            "ban" => Err(refuse(403, "M_BAD_STATE", "Cannot invite user who was banned")),
            _ => self.set_membership(room, inviter, user, "invite"),
        }
    }

    /// Leaving a room again is nothing; leaving one that the user never was in is refused.
    pub(super) fn leave(&mut self, room: &RoomId, user: &UserId) -> Result<(), Refusal> {
        let found = self.room(room)?;
        match found.state_position("m.room.member", user.as_str()) {
            None => Err(forbidden(format!("User {user} not in room {room}"))),
            Some(_) if found.membership(user) == "leave" => Ok(()),
            Some(_) => self.set_membership(room, user, user, "leave"),
        }
    }

    fn set_membership(
        &mut self,
        room: &RoomId,
        sender: &UserId,
        user: &UserId,
        membership: &str,
    ) -> Result<(), Refusal> {
        let content = self.member_content(user, membership);
        self.room(room)?;
        self.append(
            room,
            Draft::state(sender, "m.room.member", user.as_str(), content, now()),
        );
        Ok(())
    }

    fn member_content(&self, user: &UserId, membership: &str) -> Value {
        let mut content = json!({ "membership": membership });
        if let Some(profile) = self.users.get(user).filter(|_| membership != "leave") {
            content["displayname"] = json!(profile.display_name);
            if let Some(avatar_url) = &profile.avatar_url {
                content["avatar_url"] = json!(avatar_url);
            }
        }
        content
    }
}

/// Events, and what of them goes to the application service.
impl World {
    pub(super) fn events(&self, room: &RoomId) -> Vec<Value> {
        let room = &self.rooms[room];
        (0..room.len()).map(|index| room.event(index)).collect()
    }

    /// Does it once: a transaction id that was used before is answered with its event.
    pub(super) fn once(
        &mut self,
        key: TransactionKey,
        act: impl FnOnce(&mut Self) -> Result<OwnedEventId, Refusal>,
    ) -> Result<OwnedEventId, Refusal> {
        if let Some(event_id) = self.transactions.event_of(&key) {
            return Ok(event_id);
        }
        let event_id = act(self)?;
        self.transactions.remember(key, &event_id);
        Ok(event_id)
    }

    pub(super) fn send(&mut self, room: &RoomId, draft: Draft) -> Result<OwnedEventId, Refusal> {
        check_content(&draft.content)?;
        self.room(room)?.may_send(&draft)?;
        Ok(self.append(room, draft))
    }

    pub(super) fn set_state(&mut self, room: &RoomId, draft: Draft) -> Result<OwnedEventId, Refusal> {
        self.send(room, draft)
    }

    pub(super) fn redact(&mut self, room: &RoomId, draft: Draft) -> Result<OwnedEventId, Refusal> {
        self.room(room)?.may_redact(&draft)?;
        Ok(self.append(room, draft))
    }

    fn append(&mut self, room_id: &RoomId, draft: Draft) -> OwnedEventId {
        let event_id: OwnedEventId = format!("${}", self.new_id())
            .try_into()
            .expect("made ids are valid");
        let target = draft.state_key.as_deref().and_then(|key| UserId::parse(key).ok());
        let names_ours = [Some(draft.sender.clone()), target];
        let room = self.rooms.get_mut(room_id).expect("callers have seen the room");
        let index = room.len();
        room.append(event_id.clone(), draft);
        let present = self.rooms[room_id].members(&["join", "invite"]);
        if names_ours
            .into_iter()
            .flatten()
            .chain(present)
            .any(|user| self.is_of_appservice(&user))
        {
            self.outbox.push((room_id.to_owned(), index));
        }
        event_id
    }

    /// How many events the application service has not taken yet.
    pub(crate) fn events_to_push(&self) -> usize {
        self.outbox.len() - self.pushed_events
    }

    /// The next events for the application service, at most `limit`, as they are now.
    pub(super) fn next_to_push(&self, limit: usize) -> Vec<Value> {
        self.outbox
            .iter()
            .skip(self.pushed_events)
            .take(limit)
            .map(|(room, index)| self.rooms[room].event(*index))
            .collect()
    }

    pub(super) fn has_pushed(&mut self, events: usize) {
        self.pushed_events += events;
        self.pushed_transactions += 1;
    }
}

fn check_content(content: &Value) -> Result<(), Refusal> {
    if !content.is_object() {
        return Err(refuse(400, "M_BAD_JSON", "Content must be a JSON object."));
    }
    if has_float(content) {
        return Err(refuse(400, "M_BAD_JSON", "Bad JSON value: float"));
    }
    if content.to_string().len() > MAX_CONTENT_BYTES {
        return Err(refuse(413, "M_TOO_LARGE", "event too large"));
    }
    Ok(())
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}
