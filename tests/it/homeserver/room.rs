//! A room: its events in the order that they came in, its state, and who may do what.

use std::collections::BTreeMap;

use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde_json::{Map, Value, json};

use super::error::{Refusal, forbidden, not_found};

/// An event that is about to come in.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) sender: OwnedUserId,
    pub(super) event_type: String,
    pub(super) state_key: Option<String>,
    pub(super) content: Value,
    pub(super) origin_server_ts: i64,
    pub(super) redacts: Option<OwnedEventId>,
}

impl Draft {
    pub(super) fn message(sender: &UserId, event_type: &str, content: Value, origin_server_ts: i64) -> Self {
        Self {
            sender: sender.to_owned(),
            event_type: event_type.to_owned(),
            state_key: None,
            content,
            origin_server_ts,
            redacts: None,
        }
    }

    pub(super) fn state(
        sender: &UserId,
        event_type: &str,
        state_key: &str,
        content: Value,
        origin_server_ts: i64,
    ) -> Self {
        let state_key = Some(state_key.to_owned());
        Self {
            state_key,
            ..Self::message(sender, event_type, content, origin_server_ts)
        }
    }

    pub(super) fn redaction(
        sender: &UserId,
        redacts: &EventId,
        reason: Option<&str>,
        origin_server_ts: i64,
    ) -> Self {
        let mut content = json!({ "redacts": redacts });
        if let Some(reason) = reason {
            content["reason"] = reason.into();
        }
        Self {
            redacts: Some(redacts.to_owned()),
            ..Self::message(sender, "m.room.redaction", content, origin_server_ts)
        }
    }
}

#[derive(Debug)]
struct Event {
    id: OwnedEventId,
    draft: Draft,
    /// The event of the same type and key before it.
    replaces: Option<usize>,
    redacted_by: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Room {
    id: OwnedRoomId,
    /// Whether the creator may do everything (version 12 and later).
    privileged_creator: bool,
    events: Vec<Event>,
    state: BTreeMap<(String, String), usize>,
}

impl Room {
    pub(super) fn new(id: OwnedRoomId, privileged_creator: bool) -> Self {
        Self {
            id,
            privileged_creator,
            events: Vec::new(),
            state: BTreeMap::new(),
        }
    }

    /// Takes an event in, whoever sends it.
    pub(super) fn append(&mut self, id: OwnedEventId, draft: Draft) {
        let index = self.events.len();
        let replaces = draft.state_key.as_ref().and_then(|state_key| {
            let key = (draft.event_type.clone(), state_key.clone());
            self.state.insert(key, index)
        });
        if let Some(target) = draft.redacts.as_deref().and_then(|id| self.position(id)) {
            let target = &mut self.events[target];
            target.draft.content = json!({});
            target.redacted_by.get_or_insert(index);
        }
        self.events.push(Event {
            id,
            draft,
            replaces,
            redacted_by: None,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn position(&self, event_id: &EventId) -> Option<usize> {
        self.events.iter().position(|event| event.id == event_id)
    }

    pub(super) fn state_position(&self, event_type: &str, state_key: &str) -> Option<usize> {
        self.state
            .get(&(event_type.to_owned(), state_key.to_owned()))
            .copied()
    }

    pub(super) fn state_content(&self, event_type: &str, state_key: &str) -> Option<&Value> {
        let index = self.state_position(event_type, state_key)?;
        Some(&self.events[index].draft.content)
    }

    /// All that holds now.
    pub(super) fn whole_state(&self) -> Vec<Value> {
        self.state.values().map(|index| self.event(*index)).collect()
    }

    /// The membership of a user: `join`, `invite`, `leave` or `ban`.
    pub(super) fn membership(&self, user: &UserId) -> &str {
        self.state_content("m.room.member", user.as_str())
            .and_then(|content| content["membership"].as_str())
            .unwrap_or("leave")
    }

    /// The users with one of the memberships.
    pub(super) fn members<'a>(&'a self, memberships: &'a [&str]) -> impl Iterator<Item = OwnedUserId> + 'a {
        self.state.keys().filter_map(move |(event_type, state_key)| {
            let user = UserId::parse(state_key).ok()?;
            let counts = event_type == "m.room.member" && memberships.contains(&self.membership(&user));
            counts.then_some(user)
        })
    }

    pub(super) fn is_sender(&self, index: usize, user: &UserId) -> bool {
        self.events[index].draft.sender == user
    }

    pub(super) fn event_type(&self, index: usize) -> &str {
        &self.events[index].draft.event_type
    }

    pub(super) fn must_be_joined(&self, user: &UserId) -> Result<(), Refusal> {
        if self.membership(user) == "join" {
            return Ok(());
        }
        Err(forbidden(format!("User {user} not in room {}", self.id)))
    }

    pub(super) fn may_send(&self, draft: &Draft) -> Result<(), Refusal> {
        self.must_be_joined(&draft.sender)?;
        let default = match draft.state_key {
            Some(_) => self.level("state_default", 50),
            None => self.level("events_default", 0),
        };
        let levels = self.state_content("m.room.power_levels", "");
        let needed = levels.and_then(|levels| levels["events"][&draft.event_type].as_i64());
        self.must_have(&draft.sender, needed.unwrap_or(default), "post that to the room")
    }

    pub(super) fn may_redact(&self, draft: &Draft) -> Result<(), Refusal> {
        self.may_send(draft)?;
        let target = draft.redacts.as_deref().and_then(|id| self.position(id));
        let target = target.ok_or_else(|| not_found("Could not find event"))?;
        if self.is_sender(target, &draft.sender) {
            return Ok(());
        }
        self.must_have(&draft.sender, self.level("redact", 50), "redact events")
    }

    pub(super) fn may_invite(&self, inviter: &UserId) -> Result<(), Refusal> {
        self.must_be_joined(inviter)?;
        self.must_have(inviter, self.level("invite", 0), "invite")
    }

    pub(super) fn may_ban(&self, sender: &UserId, user: &UserId) -> Result<(), Refusal> {
        self.must_be_joined(sender)?;
        self.must_have(sender, self.level("ban", 50), "ban")?;
        if self.power(user) < self.power(sender) {
            return Ok(());
        }
        Err(forbidden("You cannot ban a user of your own power"))
    }

    fn must_have(&self, user: &UserId, needed: i64, what: &str) -> Result<(), Refusal> {
        let power = self.power(user);
        if power >= needed {
            return Ok(());
        }
        Err(forbidden(format!(
            "You don't have permission to {what}. user_level ({power}) < needed ({needed})"
        )))
    }

    fn power(&self, user: &UserId) -> i64 {
        if self.privileged_creator && self.is_sender(0, user) {
            return i64::MAX;
        }
        self.state_content("m.room.power_levels", "")
            .and_then(|levels| levels["users"][user.as_str()].as_i64())
            .unwrap_or_else(|| self.level("users_default", 0))
    }

    fn level(&self, name: &str, default: i64) -> i64 {
        self.state_content("m.room.power_levels", "")
            .and_then(|levels| levels[name].as_i64())
            .unwrap_or(default)
    }

    /// An event as clients and application services see it now.
    pub(super) fn event(&self, index: usize) -> Value {
        let Event {
            id,
            draft,
            replaces,
            redacted_by,
        } = &self.events[index];
        let mut unsigned = Map::from_iter([("age".to_owned(), json!(1))]);
        if let Some(before) = replaces.map(|before| &self.events[before]) {
            unsigned.insert("replaces_state".to_owned(), json!(before.id));
            unsigned.insert("prev_content".to_owned(), before.draft.content.clone());
            unsigned.insert("prev_sender".to_owned(), json!(before.draft.sender));
        }
        if let Some(redaction) = *redacted_by {
            unsigned.insert("redacted_by".to_owned(), json!(self.events[redaction].id));
            unsigned.insert("redacted_because".to_owned(), self.event(redaction));
        }
        let mut event = json!({
            "event_id": id,
            "room_id": self.id,
            "sender": draft.sender,
            "type": draft.event_type,
            "origin_server_ts": draft.origin_server_ts,
            "content": draft.content,
            "unsigned": unsigned,
        });
        if let Some(state_key) = &draft.state_key {
            event["state_key"] = json!(state_key);
        }
        if let Some(redacts) = &draft.redacts {
            event["redacts"] = json!(redacts);
        }
        event
    }
}
