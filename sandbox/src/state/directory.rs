//! What the web page begins with: the rooms, and the people one can be. Nothing is changed here.

use serde_json::{Value, json};

use super::{Room, RoomKind, State, User};

impl State {
    /// `{"rooms": [{id, uri, topic, public, avatarUrl}], "people": [a user object with its token]}`, each in the
    /// order of their ids.
    ///
    /// An account is among the people if it has a token of a client that may not use virtual users: what is
    /// written in the page is written by a person.
    pub(crate) fn directory(&self) -> Value {
        let rooms = self.rooms.values().filter_map(|room| self.listed_room(room));
        let people = self.users.values().filter_map(|user| self.listed_person(user));
        json!({ "rooms": rooms.collect::<Vec<_>>(), "people": people.collect::<Vec<_>>() })
    }

    fn listed_room(&self, room: &Room) -> Option<Value> {
        let RoomKind::Group { group, uri, public } = &room.kind else {
            return None;
        };
        Some(json!({
            "id": room.id,
            "uri": uri,
            "topic": room.topic,
            "public": public,
            "avatarUrl": self.group_avatar_url(self.groups.get(group)?),
        }))
    }

    fn listed_person(&self, user: &User) -> Option<Value> {
        if user.removed {
            return None;
        }
        let tokens = self.tokens_of(user.id).into_iter();
        let mut personal = tokens.filter(|token| !self.approved_client_keys.contains_key(&token.client));
        let mut person = self.user_json(user);
        person
            .as_object_mut()?
            .insert("token".to_owned(), json!(personal.next()?.token));
        Some(person)
    }
}
