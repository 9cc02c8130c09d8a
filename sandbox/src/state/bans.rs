//! Bans: of accounts, and of virtual users by their id (gitter-api 8 and 14).

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Caller, Channel, State,
    room::{Activity, Ban, Banned},
    view::iso,
};
use crate::{object_id::ObjectId, refusal::Refusal};

/// Entries of an activity feed where no limit is given, and the most of one page.
const FEED_PAGE: usize = 50;

impl State {
    /// The bans of a room, for any reader.
    pub(crate) fn bans(&self, caller: &Caller, room_id: &str) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        Ok(room.bans.iter().map(|ban| self.ban_json(ban)).collect())
    }

    /// Bans the `username` or `virtualUser` of a body, and gives the status and body of the answer. A name with
    /// a colon is the id of a Matrix user. From a private room people are removed, not banned.
    pub(crate) fn ban(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        room_id: &str,
        body: &Value,
    ) -> Result<(StatusCode, Value), Refusal> {
        let room = self.administered_room(caller, room_id)?;
        let who = self.banned_in(body)?;
        let room_id = room.id;
        if let Some(known) = room.bans.iter().find(|ban| ban.who == who) {
            return Ok((StatusCode::OK, self.ban_json(known)));
        }
        if let Banned::User(user) = who {
            if user == caller.user {
                return Err(Refusal::bad_request("nobody bans themselves"));
            }
            if room.admins.contains(&user) {
                return Err(Refusal::forbidden("admins cannot be banned"));
            }
            let public = room.is_public();
            self.remove_member(room_id, user);
            if !public {
                return Ok((StatusCode::ACCEPTED, json!({ "removed": true })));
            }
            if body.get("removeMessages") == Some(&json!(true)) {
                self.remove_messages_of(room_id, user);
            }
        }
        let ban = Ban {
            who: who.clone(),
            by: caller.user,
            at: now,
        };
        let answer = self.ban_json(&ban);
        if let Some(room) = self.rooms.get_mut(&room_id) {
            room.bans.push(ban);
        }
        self.save_room(room_id);
        self.add_activity(now, room_id, "banned", who, caller.user);
        Ok((StatusCode::OK, answer))
    }

    /// Ends the ban of a user name or of a Matrix id. The room is not announced again (gitter-api 7.4).
    pub(crate) fn unban(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        room_id: &str,
        username: &str,
    ) -> Result<(), Refusal> {
        let room = self.administered_room(caller, room_id)?;
        let who = self.banned_named(username)?;
        let place = room
            .bans
            .iter()
            .position(|ban| ban.who == who)
            .ok_or(Refusal::not_found("nobody of that name is banned"))?;
        let room_id = room.id;
        if let Some(room) = self.rooms.get_mut(&room_id) {
            room.bans.remove(place);
        }
        self.add_activity(now, room_id, "unbanned", who, caller.user);
        Ok(())
    }

    /// The activity feed of a room, newest first: `limit` entries, older than `before`.
    pub(crate) fn activity(
        &self,
        caller: &Caller,
        room_id: &str,
        limit: Option<usize>,
        before: Option<&str>,
    ) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        let before: Option<ObjectId> = before
            .map(str::parse)
            .transpose()
            .map_err(|_| Refusal::stumbled("the position is not an object id"))?;
        let entries = room.activity.iter().rev();
        let entries = entries.filter(|entry| before.is_none_or(|before| entry.id < before));
        let limit = limit.filter(|limit| *limit > 0).unwrap_or(FEED_PAGE);
        Ok(entries
            .take(limit.min(FEED_PAGE))
            .map(|entry| self.activity_json(entry))
            .collect())
    }

    fn banned_in(&self, body: &Value) -> Result<Banned, Refusal> {
        if let Some(username) = body.get("username").and_then(Value::as_str) {
            return self.banned_named(username);
        }
        let text = |key| {
            let text = body.pointer(key).and_then(Value::as_str);
            text.map(str::to_owned)
                .ok_or(Refusal::bad_request("neither username nor virtualUser is given"))
        };
        Ok(Banned::VirtualUser {
            kind: text("/virtualUser/type")?,
            external_id: text("/virtualUser/externalId")?,
        })
    }

    fn banned_named(&self, username: &str) -> Result<Banned, Refusal> {
        if username.contains(':') {
            return Ok(Banned::VirtualUser {
                kind: "matrix".to_owned(),
                external_id: username.to_owned(),
            });
        }
        let user = self.user_names.get(username).copied();
        user.map(Banned::User)
            .ok_or(Refusal::not_found("there is no such user"))
    }

    fn remove_messages_of(&mut self, room_id: ObjectId, user: ObjectId) {
        let Some(room) = self.rooms.get_mut(&room_id) else {
            return;
        };
        let removed: Vec<_> = room
            .messages
            .extract_if(.., |_, message| {
                message.author == user && message.virtual_user.is_none()
            })
            .map(|(id, _)| id)
            .collect();
        for id in removed {
            self.publish_change(Channel::RoomMessages(room_id), "remove", &json!({ "id": id }));
        }
    }

    fn add_activity(
        &mut self,
        now: Timestamp,
        room_id: ObjectId,
        event: &'static str,
        banned: Banned,
        by: ObjectId,
    ) {
        let name = |user| self.users.get(&user).map_or("?", |user| user.username.as_str());
        let whom = match &banned {
            Banned::User(user) => name(*user),
            Banned::VirtualUser { external_id, .. } => external_id,
        };
        let entry = Activity {
            text: format!("User @{} {event} @{whom} from this room", name(by)),
            id: self.ids.next(now),
            at: now,
            event,
            banned,
            by,
        };
        let model = self.activity_json(&entry);
        if let Some(room) = self.rooms.get_mut(&room_id) {
            room.activity.push(entry);
        }
        self.publish_change(Channel::RoomEvents(room_id), "create", &model);
    }

    fn ban_json(&self, ban: &Ban) -> Value {
        let by = self.users.get(&ban.by).map(|user| self.user_json(user));
        let mut shown = json!({ "bannedBy": by, "dateBanned": iso(ban.at) });
        if let (Some(fields), Some((key, value))) = (shown.as_object_mut(), self.banned_json(&ban.who)) {
            fields.insert(key.to_owned(), value);
        }
        shown
    }

    /// Who is banned, as a field; none where the account is gone.
    fn banned_json(&self, banned: &Banned) -> Option<(&'static str, Value)> {
        Some(match banned {
            Banned::User(user) => ("user", self.user_json(self.users.get(user)?)),
            Banned::VirtualUser { kind, external_id } => {
                ("virtualUser", json!({ "type": kind, "externalId": external_id }))
            }
        })
    }

    pub(super) fn activity_json(&self, entry: &Activity) -> Value {
        let by = self.users.get(&entry.by).map(|user| self.user_json(user));
        json!({
            "id": entry.id,
            "text": entry.text,
            "html": entry.text,
            "sent": iso(entry.at),
            "editedAt": null,
            "meta": {
                "service": "bans",
                "event": entry.event,
                "bannedUser": self.banned_json(&entry.banned).map(|(_, value)| value),
                "performingUser": by,
                "prerendered": true,
            },
            "v": 1,
        })
    }
}
