//! Rooms as callers see them: resolved from a URI, shown, listed, and as realtime snapshots (gitter-api 4).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Caller, Channel, State, view::RoomForm};
use crate::{object_id::ObjectId, refusal::Refusal};

/// Members of a snapshot.
const SNAPSHOT_MEMBERS: usize = 30;

impl State {
    /// Resolves the `uri` of a body to a room, whatever its case. Joins nothing; but the name of another user
    /// makes a one-to-one room with them. A room that may not be read is as good as none; one that was renamed
    /// is answered with 301 and no word of where it went.
    pub(crate) fn resolve_room(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let uri = body
            .get("uri")
            .and_then(Value::as_str)
            .filter(|uri| !uri.is_empty())
            .ok_or(Refusal::bad_request("the uri is missing"))?;
        let nothing = Refusal::not_found("the uri names no room that the account may read");
        let lower_uri = uri.to_lowercase();
        let room_id = match self.room_uris.get(&lower_uri) {
            Some(room_id) => *room_id,
            None if self.old_room_uris.contains_key(&lower_uri) => {
                return Err(Refusal::moved("the room has another URI now"));
            }
            None => match self.user_names.get(uri) {
                Some(other) if *other != caller.user => self.one_to_one(now, caller.user, *other),
                _ => return Err(nothing),
            },
        };
        self.rooms
            .get(&room_id)
            .filter(|room| room.may_read(caller.user))
            .and_then(|room| self.room_json(room, caller.user, RoomForm::Resolved))
            .ok_or(nothing)
    }

    /// One room; null where there is nothing to show of it.
    pub(crate) fn room(&self, caller: &Caller, room_id: &str) -> Result<Option<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        Ok(self.room_json(room, caller.user, RoomForm::Shown))
    }

    /// The rooms that the caller is a member of.
    pub(crate) fn rooms(&self, caller: &Caller) -> Vec<Value> {
        self.rooms
            .values()
            .filter(|room| room.members.contains(&caller.user))
            .filter_map(|room| self.room_json(room, caller.user, RoomForm::Listed))
            .collect()
    }

    /// The rooms that the caller may read whose URI or topic holds the words, at most `limit` after `skip`.
    pub(crate) fn search_rooms(&self, caller: &Caller, words: &str, limit: usize, skip: usize) -> Vec<Value> {
        let words = words.to_lowercase();
        let found = self.rooms.values().filter(|room| {
            let uri = room.uri().unwrap_or_default().to_lowercase();
            room.may_read(caller.user) && (uri.contains(&words) || room.topic.to_lowercase().contains(&words))
        });
        found
            .skip(skip)
            .take(limit)
            .filter_map(|room| self.room_json(room, caller.user, RoomForm::Bare))
            .collect()
    }

    /// The caller as a user object.
    pub(crate) fn current_user(&self, caller: &Caller) -> Option<Value> {
        self.users.get(&caller.user).map(|user| self.user_json(user))
    }

    /// A room as the snapshot of its channel.
    pub(crate) fn room_snapshot(&self, caller: &Caller, room_id: &str) -> Result<Value, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        Ok(json!(self.room_json(room, caller.user, RoomForm::Resolved)))
    }

    /// The first members of a room, as the snapshot of their channel.
    pub(crate) fn member_snapshot(&self, caller: &Caller, room_id: &str) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        let members = room.members.iter().take(SNAPSHOT_MEMBERS);
        Ok(members
            .filter_map(|member| self.member_json(room, *member))
            .collect())
    }

    /// Tells the members of a new room, each as they see it, that they are in it now.
    pub(super) fn publish_new_room(&mut self, room_id: ObjectId) {
        let Some(room) = self.rooms.get(&room_id) else {
            return;
        };
        let news: Vec<_> = room
            .members
            .iter()
            .filter_map(|member| Some((*member, self.room_json(room, *member, RoomForm::Listed)?)))
            .collect();
        for (member, model) in news {
            let data = json!({ "operation": "create", "model": model });
            self.publish(Channel::UserRooms(member), &data);
        }
    }
}
