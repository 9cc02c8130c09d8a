//! Users: profiles, and what the sandbox's controls change about them (gitter-api 4.6, 5.8 and 7.4).

use std::collections::HashMap;

use serde_json::Value;

use super::{
    Caller, Channel, State,
    setup::{SetupError, is_username, made_up_token},
};
use crate::{object_id::ObjectId, refusal::Refusal, seed::UserChange};

impl State {
    /// The profile of a user, by the name in a path.
    pub(crate) fn profile(&self, username: &str) -> Result<Value, Refusal> {
        let user = self.user_names.get(username).and_then(|id| self.users.get(id));
        let user = user.ok_or(Refusal::not_found("there is no such user"))?;
        Ok(self.user_json(user))
    }

    /// Changes a user, and tells the rooms that they are a member of when it shows.
    pub(crate) fn alter_user(&mut self, username: &str, change: &UserChange) -> Result<(), SetupError> {
        let unknown = || SetupError::UnknownUser(username.to_owned());
        let id = *self.user_names.get(username).ok_or_else(unknown)?;
        if let Some(new) = &change.username {
            if !is_username(new) {
                return Err(SetupError::BadUsername(new.clone()));
            }
            if self.user_names.get(new).is_some_and(|other| *other != id) {
                return Err(SetupError::NameTaken(new.clone()));
            }
            self.user_names.remove(username);
            self.user_names.insert(new.clone(), id);
        }
        let user = self.users.get_mut(&id).ok_or_else(unknown)?;
        user.silently_banned = change.silent_ban.unwrap_or(user.silently_banned);
        if change.new_tokens == Some(true) {
            self.renew_tokens(id);
        }
        let user = self.users.get_mut(&id).ok_or_else(unknown)?;
        let shown = change.username.is_some() || change.display_name.is_some() || change.removed.is_some();
        if shown {
            user.username = change.username.clone().unwrap_or_else(|| user.username.clone());
            let name = change.display_name.clone();
            user.display_name = name.unwrap_or_else(|| user.display_name.clone());
            user.removed = change.removed.unwrap_or(user.removed);
            user.v += 1;
            self.publish_profile(id);
        }
        Ok(())
    }

    fn renew_tokens(&mut self, user: ObjectId) {
        let (ended, others) = std::mem::take(&mut self.tokens)
            .into_iter()
            .partition::<HashMap<_, _>, _>(|(_, caller)| caller.user == user);
        self.tokens = others;
        for caller in ended.into_values() {
            self.tokens.insert(made_up_token(), caller);
        }
        self.realtime.forget_user(user);
    }

    /// Deletes the row of a user: memberships and tokens go, and their messages have no author any more.
    pub(crate) fn erase_user(&mut self, username: &str) -> Result<(), SetupError> {
        let unknown = || SetupError::UnknownUser(username.to_owned());
        let id = self.user_names.remove(username).ok_or_else(unknown)?;
        let rooms: Vec<_> = self.rooms.keys().copied().collect();
        for room in rooms {
            self.remove_member(room, id);
        }
        self.tokens.retain(|_, caller| caller.user != id);
        self.users.remove(&id);
        Ok(())
    }

    /// Whether what the caller posts is thrown away without a word.
    pub(super) fn is_silently_banned(&self, caller: &Caller) -> bool {
        self.users
            .get(&caller.user)
            .is_some_and(|user| user.silently_banned)
    }

    fn publish_profile(&mut self, user: ObjectId) {
        let rooms = self.rooms.values();
        let news: Vec<_> = rooms
            .filter(|room| room.members.contains(&user))
            .filter_map(|room| Some((room.id, self.member_json(room, user)?)))
            .collect();
        for (room, member) in news {
            self.publish_change(Channel::RoomUsers(room), "update", &member);
        }
    }
}
