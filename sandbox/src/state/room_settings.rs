//! Changes of rooms by their admins, and by the sandbox's controls where Gitter has no API for it (gitter-api
//! 4.3, 4.5 and 7.4).

use serde_json::{Value, json};

use super::{
    Caller, Channel, State,
    room::RoomKind,
    setup::{SetupError, is_room_uri},
    view::RoomForm,
};
use crate::{object_id::ObjectId, refusal::Refusal, seed::RoomChange};

/// The most UTF-16 units of a topic.
const MAX_TOPIC: usize = 4096;
/// The most bytes of all tags, as they are given.
const MAX_TAGS: usize = 200;
/// The most characters of one tag.
const MAX_TAG: usize = 20;

impl State {
    /// Changes `topic`, `tags`, `noindex` and `providers`, whichever are in the body. A new topic is told as a
    /// patch without a save; everything else as an update with one.
    pub(crate) fn change_room(
        &mut self,
        caller: &Caller,
        room_id: &str,
        body: &Value,
    ) -> Result<Option<Value>, Refusal> {
        let room_id = self.administered_room(caller, room_id)?.id;
        let topic = body.get("topic").and_then(Value::as_str);
        if topic.is_some_and(|topic| topic.encode_utf16().count() > MAX_TOPIC) {
            return Err(Refusal::bad_request("the topic is too long"));
        }
        let tags = body
            .get("tags")
            .and_then(Value::as_str)
            .map(tags_of)
            .transpose()?;
        let noindex = body.get("noindex").and_then(Value::as_bool);
        let providers = body.get("providers").and_then(Value::as_array);
        if let Some(topic) = topic {
            if let Some(room) = self.rooms.get_mut(&room_id) {
                topic.clone_into(&mut room.topic);
            }
            let model = json!({ "id": room_id, "topic": topic });
            self.publish_change(Channel::Room(room_id), "patch", &model);
        }
        if tags.is_some() || noindex.is_some() || providers.is_some() {
            if let Some(room) = self.rooms.get_mut(&room_id) {
                room.tags = tags.unwrap_or_else(|| std::mem::take(&mut room.tags));
                room.noindex = noindex.unwrap_or(room.noindex);
                if let Some(providers) = providers {
                    let names = providers.iter().filter_map(Value::as_str);
                    room.providers = names.map(str::to_owned).collect();
                }
            }
            self.save_room(room_id);
        }
        let room = self.rooms.get(&room_id);
        Ok(room.and_then(|room| self.room_json(room, caller.user, RoomForm::Resolved)))
    }

    /// Deletes a room with everything in it. Members are unsubscribed first and so do not hear of the room's
    /// end but on their own channel; of the messages nobody hears.
    pub(crate) fn delete_room(&mut self, caller: &Caller, room_id: &str) -> Result<(), Refusal> {
        let room = self.administered_room(caller, room_id)?;
        let (room_id, members) = (room.id, room.members.clone());
        for member in members {
            self.remove_member(room_id, member);
        }
        self.rooms.remove(&room_id);
        self.room_uris.retain(|_, room| *room != room_id);
        self.old_room_uris.retain(|_, room| *room != room_id);
        self.publish_change(Channel::Room(room_id), "remove", &json!({ "id": room_id }));
        Ok(())
    }

    /// Renames a room or changes whether it is public. A rename keeps the id and is announced; what becomes of
    /// the old URI is for `resolve_room`. The other is announced to nobody (gitter-api 7.4).
    pub(crate) fn alter_room(&mut self, room_id: ObjectId, change: &RoomChange) -> Result<(), SetupError> {
        let room = self.rooms.get(&room_id);
        let room = room.ok_or(SetupError::UnknownRoom(room_id))?;
        let admins = change.admins.as_ref();
        let admins = admins.map(|admins| self.users_named(admins)).transpose()?;
        if let Some(uri) = &change.uri {
            let old = room.uri().map(str::to_lowercase);
            let new = uri.to_lowercase();
            if !is_room_uri(uri) {
                return Err(SetupError::BadUri(uri.clone()));
            }
            if self.room_uris.get(&new).is_some_and(|other| *other != room_id) {
                return Err(SetupError::NameTaken(uri.clone()));
            }
            if let Some(old) = old {
                self.room_uris.remove(&old);
                self.old_room_uris.insert(old, room_id);
            }
            self.old_room_uris.remove(&new);
            self.room_uris.insert(new, room_id);
        }
        if let Some(room) = self.rooms.get_mut(&room_id)
            && let RoomKind::Group { uri, public, .. } = &mut room.kind
        {
            *public = change.public.unwrap_or(*public);
            if let Some(new) = &change.uri {
                uri.clone_from(new);
            }
        }
        if let (Some(room), Some(admins)) = (self.rooms.get_mut(&room_id), admins) {
            room.admins = admins;
        }
        if change.uri.is_some() {
            self.save_room(room_id);
        }
        Ok(())
    }

    /// Counts a save of a room, and tells of it as an update: without tags and permissions, which depend on who
    /// reads.
    pub(super) fn save_room(&mut self, room_id: ObjectId) {
        let Some(room) = self.rooms.get_mut(&room_id) else {
            return;
        };
        room.v = Some(room.v.unwrap_or(0) + 1);
        let Some(room) = self.rooms.get(&room_id) else {
            return;
        };
        if let Some(model) = self.plain_room_json(room) {
            self.publish_change(Channel::Room(room_id), "update", &model);
        }
    }
}

/// Tags from the comma-separated text that they are given as.
fn tags_of(text: &str) -> Result<Vec<String>, Refusal> {
    let tags: Vec<_> = text
        .split(',')
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect();
    let too_long = |tag: &String| tag.chars().count() > MAX_TAG || tag.contains(':');
    if text.len() > MAX_TAGS || tags.iter().any(too_long) {
        return Err(Refusal::bad_request("the tags are too long or use a colon"));
    }
    Ok(tags)
}
