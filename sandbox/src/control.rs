//! The sandbox's own controls, for tests and demos: add users and rooms, act as a person, look at what is
//! stored, ask for faults. The library and the HTTP endpoints below `/sandbox` share them.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    faults::{Fault, Faults},
    object_id::ObjectId,
    refusal::Refusal,
    seed::{NewRoom, NewUser, RoomChange, UserChange},
    server::Server,
    state::{Caller, Charged, File, SetupError, StateReport, StoredMessage, TokenReport, UserReport},
};

pub(crate) mod http;

/// Controls a running sandbox.
#[derive(Clone)]
pub struct Control {
    server: Arc<Server>,
}

/// Why a person could not do something.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// There is no such person.
    #[error("there is no user {0:?} in the sandbox; add them first")]
    NoSuchUser(String),
    /// Gitter refused, with this HTTP status.
    #[error("the sandbox refused with {status}: {reason}")]
    Refused {
        /// The HTTP status that a client would have got.
        status: u16,
        /// Which rule refused.
        reason: &'static str,
    },
    /// The sandbox's own answer had no message in it.
    #[error("the sandbox answered without a message; this is a bug in it")]
    NoMessage,
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    /// The id of the message that shows it.
    pub id: ObjectId,
    /// Where the file is.
    pub url: String,
}

impl From<Refusal> for ActError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused {
            status: refusal.status.as_u16(),
            reason: refusal.reason,
        }
    }
}

impl Control {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self { server }
    }

    /// Adds a user; the tokens are in the order given.
    pub fn add_user(&self, user: &NewUser) -> Result<UserReport, SetupError> {
        let (id, tokens) = self.server.lock().add_user(self.server.now(), user)?;
        let tokens = user.tokens.iter().zip(tokens).map(|(new, token)| TokenReport {
            client: new.client.clone(),
            token,
        });
        Ok(UserReport {
            id,
            username: user.username.clone(),
            display_name: user.display_name.clone().unwrap_or_else(|| user.username.clone()),
            tokens: tokens.collect(),
        })
    }

    /// Adds a room, and its group if that does not exist yet. Gives the room's id.
    pub fn add_room(&self, room: &NewRoom) -> Result<ObjectId, SetupError> {
        self.server.lock().add_room(self.server.now(), room)
    }

    /// Changes a user.
    pub fn alter_user(&self, username: &str, change: &UserChange) -> Result<(), SetupError> {
        self.server.lock().alter_user(username, change)
    }

    /// Deletes the row of a user, so that their messages have no author any more.
    pub fn erase_user(&self, username: &str) -> Result<(), SetupError> {
        self.server.lock().erase_user(username)
    }

    /// Changes a room.
    pub fn alter_room(&self, room: ObjectId, change: &RoomChange) -> Result<(), SetupError> {
        self.server.lock().alter_room(room, change)
    }

    /// The id of a room by its URI, in any case.
    pub fn room_id(&self, uri: &str) -> Option<ObjectId> {
        self.server.lock().room_id(uri)
    }

    /// Posts as a person, by the same rules as over HTTP but without the rate limit. Gives the message's id.
    pub fn post(&self, username: &str, room: ObjectId, text: &str) -> Result<ObjectId, ActError> {
        self.create(username, room, &json!({ "text": text }))
    }

    /// Posts a reply as a person, as [`Self::post`] does.
    pub fn reply(
        &self,
        username: &str,
        room: ObjectId,
        parent: ObjectId,
        text: &str,
    ) -> Result<ObjectId, ActError> {
        self.create(username, room, &json!({ "text": text, "parentId": parent }))
    }

    /// Edits a message of a person.
    pub fn edit(
        &self,
        username: &str,
        room: ObjectId,
        message: ObjectId,
        text: &str,
    ) -> Result<(), ActError> {
        let caller = self.caller(username)?;
        let (room, message) = (room.to_string(), message.to_string());
        let body = json!({ "text": text });
        let mut state = self.server.lock();
        state.update_message(self.server.now(), &caller, &room, &message, &body)?;
        Ok(())
    }

    /// Deletes a message as a person.
    pub fn delete(&self, username: &str, room: ObjectId, message: ObjectId) -> Result<(), ActError> {
        let caller = self.caller(username)?;
        let (room, message) = (room.to_string(), message.to_string());
        Ok(self.server.lock().delete_message(&caller, &room, &message)?)
    }

    /// Uploads a file as a person, which posts a message with a link to it.
    pub fn upload(
        &self,
        username: &str,
        room: ObjectId,
        name: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Uploaded, ActError> {
        let caller = self.caller(username)?;
        let file = File {
            content_type: content_type.to_owned(),
            bytes,
        };
        let mut state = self.server.lock();
        let (message, url) = state.upload(self.server.now(), &caller, &room.to_string(), name, file)?;
        let id = id_of(&message)?;
        Ok(Uploaded { id, url })
    }

    /// All messages of a room, replies included, in the order of their ids; none for an unknown room.
    pub fn messages(&self, room: ObjectId) -> Vec<StoredMessage> {
        self.server.lock().stored_messages(room).unwrap_or_default()
    }

    /// Everything that is stored.
    pub fn state(&self) -> StateReport {
        self.server.lock().report()
    }

    /// How many requests came to the API that count for a budget, and how many of them were over it.
    pub fn charged(&self) -> Charged {
        self.server.lock().charged()
    }

    /// Makes a fault happen now, or keeps it for when its time comes.
    pub fn add_fault(&self, fault: Fault) {
        match fault {
            Fault::ClockSkewMs(skew) => self.server.skew_clock(skew),
            Fault::CutSockets => self.server.lock().realtime.cut_sockets(),
            Fault::ForgetClients => self.server.lock().realtime.forget_clients(),
            Fault::Request(fault) => self.server.lock().faults.add_request(fault),
            Fault::Frames(fault) => self.server.lock().faults.add_frames(fault),
            Fault::EmptySnapshots(empty) => self.server.lock().faults.set_empty_snapshots(empty),
            Fault::BanBug(present) => self.server.lock().faults.set_ban_bug(present),
        }
    }

    /// Forgets the faults that have not happened yet, and ends those that last.
    pub fn clear_faults(&self) {
        self.server.skew_clock(0);
        self.server.lock().faults = Faults::default();
    }

    fn create(&self, username: &str, room: ObjectId, body: &Value) -> Result<ObjectId, ActError> {
        let caller = self.caller(username)?;
        let mut state = self.server.lock();
        let message = state.create_message(self.server.now(), &caller, &room.to_string(), body)?;
        id_of(&message)
    }

    fn caller(&self, username: &str) -> Result<Caller, ActError> {
        let caller = self.server.lock().caller_named(username);
        caller.ok_or_else(|| ActError::NoSuchUser(username.to_owned()))
    }
}

fn id_of(message: &Value) -> Result<ObjectId, ActError> {
    let id = message.get("id").and_then(Value::as_str);
    id.and_then(|id| id.parse().ok()).ok_or(ActError::NoMessage)
}
