//! What the bot says in a Matrix room by itself: one notice at a time, under a transaction id made from its key, so that
//! a repeat is not said twice. It decides nothing about what is said.

use ruma::{RoomId, UserId};
use serde_json::{Value, json};

use super::{Bridge, BridgeError};
use crate::{
    ids::transaction_id,
    matrix::{MatrixError, SendEvent, redacted_by},
    translate::to_gitter::ANNOUNCEMENT_KEY,
};

/// Says one thing in a room.
pub(super) async fn say(bridge: &Bridge, room: &RoomId, key: &str, text: &str) -> Result<(), BridgeError> {
    Ok(send(bridge, room, &["say", key], &notice(text)).await?)
}

/// Says one thing in a linked room that is for people on both sides: it goes to Gitter like a message.
pub(super) async fn announce(
    bridge: &Bridge,
    room: &RoomId,
    key: &str,
    text: &str,
) -> Result<(), BridgeError> {
    let mut content = notice(text);
    if let Some(content) = content.as_object_mut() {
        content.insert(ANNOUNCEMENT_KEY.to_owned(), Value::Bool(true));
    }
    Ok(send(bridge, room, &["announce", key], &content).await?)
}

/// Answers what somebody said in an event: as a reply, and in its thread if it is in one.
pub(super) async fn answer(
    bridge: &Bridge,
    room: &RoomId,
    key: &str,
    text: &str,
    event: &Value,
) -> Result<(), BridgeError> {
    let event_id = event.get("event_id").and_then(Value::as_str).unwrap_or_default();
    let place = Place::of(event_id, "m.room.message", event);
    let form = if place.is_in_thread() {
        Form::Thread
    } else {
        Form::Reply
    };
    let mut content = notice(text);
    if let Some(content) = content.as_object_mut() {
        content.insert("m.relates_to".to_owned(), place.relation(form));
    }
    Ok(send(bridge, room, &["answer", key], &content).await?)
}

/// A notice that mentions nobody.
fn notice(text: &str) -> Value {
    json!({ "msgtype": "m.notice", "body": text, "m.mentions": {} })
}

/// Sends a message as the bot, once for a room and a key.
pub(super) async fn send(
    bridge: &Bridge,
    room: &RoomId,
    key: &[&str],
    content: &Value,
) -> Result<(), MatrixError> {
    let transaction_id = transaction_id(&[key, &[room.as_str()]].concat());
    let event = SendEvent {
        room,
        sender: bridge.matrix.bot(),
        device: None,
        transaction_id: &transaction_id,
        event_type: "m.room.message",
        content,
        timestamp: None,
    };
    bridge.matrix.send(&event).await.map(drop)
}

/// Where in the conversation a notice belongs.
#[derive(Debug)]
pub(super) struct Place {
    /// What its thread hangs on.
    root: String,
    /// What it answers.
    answers: String,
}

/// How a notice hangs on what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In a thread.
    Thread,
    /// As a plain reply.
    Reply,
}

impl Place {
    /// The place of what is to be said about an event.
    pub(super) fn of(event_id: &str, operation: &str, event: &Value) -> Self {
        let relation = event.pointer("/content/m.relates_to");
        let kind = relation.and_then(|relation| relation.get("rel_type")?.as_str());
        let related = relation.and_then(|relation| relation.get("event_id")?.as_str());
        let redacted = redacted_by(operation, event).next();
        // An edit, a reaction and a redaction are not shown themselves.
        let (root, answers) = match (kind, related, redacted) {
            (Some("m.thread"), Some(root), _) => (root, event_id),
            (_, Some(target), _) | (_, _, Some(target)) => (target, target),
            _ => (event_id, event_id),
        };
        Self {
            root: root.to_owned(),
            answers: answers.to_owned(),
        }
    }

    /// Whether there is a thread already.
    fn is_in_thread(&self) -> bool {
        self.root != self.answers
    }

    /// The relation of a notice there.
    fn relation(&self, form: Form) -> Value {
        let reply = json!({ "event_id": self.answers });
        match form {
            Form::Reply => json!({ "m.in_reply_to": reply }),
            Form::Thread => json!({
                "rel_type": "m.thread",
                "event_id": self.root,
                "is_falling_back": true,
                "m.in_reply_to": reply,
            }),
        }
    }

    /// The content of a notice there, for somebody who is to see it.
    pub(super) fn content(&self, text: &str, user: &UserId, form: Form) -> Value {
        json!({
            "msgtype": "m.notice",
            "body": text,
            "m.mentions": { "user_ids": [user] },
            "m.relates_to": self.relation(form),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_goes_where_the_message_is() {
        let thread =
            json!({ "content": { "m.relates_to": { "rel_type": "m.thread", "event_id": "$root" } } });
        let edit =
            json!({ "content": { "m.relates_to": { "rel_type": "m.replace", "event_id": "$first" } } });
        let reply = json!({ "content": { "m.relates_to": { "m.in_reply_to": { "event_id": "$other" } } } });
        for (operation, event, root, answers) in [
            ("m.room.message", json!({}), "$said", "$said"),
            ("m.room.message", thread, "$root", "$said"),
            ("m.room.message", edit, "$first", "$first"),
            ("m.room.message", reply, "$said", "$said"),
            (
                "m.room.redaction",
                json!({ "redacts": "$gone" }),
                "$gone",
                "$gone",
            ),
        ] {
            let place = Place::of("$said", operation, &event);
            assert_eq!(
                (place.root.as_str(), place.answers.as_str()),
                (root, answers),
                "{event}"
            );
        }
    }
}
