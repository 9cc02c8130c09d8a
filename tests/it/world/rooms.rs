//! Linked rooms: talking in them, and comparing what was said with what arrived.

use std::fmt::Write as _;

use gitter_sandbox::{NewRoom, ObjectId, StoredMessage};
use ruma::{EventId, OwnedEventId, OwnedRoomId, UserId};
use serde_json::{Value, json};
use xtask::said::ghost_username;

use super::{World, admin::answer, compared, until};
use crate::homeserver::RoomOptions;

/// A Gitter room and a Matrix room. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) uri: String,
    pub(crate) gitter: ObjectId,
    pub(crate) matrix: OwnedRoomId,
}

impl World {
    /// Makes a room on each side and links them.
    pub(crate) async fn link(&mut self, name: &str) -> Room {
        let room = self.make_rooms(name);
        self.link_rooms(room.clone()).await;
        room
    }

    /// Links a new room of which these accounts are admins on Gitter.
    pub(crate) async fn link_with_admins(&mut self, name: &str, admins: &[&str]) -> Room {
        let mut room = self.make_rooms(&format!("{name}-without"));
        room.uri = format!("tidepool/{name}");
        let new = NewRoom {
            admins: admins.iter().map(ToString::to_string).collect(),
            ..NewRoom::public(&room.uri)
        };
        room.gitter = self.gitter.add_room(&new).unwrap();
        self.link_rooms(room.clone()).await;
        room
    }

    /// Links rooms that are there already.
    pub(crate) async fn link_rooms(&mut self, room: Room) {
        let (status, answer) = self.admin().link(&room).await;
        assert_eq!(status, 201, "{answer}");
        self.rooms.push(room);
    }

    /// Makes a public room on each side.
    pub(crate) fn make_rooms(&self, name: &str) -> Room {
        let uri = format!("tidepool/{name}");
        Room {
            gitter: self.gitter.add_room(&NewRoom::public(&uri)).unwrap(),
            uri,
            matrix: self.homeserver.make_room(&self.ana, &RoomOptions::default()),
        }
    }

    /// Sends a text as ana, on Matrix.
    pub(crate) fn ana_says(&self, room: &Room, text: &str) -> OwnedEventId {
        self.homeserver.send_text(&room.matrix, &self.ana, text)
    }

    /// Sends a message as ana, on Matrix, with this content.
    pub(crate) fn ana_sends(&self, room: &Room, content: Value) -> OwnedEventId {
        self.homeserver
            .send(&room.matrix, &self.ana, "m.room.message", content)
    }

    /// Edits a message of ana's.
    pub(crate) fn ana_edits(&self, room: &Room, event: &EventId, text: &str) -> OwnedEventId {
        self.ana_sends(
            room,
            json!({
                "msgtype": "m.text",
                "body": format!("* {text}"),
                "m.new_content": { "msgtype": "m.text", "body": text },
                "m.relates_to": { "rel_type": "m.replace", "event_id": event },
            }),
        )
    }

    /// Posts a text as wren, on Gitter.
    pub(crate) fn wren_says(&self, room: &Room, text: &str) -> ObjectId {
        self.gitter.post("wren", room.gitter, text).unwrap()
    }

    /// Posts a message as somebody on Gitter, with this body (gitter-api 5.2).
    pub(crate) async fn posts_on_gitter(&self, username: &str, room: &Room, body: &Value) {
        let users = self.gitter.state().users;
        let user = users.into_iter().find(|user| user.username == username).unwrap();
        let url = format!("{}/rooms/{}/chatMessages", self.gitter_api(), room.gitter);
        let request = reqwest::Client::new()
            .post(url)
            .bearer_auth(&user.tokens[0].token)
            .json(body);
        let (status, message) = answer(request).await.unwrap();
        assert_eq!(status, 200, "{message}");
    }

    /// Says so many things on each side; the texts are told apart by `about`.
    pub(crate) fn both_say(&self, room: &Room, about: &str, count: usize) {
        for number in 0..count {
            self.ana_says(room, &format!("{about} {number} of ana"));
            self.wren_says(room, &format!("{about} {number} of wren"));
        }
    }

    /// Waits for the Matrix person's message with this text in the Gitter room.
    pub(crate) async fn arrives_on_gitter(&self, room: &Room, text: &str) -> StoredMessage {
        until(&format!("{text:?} on Gitter"), async || {
            let mut messages = self.gitter.messages(room.gitter);
            messages.retain(|message| message.text == text && is_bridged(message));
            Ok(messages.pop())
        })
        .await
    }

    /// Waits for the ghost's message with this text in the Matrix room.
    pub(crate) async fn arrives_on_matrix(&self, room: &Room, text: &str) -> Value {
        until(&format!("{text:?} on Matrix"), async || {
            let mut events = self.messages_on_matrix(room);
            events.retain(|event| event["content"]["body"] == text && ghost(event).is_some());
            Ok(events.pop())
        })
        .await
    }

    /// All edits of the Matrix room, by whomever.
    pub(crate) fn edits_on_matrix(&self, room: &Room) -> Vec<Value> {
        let mut events = self.homeserver.events(&room.matrix);
        events.retain(|event| event["content"]["m.relates_to"]["rel_type"] == "m.replace");
        events
    }

    /// Waits for an edit with this body in the Matrix room.
    pub(crate) async fn arrives_as_edit(&self, room: &Room, body: &str) -> Value {
        until(&format!("the edit {body:?} on Matrix"), async || {
            let mut edits = self.edits_on_matrix(room);
            edits.retain(|event| event["content"]["body"] == body);
            Ok(edits.pop())
        })
        .await
    }

    /// Whether an event is redacted, as clients see it.
    pub(crate) fn is_redacted(&self, room: &Room, id: &EventId) -> bool {
        let events = self.homeserver.events(&room.matrix);
        let event = events
            .iter()
            .find(|event| event["event_id"] == id.as_str())
            .unwrap();
        event["unsigned"]["redacted_because"].is_object()
    }

    /// All messages of the Matrix room, by whomever; edits are none.
    pub(crate) fn messages_on_matrix(&self, room: &Room) -> Vec<Value> {
        let mut events = self.homeserver.events(&room.matrix);
        events.retain(|event| {
            event["type"] == "m.room.message" && event["content"]["m.relates_to"]["rel_type"] != "m.replace"
        });
        events
    }

    /// How the linked rooms differ from what they have to be; empty if they do not.
    pub(super) fn differences(&self) -> String {
        self.rooms.iter().map(|room| self.differences_in(room)).collect()
    }

    /// Whether the bridge itself tells somebody something, which is for Matrix alone.
    fn is_notice_of_bot(&self, event: &Value) -> bool {
        let bot = format!("@{}:localhost", self.registration.sender_localpart);
        event["sender"] == bot && event["content"]["msgtype"] == "m.notice"
    }

    fn differences_in(&self, room: &Room) -> String {
        let mut differences = String::new();
        let mut on_matrix = self.messages_on_matrix(room);
        on_matrix.retain(|event| !self.is_notice_of_bot(event));
        let on_gitter = self.gitter.messages(room.gitter);
        let (from_gitter, of_matrix): (Vec<_>, Vec<_>) = on_matrix
            .iter()
            .map(|event| (ghost(event), event))
            .partition(|(ghost, _)| ghost.is_some());
        let (from_matrix, of_gitter): (Vec<_>, Vec<_>) =
            on_gitter.iter().partition(|message| is_bridged(message));

        let of_matrix: Vec<String> = of_matrix.iter().map(|(_, event)| line_of_event(event)).collect();
        let from_matrix: Vec<String> = from_matrix
            .iter()
            .map(|message| line_of_bridged(message))
            .collect();
        if of_matrix != from_matrix {
            let shown = compared(&of_matrix, &from_matrix);
            let _ = write!(differences, "to Gitter, in {}:\n{shown}", room.uri);
        }
        let of_gitter: Vec<String> = of_gitter.iter().map(|message| line_of_native(message)).collect();
        let from_gitter: Vec<String> = from_gitter
            .iter()
            .map(|(ghost, event)| format!("{}: {}", ghost.as_deref().unwrap_or_default(), body(event)))
            .collect();
        if of_gitter != from_gitter {
            let shown = compared(&of_gitter, &from_gitter);
            let _ = write!(differences, "to Matrix, in {}:\n{shown}", room.uri);
        }
        differences
    }
}

/// The id of an event as clients see it.
pub(crate) fn id_of(event: &Value) -> OwnedEventId {
    event["event_id"].as_str().unwrap().try_into().unwrap()
}

/// Whether the bridge posted a message of Gitter.
fn is_bridged(message: &StoredMessage) -> bool {
    message.author == "bridge_bot"
}

/// The Gitter user name of the ghost that sent an event, if one did.
fn ghost(event: &Value) -> Option<String> {
    let sender = UserId::parse(event["sender"].as_str()?).ok()?;
    ghost_username(sender.localpart()).map(str::to_owned)
}

fn body(event: &Value) -> &str {
    event["content"]["body"].as_str().unwrap_or_default()
}

fn line_of_event(event: &Value) -> String {
    let sender = event["sender"].as_str().unwrap_or_default();
    format!("{}: {}", sender.trim_start_matches('@'), body(event))
}

fn line_of_bridged(message: &StoredMessage) -> String {
    let person = message.virtual_user.as_ref();
    let person = person.map_or("nobody", |user| user.external_id.as_str());
    format!("{person}: {}", message.text)
}

/// The text alone: Gitter's web client puts the author's mention before a `/me` line (gitter-api 5.9).
fn line_of_native(message: &StoredMessage) -> String {
    let mention = format!("@{} ", message.author);
    let text = match message.text.strip_prefix(&mention) {
        Some(rest) if message.status => rest,
        _ => &message.text,
    };
    format!("{}: {text}", message.author)
}
