//! Users, and what is theirs: devices, profiles, uploads.

use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde_json::Value;

use super::World;
use crate::homeserver::error::{Refusal, refuse};

impl World {
    pub(in crate::homeserver) fn user_id(&self, localpart: &str) -> OwnedUserId {
        UserId::parse(format!("@{localpart}:{}", self.settings.server_name))
            .expect("tests use valid localparts")
    }

    pub(in crate::homeserver) fn is_bot(&self, user: &UserId) -> bool {
        *user == self.user_id(&self.settings.sender_localpart)
    }

    /// Whether the user is the bot or in the registration's namespace.
    pub(in crate::homeserver) fn is_of_appservice(&self, user: &UserId) -> bool {
        user.localpart().starts_with(&self.settings.user_prefix) || self.is_bot(user)
    }

    pub(in crate::homeserver) fn is_registered(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    pub(in crate::homeserver) fn add_user(&mut self, user: &UserId, display_name: Option<&str>) {
        let display_name = display_name.unwrap_or(user.localpart()).to_owned();
        let user = self.users.entry(user.to_owned()).or_default();
        user.display_name = Some(display_name);
    }

    pub(in crate::homeserver) fn register(&mut self, localpart: &str) -> Result<OwnedUserId, Refusal> {
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

    /// A user's name and picture.
    pub(crate) fn profile(&self, user: &UserId) -> (Option<String>, Option<String>) {
        let user = self.users.get(user);
        (
            user.and_then(|user| user.display_name.clone()),
            user.and_then(|user| user.avatar_url.clone()),
        )
    }

    pub(in crate::homeserver) fn account_data(&self, user: &UserId, event_type: &str) -> Option<Value> {
        self.users.get(user)?.account_data.get(event_type).cloned()
    }

    pub(in crate::homeserver) fn set_account_data(&mut self, user: &UserId, event_type: String, data: Value) {
        let user = self.users.entry(user.to_owned()).or_default();
        user.account_data.insert(event_type, data);
    }

    pub(in crate::homeserver) fn has_device(&self, user: &UserId, device: &str) -> bool {
        self.users
            .get(user)
            .is_some_and(|user| user.devices.contains(device))
    }

    /// Whether the device is new.
    pub(in crate::homeserver) fn add_device(&mut self, user: &UserId, device: String) -> bool {
        let user = self.users.entry(user.to_owned()).or_default();
        user.devices.insert(device)
    }

    /// Sets a field of a profile, and with it the memberships of the user.
    pub(in crate::homeserver) fn set_profile(
        &mut self,
        user: &UserId,
        field: &str,
        value: &Value,
    ) -> Result<(), Refusal> {
        let text = value.as_str().map(str::to_owned);
        let profile = self.users.entry(user.to_owned()).or_default();
        match field {
            "displayname" => profile.display_name = text,
            "avatar_url" => profile.avatar_url = text,
            // Others are taken and shown to nobody.
            _ => return Ok(()),
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

    pub(in crate::homeserver) fn add_media(&mut self, content_type: String, bytes: Vec<u8>) -> String {
        let id = self.new_id();
        let uri = format!("mxc://{}/{id}", self.settings.server_name);
        self.media.insert(uri.clone(), (content_type, bytes));
        uri
    }

    pub(in crate::homeserver) fn media(&self, uri: &str) -> Option<(String, Vec<u8>)> {
        self.media.get(uri).cloned()
    }
}
