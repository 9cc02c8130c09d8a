//! Members of rooms: listed, joining, leaving, removed (gitter-api 4.3 and 7.4).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Caller, Channel, State, view::RoomForm};
use crate::{object_id::ObjectId, refusal::Refusal};

/// Members of a page where no limit is given.
const DEFAULT_PAGE: usize = 30;
/// The most members of a page.
const MAX_PAGE: usize = 100;
/// Rooms with more members do not announce who joins.
const ANNOUNCED_UP_TO: usize = 100;

/// Which members are asked for.
#[derive(Debug, Default, serde::Deserialize)]
pub(crate) struct MemberQuery {
    limit: Option<String>,
    skip: Option<String>,
    /// The start of a user name.
    q: Option<String>,
}

impl State {
    /// A page of the members of a room.
    pub(crate) fn members(
        &self,
        caller: &Caller,
        room_id: &str,
        query: &MemberQuery,
    ) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        let limit = number(&query.limit).unwrap_or(DEFAULT_PAGE).min(MAX_PAGE);
        let start = query.q.as_deref().unwrap_or_default();
        let members = room.members.iter().filter(|member| {
            let user = self.users.get(member);
            user.is_some_and(|user| user.username.starts_with(start))
        });
        let page = members.skip(number(&query.skip).unwrap_or(0)).take(limit);
        Ok(page
            .filter_map(|member| self.member_json(room, *member))
            .collect())
    }

    /// The admins of a room, whether members or not.
    pub(crate) fn extra_admins(&self, caller: &Caller, room_id: &str) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        let admins = room.admins.iter().filter_map(|admin| self.users.get(admin));
        Ok(admins.map(|admin| self.user_json(admin)).collect())
    }

    /// The caller joins the room whose `id` is in a body.
    pub(crate) fn join(&mut self, caller: &Caller, body: &Value) -> Result<Value, Refusal> {
        let room_id = body.get("id").and_then(Value::as_str);
        let room_id = room_id.ok_or(Refusal::bad_request("the id of the room is missing"))?;
        let room_id = self.writable_room(caller, room_id)?.id;
        self.add_member(room_id, caller.user);
        self.rooms
            .get(&room_id)
            .and_then(|room| self.room_json(room, caller.user, RoomForm::Resolved))
            .ok_or(Refusal::not_found("there is nothing to show of the room"))
    }

    /// Adds the user whose `username` is in a body to a room that the caller may write to.
    pub(crate) fn invite(&mut self, caller: &Caller, room_id: &str, body: &Value) -> Result<Value, Refusal> {
        let room = self.writable_room(caller, room_id)?;
        if room.is_one_to_one() {
            return Err(Refusal::forbidden("nobody joins a conversation of two"));
        }
        let room_id = room.id;
        let user = body
            .get("username")
            .and_then(Value::as_str)
            .and_then(|username| self.user_names.get(username).copied())
            .ok_or(Refusal::not_found("there is no such user"))?;
        self.add_member(room_id, user);
        let user = self.users.get(&user).map(|user| self.user_json(user));
        Ok(json!({ "status": "added", "user": user }))
    }

    /// A user leaves a room, or is removed by an admin of it. `user` is an id, or a name where `by_name`.
    pub(crate) fn leave(
        &mut self,
        caller: &Caller,
        room_id: &str,
        user: &str,
        by_name: bool,
    ) -> Result<(), Refusal> {
        let user = if by_name {
            self.user_names.get(user).copied()
        } else {
            user.parse().ok()
        };
        let user = user.ok_or(Refusal::not_found("there is no such user"))?;
        let room = self.writable_room(caller, room_id)?;
        if user != caller.user && !room.admins.contains(&caller.user) {
            return Err(Refusal::forbidden("only admins remove others"));
        }
        let room_id = room.id;
        if self.remove_member(room_id, user) {
            Ok(())
        } else {
            Err(Refusal::not_found("the user is no member of the room"))
        }
    }

    /// Makes a user a member, and tells of it. Nothing where they are one already.
    pub(super) fn add_member(&mut self, room_id: ObjectId, user: ObjectId) {
        let Some(room) = self.rooms.get_mut(&room_id) else {
            return;
        };
        if !room.members.insert(user) {
            return;
        }
        let announced = room.members.len() <= ANNOUNCED_UP_TO;
        let Some(room) = self.rooms.get(&room_id) else {
            return;
        };
        let member = self.member_json(room, user).filter(|_| announced);
        let view = self.room_json(room, user, RoomForm::Listed);
        if let Some(member) = member {
            self.publish_change(Channel::RoomUsers(room_id), "create", &member);
        }
        if let Some(view) = view {
            self.publish_change(Channel::UserRooms(user), "create", &view);
        }
    }

    /// Takes a user out of a room, tells of it, and ends their subscriptions to it without a word, public or
    /// not (gitter-api 7.4). False where they were no member.
    pub(super) fn remove_member(&mut self, room_id: ObjectId, user: ObjectId) -> bool {
        let Some(room) = self.rooms.get_mut(&room_id) else {
            return false;
        };
        if !room.members.remove(&user) {
            return false;
        }
        self.realtime.unsubscribe_user(user, room_id);
        self.publish_change(Channel::RoomUsers(room_id), "remove", &json!({ "id": user }));
        self.publish_change(Channel::UserRooms(user), "remove", &json!({ "id": room_id }));
        true
    }

    /// Counts a reader of messages, and tells of it, for those of `ids` that are in the room.
    pub(crate) fn read_messages(
        &mut self,
        caller: &Caller,
        room_id: &str,
        ids: &[ObjectId],
    ) -> Result<(), Refusal> {
        let room_id = self.readable_room(caller, room_id)?.id;
        for id in ids {
            let room = self.rooms.get_mut(&room_id);
            let Some(message) = room.and_then(|room| room.messages.get_mut(id)) else {
                continue;
            };
            if message.author == caller.user || !message.readers.insert(caller.user) {
                continue;
            }
            let model = json!({ "id": id, "readBy": message.readers.len(), "v": message.v });
            self.publish_change(Channel::RoomMessages(room_id), "patch", &model);
        }
        Ok(())
    }

    /// Who has read a message.
    pub(crate) fn readers(
        &self,
        caller: &Caller,
        room_id: &str,
        message_id: &str,
    ) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        let message = super::messages::message_of(room, message_id)?;
        let readers = message.readers.iter();
        Ok(readers
            .filter_map(|reader| Some(self.user_json(self.users.get(reader)?)))
            .collect())
    }

    /// Tells all that follow a channel of an operation on a model.
    pub(super) fn publish_change(&mut self, channel: Channel, operation: &str, model: &Value) {
        self.publish(channel, &json!({ "operation": operation, "model": model }));
    }
}

impl State {
    /// Makes the one-to-one room of two users if there is none, and gives its id.
    pub(super) fn one_to_one(&mut self, now: Timestamp, one: ObjectId, other: ObjectId) -> ObjectId {
        let members = [one, other].into();
        let known = self
            .rooms
            .values()
            .find(|room| room.is_one_to_one() && room.members == members);
        if let Some(room) = known {
            return room.id;
        }
        let id = self.ids.next(now);
        let room = super::Room {
            members,
            ..super::Room::empty(id, super::RoomKind::OneToOne)
        };
        self.rooms.insert(id, room);
        self.publish_new_room(id);
        id
    }
}
