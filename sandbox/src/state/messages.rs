//! Messages: created, edited and deleted by Gitter's rules (gitter-api 5.2 to 5.4 and 14).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Caller, Channel, Room, State, view::MessageForm, virtual_user::VirtualUser};
use crate::{
    markdown::{self, Issue, Mentioned},
    object_id::ObjectId,
    refusal::Refusal,
};

pub(crate) use self::list::{ListQuery, MessageSnapshot};

mod list;

/// The most UTF-16 units of a message.
const MAX_TEXT: usize = 4096;

/// A stored message.
pub(super) struct Message {
    pub(super) id: ObjectId,
    /// The account that posted it, also where a virtual user is shown instead.
    pub(super) author: ObjectId,
    pub(super) virtual_user: Option<VirtualUser>,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) urls: Vec<String>,
    pub(super) mentions: Vec<Mention>,
    pub(super) issues: Vec<Issue>,
    pub(super) status: Option<bool>,
    pub(super) sent: Timestamp,
    pub(super) edited_at: Option<Timestamp>,
    pub(super) parent: Parent,
    /// Replies; absent until the first.
    pub(super) thread_message_count: Option<u32>,
    /// Who has read it, its author aside.
    pub(super) readers: BTreeSet<ObjectId>,
    /// Saves, from 1 on.
    pub(super) v: u32,
}

/// What was given as `parentId`; Gitter tells null from nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    Absent,
    Null,
    Message(ObjectId),
}

/// Who a message mentions.
pub(super) enum Mention {
    /// `@name`, with the user if one is named exactly so.
    User {
        screen_name: String,
        user: Option<ObjectId>,
    },
    /// `@/all` by an admin of the room.
    Everyone,
}

/// The parts of a message that come from its text.
struct Rendering {
    html: String,
    urls: Vec<String>,
    mentions: Vec<Mention>,
    issues: Vec<Issue>,
}

impl State {
    /// Posts a message: `text`, `status`, `parentId` and `virtualUser` of the body, checked in Gitter's order.
    /// The parent's counter goes first, as there. What a silently banned account posts is answered as if it was
    /// stored, but for its `v`.
    pub(crate) fn create_message(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        room_id: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let room = self.writable_room(caller, room_id)?;
        let virtual_user = VirtualUser::from_body(body)?;
        if let Some(virtual_user) = &virtual_user {
            self.check_virtual_user(caller, room, virtual_user)?;
        }
        let text = text_of(body)
            .filter(|text| !text.is_empty())
            .ok_or(Refusal::bad_request("the text is missing"))?;
        check_length(&text)?;
        let parent = parent_of(room, body)?;

        let rendering = self.render(room, caller.user, &text);
        let room_id = room.id;
        let silently_banned = self.is_silently_banned(caller);
        if let Parent::Message(parent) = parent
            && !silently_banned
        {
            self.count_replies(room_id, parent, |count| count.saturating_add(1));
        }
        let message = Message {
            id: self.ids.next(now),
            author: caller.user,
            virtual_user,
            text,
            html: rendering.html,
            urls: rendering.urls,
            mentions: rendering.mentions,
            issues: rendering.issues,
            status: body.get("status").and_then(Value::as_bool),
            sent: now,
            edited_at: None,
            parent,
            thread_message_count: None,
            readers: BTreeSet::new(),
            v: 1,
        };
        if silently_banned {
            return Ok(self.message_json(&message, MessageForm::NeverStored));
        }
        let answer = self.message_json(&message, MessageForm::Answer);
        let news = self.message_json(&message, MessageForm::News);
        if let Some(room) = self.rooms.get_mut(&room_id) {
            room.messages.insert(message.id, message);
        }
        self.publish_message(room_id, "create", &news);
        Ok(answer)
    }

    /// Changes the text of a message; no text is an empty one.
    pub(crate) fn update_message(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        room_id: &str,
        message_id: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let room = self.writable_room(caller, room_id)?;
        let message = message_of(room, message_id)?;
        if message.author != caller.user {
            return Err(Refusal::forbidden("another account wrote the message"));
        }
        if let Some(virtual_user) = &message.virtual_user {
            self.check_virtual_user(caller, room, virtual_user)?;
        }
        if now.duration_since(message.sent) > self.rules.edit_window {
            return Err(Refusal::bad_request("the message is too old to be edited"));
        }
        let text = text_of(body).unwrap_or_default();
        check_length(&text)?;

        let rendering = self.render(room, caller.user, &text);
        let (room_id, message_id) = (room.id, message.id);
        self.save_message(room_id, message_id, |message| {
            message.text = text;
            message.html = rendering.html;
            message.urls = rendering.urls;
            message.mentions = rendering.mentions;
            message.issues = rendering.issues;
            message.edited_at = Some(now);
        })
        .ok_or(Refusal::not_found("there is no such message"))
    }

    /// Deletes a message, or leaves a tombstone where it has replies.
    pub(crate) fn delete_message(
        &mut self,
        caller: &Caller,
        room_id: &str,
        message_id: &str,
    ) -> Result<(), Refusal> {
        let room = self.writable_room(caller, room_id)?;
        let message = message_of(room, message_id)?;
        if message.author != caller.user && !room.admins.contains(&caller.user) {
            return Err(Refusal::forbidden("neither the author nor an admin of the room"));
        }
        let (room_id, message_id, parent) = (room.id, message.id, message.parent);
        if message.thread_message_count.is_some_and(|count| count > 0) {
            self.save_message(room_id, message_id, |message| {
                message.text.clear();
                message.html.clear();
            });
            return Ok(());
        }
        if let Some(room) = self.rooms.get_mut(&room_id) {
            room.messages.remove(&message_id);
        }
        self.publish_message(room_id, "remove", &json!({ "id": message_id }));
        if let Parent::Message(parent) = parent {
            self.count_replies(room_id, parent, |count| count.saturating_sub(1));
        }
        Ok(())
    }

    /// Whether the caller may speak as a virtual user in a room: the client must be approved for its type,
    /// and the room must take them.
    fn check_virtual_user(
        &self,
        caller: &Caller,
        room: &Room,
        virtual_user: &VirtualUser,
    ) -> Result<(), Refusal> {
        let kind = virtual_user.kind.as_str();
        if self.approved_client_keys.get(&caller.client).map(String::as_str) != Some(kind) {
            return Err(Refusal::forbidden(
                "the client is not approved for this type of virtual user",
            ));
        }
        room.check_virtual_user(kind, &virtual_user.external_id, self.faults.ban_bug())
    }

    fn render(&self, room: &Room, author: ObjectId, text: &str) -> Rendering {
        let rendered = markdown::render(text, |url| self.picture_url(url));
        let mentions = rendered
            .mentions
            .into_iter()
            .filter_map(|mentioned| match mentioned {
                Mentioned::User(screen_name) => {
                    let user = self.user_names.get(&screen_name).copied();
                    Some(Mention::User { screen_name, user })
                }
                Mentioned::Group(name) => {
                    (name == "all" && room.admins.contains(&author)).then_some(Mention::Everyone)
                }
            });
        Rendering {
            mentions: mentions.collect(),
            html: rendered.html,
            urls: rendered.urls,
            issues: rendered.issues,
        }
    }

    fn count_replies(&mut self, room: ObjectId, parent: ObjectId, change: impl Fn(u32) -> u32) {
        self.save_message(room, parent, |parent| {
            parent.thread_message_count = Some(change(parent.thread_message_count.unwrap_or(0)));
        });
    }

    /// Changes a stored message, counts the save, tells everyone, and gives it as an answer; `None` where it is
    /// not stored.
    fn save_message(
        &mut self,
        room: ObjectId,
        message: ObjectId,
        change: impl FnOnce(&mut Message),
    ) -> Option<Value> {
        let stored = self.rooms.get_mut(&room)?.messages.get_mut(&message)?;
        change(stored);
        stored.v += 1;
        let stored = self.rooms.get(&room)?.messages.get(&message)?;
        let answer = self.message_json(stored, MessageForm::Answer);
        let news = self.message_json(stored, MessageForm::News);
        self.publish_message(room, "update", &news);
        Some(answer)
    }

    fn publish_message(&mut self, room: ObjectId, operation: &str, model: &Value) {
        self.publish_change(Channel::RoomMessages(room), operation, model);
    }
}

/// A message by the id in a path; Gitter stumbles over one that is no object id.
pub(super) fn message_of<'room>(room: &'room Room, message_id: &str) -> Result<&'room Message, Refusal> {
    let message_id: ObjectId = message_id
        .parse()
        .map_err(|_| Refusal::stumbled("the message id is not an object id"))?;
    room.messages
        .get(&message_id)
        .ok_or(Refusal::not_found("there is no such message"))
}

/// The text of a body; a number is one too.
fn text_of(body: &Value) -> Option<String> {
    match body.get("text")? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn check_length(text: &str) -> Result<(), Refusal> {
    if text.encode_utf16().count() > MAX_TEXT {
        return Err(Refusal::bad_request("the text is too long"));
    }
    Ok(())
}

fn parent_of(room: &Room, body: &Value) -> Result<Parent, Refusal> {
    let parent = match body.get("parentId") {
        None => return Ok(Parent::Absent),
        Some(Value::Null) => return Ok(Parent::Null),
        Some(Value::String(text)) if text.is_empty() => {
            return Err(Refusal::stumbled("the parent id is empty"));
        }
        Some(value) => value,
    };
    let parent = parent
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or(Refusal::bad_request("the parent id is not an object id"))?;
    if !room.messages.contains_key(&parent) {
        return Err(Refusal::bad_request("the parent is not in the room"));
    }
    Ok(Parent::Message(parent))
}

#[cfg(test)]
mod tests;
