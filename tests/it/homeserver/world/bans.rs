//! Bans: who may make and lift them.

use ruma::{RoomId, UserId};
use serde_json::json;

use super::World;
use crate::homeserver::{
    error::{Refusal, refuse},
    now,
    room::Draft,
};

impl World {
    pub(in crate::homeserver) fn ban(
        &mut self,
        room: &RoomId,
        sender: &UserId,
        user: &UserId,
        reason: Option<&str>,
    ) -> Result<(), Refusal> {
        self.room(room)?.may_ban(sender, user)?;
        let mut content = json!({ "membership": "ban" });
        if let Some(reason) = reason {
            content["reason"] = reason.into();
        }
        self.append(
            room,
            Draft::state(sender, "m.room.member", user.as_str(), content, now()),
        );
        Ok(())
    }

    pub(in crate::homeserver) fn unban(
        &mut self,
        room: &RoomId,
        sender: &UserId,
        user: &UserId,
    ) -> Result<(), Refusal> {
        let found = self.room(room)?;
        found.may_ban(sender, user)?;
        if found.membership(user) != "ban" {
            let error = format!("Cannot unban user {user} who was not banned");
            return Err(refuse(403, "M_BAD_STATE", error));
        }
        self.set_membership(room, sender, user, "leave")
    }
}
