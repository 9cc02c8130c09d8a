//! Groups as callers see them, and rooms made in them (gitter-api 4.7).

use jiff::Timestamp;
use serde_json::Value;

use super::{Caller, Group, State, setup::SetupError, view::RoomForm};
use crate::{refusal::Refusal, seed::NewRoom};

impl State {
    /// The groups of the rooms that the caller is a member of; only those they administer where `administered`.
    pub(crate) fn groups(&self, caller: &Caller, administered: bool) -> Vec<Value> {
        let is_theirs = |group: &&Group| {
            self.rooms_of(group).any(|room| {
                let people = if administered { &room.admins } else { &room.members };
                people.contains(&caller.user)
            })
        };
        let groups = self.groups.values().filter(is_theirs);
        groups.map(|group| self.group_json(group)).collect()
    }

    /// One group, by the id in a path.
    pub(crate) fn group(&self, group_id: &str) -> Result<Value, Refusal> {
        self.group_of(group_id).map(|group| self.group_json(group))
    }

    /// The rooms of a group that the caller may read.
    pub(crate) fn group_rooms(&self, caller: &Caller, group_id: &str) -> Result<Vec<Value>, Refusal> {
        let group = self.group_of(group_id)?;
        let rooms = self.rooms_of(group).filter(|room| room.may_read(caller.user));
        Ok(rooms
            .filter_map(|room| self.room_json(room, caller.user, RoomForm::Bare))
            .collect())
    }

    /// Makes a room in a group, of the `name`, `topic` and `security` of a body. The caller is its first member
    /// and its admin.
    pub(crate) fn create_group_room(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        group_id: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let text = |key| body.pointer(key).and_then(Value::as_str).unwrap_or_default();
        let owner = self.users.get(&caller.user).map(|user| user.username.clone());
        let group = self.group_of(group_id)?;
        if !self
            .rooms_of(group)
            .any(|room| room.admins.contains(&caller.user))
        {
            return Err(Refusal::forbidden("the account is no admin of the group"));
        }
        let owner = Vec::from_iter(owner);
        let new = NewRoom {
            topic: text("/topic").to_owned(),
            public: text("/security/security") != "PRIVATE",
            members: owner.clone(),
            admins: owner,
            ..NewRoom::public(&format!("{}/{}", group.uri, text("/name")))
        };
        let room_id = self.add_room(now, &new).map_err(|error| match error {
            SetupError::NameTaken(_) => Refusal::conflict("the URI is taken"),
            _ => Refusal::bad_request("the room cannot be made"),
        })?;
        self.rooms
            .get(&room_id)
            .and_then(|room| self.room_json(room, caller.user, RoomForm::Resolved))
            .ok_or(Refusal::not_found("the room is gone"))
    }

    fn group_of(&self, group_id: &str) -> Result<&Group, Refusal> {
        let group_id = group_id
            .parse()
            .map_err(|_| Refusal::bad_request("the group id is not an object id"))?;
        self.groups
            .get(&group_id)
            .ok_or(Refusal::not_found("there is no such group"))
    }
}
