//! Rooms, and who is in them.

use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomId, UserId};
use serde_json::{Value, json};

use super::{RoomOptions, World};
use crate::homeserver::{
    error::{Refusal, forbidden, not_found, refuse},
    now,
    room::{Draft, Room},
};

impl World {
    pub(in crate::homeserver) fn room(&self, room: &RoomId) -> Result<&Room, Refusal> {
        self.rooms
            .get(room)
            .ok_or_else(|| forbidden(format!("You are not in room {room}")))
    }

    pub(in crate::homeserver) fn create_room(
        &mut self,
        creator: &UserId,
        options: &RoomOptions,
    ) -> OwnedRoomId {
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
        let mut creation = json!({ "room_version": version });
        let said = options.creation.as_object().cloned().unwrap_or_default();
        creation.as_object_mut().expect("it is one").extend(said);
        let mut state = vec![
            ("m.room.create", "", creation),
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

    pub(in crate::homeserver) fn resolve_alias(
        &self,
        alias: &OwnedRoomAliasId,
    ) -> Result<&OwnedRoomId, Refusal> {
        self.aliases
            .get(alias)
            .ok_or_else(|| not_found(format!("Room alias {alias} not found")))
    }

    pub(in crate::homeserver) fn create_alias(
        &mut self,
        alias: OwnedRoomAliasId,
        room: OwnedRoomId,
    ) -> Result<(), Refusal> {
        if self.aliases.contains_key(&alias) {
            return Err(refuse(
                409,
                "M_UNKNOWN",
                format!("Room alias {alias} already exists"),
            ));
        }
        self.aliases.insert(alias, room);
        Ok(())
    }

    pub(in crate::homeserver) fn delete_alias(&mut self, alias: &OwnedRoomAliasId) -> Result<(), Refusal> {
        let deleted = self.aliases.remove(alias);
        deleted.map(drop).ok_or_else(|| not_found("Unknown room alias"))
    }

    pub(in crate::homeserver) fn join(&mut self, room: &RoomId, user: &UserId) -> Result<(), Refusal> {
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

    pub(in crate::homeserver) fn invite(
        &mut self,
        room: &RoomId,
        inviter: &UserId,
        user: &UserId,
    ) -> Result<(), Refusal> {
        let found = self.room(room)?;
        found.may_invite(inviter)?;
        match found.membership(user) {
            "join" => Err(forbidden(format!("{user} is already in the room."))),
            "ban" => Err(refuse(403, "M_BAD_STATE", "Cannot invite user who was banned")),
            _ => self.set_membership(room, inviter, user, "invite"),
        }
    }

    /// Leaving a room again is nothing; leaving one that the user never was in is refused.
    pub(in crate::homeserver) fn leave(&mut self, room: &RoomId, user: &UserId) -> Result<(), Refusal> {
        let found = self.room(room)?;
        match found.state_position("m.room.member", user.as_str()) {
            None => Err(forbidden(format!("User {user} not in room {room}"))),
            Some(_) if found.membership(user) == "leave" => Ok(()),
            Some(_) => self.set_membership(room, user, user, "leave"),
        }
    }

    pub(super) fn set_membership(
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
