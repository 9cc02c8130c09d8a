//! Adding users, groups and rooms: from the seed, the control endpoints and the library.
//!
//! Everything is checked before anything is added.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Caller, Group, Room, RoomKind, State, User};
use crate::{
    object_id::ObjectId,
    seed::{NewGroup, NewRoom, NewToken, NewUser, Seed},
};

/// Why something cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A user name is empty or would break out of a URL.
    #[error("{0:?} is not a user name: use letters, digits, `_`, `-`, `.` and `~`")]
    BadUsername(String),
    /// A group's or room's URI has the wrong form.
    #[error("{0:?} is not a URI: a group is one name, a room `<group>/<room>`, without spaces")]
    BadUri(String),
    /// A user name or URI is already in use; names that differ in case only are the same.
    #[error("{0:?} exists already; choose another name")]
    NameTaken(String),
    /// An id is already in use.
    #[error("the id {0} is in use already; leave it out and one is made up")]
    IdTaken(ObjectId),
    /// Members and admins must exist first.
    #[error("there is no user {0:?}; add the user before the room")]
    UnknownUser(String),
    /// No room has this id.
    #[error("there is no room {0}; `GET /sandbox/state` lists them")]
    UnknownRoom(ObjectId),
    /// The token is someone's already. It is not shown.
    #[error("a token given for {0:?} is in use already; leave it out and one is made up")]
    TokenTaken(String),
    /// The seed has no token for a bridge.
    #[error("no user of the seed has a token with `virtual_user_type`; a bridge needs one")]
    NoBridgeToken,
}

impl State {
    /// Adds everything of a seed, and gives the token that a bridge is to use.
    pub(crate) fn plant(&mut self, now: Timestamp, seed: &Seed) -> Result<String, SetupError> {
        let mut bridge_token = None;
        for user in &seed.users {
            let tokens = self.add_user(now, user)?.1;
            let approved = user
                .tokens
                .iter()
                .zip(tokens)
                .find(|(new, _)| new.virtual_user_type.is_some());
            bridge_token = bridge_token.or(approved.map(|(_, token)| token));
        }
        for group in &seed.groups {
            self.add_group(now, group)?;
        }
        for room in &seed.rooms {
            self.add_room(now, room)?;
        }
        bridge_token.ok_or(SetupError::NoBridgeToken)
    }

    /// Adds a user, and gives their id and tokens, in the order given.
    pub(crate) fn add_user(
        &mut self,
        now: Timestamp,
        new: &NewUser,
    ) -> Result<(ObjectId, Vec<String>), SetupError> {
        if !is_username(&new.username) {
            return Err(SetupError::BadUsername(new.username.clone()));
        }
        if self.user_names.contains_key(&new.username) {
            return Err(SetupError::NameTaken(new.username.clone()));
        }
        let tokens = self.tokens_for(new)?;
        let id = self.free_id(now, new.id)?;
        for (new_token, token) in new.tokens.iter().zip(&tokens) {
            let client = new_token.client.clone();
            if let Some(kind) = &new_token.virtual_user_type {
                self.approved_client_keys.insert(client.clone(), kind.clone());
            }
            self.tokens.insert(token.clone(), Caller { user: id, client });
        }
        let user = User {
            id,
            username: new.username.clone(),
            display_name: new.display_name.clone().unwrap_or_else(|| new.username.clone()),
            removed: false,
            silently_banned: false,
            v: 1,
        };
        self.user_names.insert(user.username.clone(), id);
        self.users.insert(id, user);
        Ok((id, tokens))
    }

    /// Adds a group.
    pub(crate) fn add_group(&mut self, now: Timestamp, new: &NewGroup) -> Result<ObjectId, SetupError> {
        if !is_uri_part(&new.uri) {
            return Err(SetupError::BadUri(new.uri.clone()));
        }
        if self.group_at(&new.uri).is_some() {
            return Err(SetupError::NameTaken(new.uri.clone()));
        }
        let id = self.free_id(now, new.id)?;
        let group = Group {
            id,
            uri: new.uri.clone(),
            name: new.name.clone().unwrap_or_else(|| new.uri.clone()),
        };
        self.groups.insert(id, group);
        Ok(id)
    }

    /// Adds a room, and its group if that does not exist yet.
    pub(crate) fn add_room(&mut self, now: Timestamp, new: &NewRoom) -> Result<ObjectId, SetupError> {
        let (group_uri, _) = new
            .uri
            .split_once('/')
            .filter(|(group, part)| is_uri_part(group) && is_uri_part(part))
            .ok_or(SetupError::BadUri(new.uri.clone()))?;
        let lower_uri = new.uri.to_lowercase();
        if self.room_uris.contains_key(&lower_uri) {
            return Err(SetupError::NameTaken(new.uri.clone()));
        }
        let members = self.users_named(&new.members)?;
        let admins = self.users_named(&new.admins)?;
        let id = self.free_id(now, new.id)?;
        let group = match self.group_at(group_uri) {
            Some(group) => group,
            None => self.add_group(
                now,
                &NewGroup {
                    id: None,
                    uri: group_uri.to_owned(),
                    name: None,
                },
            )?,
        };
        let kind = RoomKind::Group {
            group,
            uri: new.uri.clone(),
            public: new.public,
        };
        let room = Room {
            topic: new.topic.clone(),
            members,
            admins,
            providers: new.providers.clone(),
            ..Room::empty(id, kind)
        };
        self.rooms.insert(id, room);
        self.old_room_uris.remove(&lower_uri);
        self.room_uris.insert(lower_uri, id);
        self.publish_new_room(id);
        Ok(id)
    }

    /// The tokens for a new user, made up where not given.
    fn tokens_for(&self, new: &NewUser) -> Result<Vec<String>, SetupError> {
        let mut tokens: Vec<String> = Vec::new();
        for NewToken { token, .. } in &new.tokens {
            let token = token.clone().unwrap_or_else(made_up_token);
            if self.tokens.contains_key(&token) || tokens.contains(&token) {
                return Err(SetupError::TokenTaken(new.username.clone()));
            }
            tokens.push(token);
        }
        Ok(tokens)
    }

    fn free_id(&mut self, now: Timestamp, wanted: Option<ObjectId>) -> Result<ObjectId, SetupError> {
        let Some(id) = wanted else {
            return Ok(self.ids.next(now));
        };
        let taken =
            self.users.contains_key(&id) || self.groups.contains_key(&id) || self.rooms.contains_key(&id);
        if taken {
            Err(SetupError::IdTaken(id))
        } else {
            Ok(id)
        }
    }

    pub(super) fn users_named(&self, names: &[String]) -> Result<BTreeSet<ObjectId>, SetupError> {
        names
            .iter()
            .map(|name| {
                let user = self.user_names.get(name).copied();
                user.ok_or_else(|| SetupError::UnknownUser(name.clone()))
            })
            .collect()
    }

    /// The rooms of a group.
    pub(super) fn rooms_of(&self, group: &Group) -> impl Iterator<Item = &Room> {
        let id = group.id;
        self.rooms
            .values()
            .filter(move |room| matches!(room.kind, RoomKind::Group { group, .. } if group == id))
    }

    fn group_at(&self, uri: &str) -> Option<ObjectId> {
        let lower_uri = uri.to_lowercase();
        let group = self
            .groups
            .values()
            .find(|group| group.uri.to_lowercase() == lower_uri)?;
        Some(group.id)
    }
}

/// Whether the text can be a user name: not empty, and nothing in it that breaks out of a URL.
pub(super) fn is_username(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.~".contains(&byte);
    !text.is_empty() && text.bytes().all(safe)
}

/// Whether the text can be the URI of a room: `<group>/<room>`.
pub(super) fn is_room_uri(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(group, part)| is_uri_part(group) && is_uri_part(part))
}

/// Whether the text can be one part of a URI: the characters of gitter-api 4.5, but no limit of length and no
/// reserved words.
fn is_uri_part(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|character| character.is_alphanumeric() || "_-.".contains(character))
}

/// A token like Gitter's: 40 hexadecimal digits.
pub(super) fn made_up_token() -> String {
    let bytes: [u8; 20] = rand::random();
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
