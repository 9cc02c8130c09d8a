//! Everything that is stored, for tests and demos to look at: more than any Gitter account could see.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Room, State,
    messages::{Message, Parent},
    virtual_user::VirtualUser,
};
use crate::object_id::ObjectId;

/// All that the sandbox stores.
#[derive(Clone, Serialize, Deserialize)]
pub struct StateReport {
    /// The accounts, in the order of their ids.
    pub users: Vec<UserReport>,
    /// The rooms, in the order of their ids.
    pub rooms: Vec<RoomReport>,
    /// Bayeux clients that are not dead yet.
    pub realtime_clients: usize,
    /// Those of them with an open WebSocket or a held connect.
    pub realtime_clients_connected: usize,
}

/// An account.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserReport {
    /// Its id.
    pub id: ObjectId,
    /// Its user name.
    pub username: String,
    /// The name people see.
    pub display_name: String,
    /// Its tokens.
    pub tokens: Vec<TokenReport>,
}

/// An access token.
// No `Debug`: the token stays out of logs.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenReport {
    /// The key of the client it was issued to.
    pub client: String,
    /// The token.
    pub token: String,
}

/// A room with all its messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoomReport {
    /// Its id.
    pub id: ObjectId,
    /// Its URI; none for one-to-one rooms.
    pub uri: Option<String>,
    /// Whether everyone may read it.
    pub public: bool,
    /// Its members' user names.
    pub members: Vec<String>,
    /// All messages and replies, in the order of their ids.
    pub messages: Vec<StoredMessage>,
}

/// A message as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// Its id.
    pub id: ObjectId,
    /// The user name of the account that posted it.
    pub author: String,
    /// Whom it was posted for.
    pub virtual_user: Option<VirtualUser>,
    /// The Markdown; empty for a tombstone.
    pub text: String,
    /// The text as Gitter rendered it.
    pub html: String,
    /// Whether it is a `/me` line.
    pub status: bool,
    /// When it was posted.
    pub sent: Timestamp,
    /// When its text was last changed.
    pub edited_at: Option<Timestamp>,
    /// The message it replies to.
    pub parent_id: Option<ObjectId>,
    /// How many replies it has.
    pub thread_message_count: u32,
    /// Saves, from 1 on.
    pub v: u32,
}

impl State {
    /// All that is stored.
    pub(crate) fn report(&self) -> StateReport {
        let users = self.users.values().map(|user| UserReport {
            id: user.id,
            username: user.username.clone(),
            display_name: user.display_name.clone(),
            tokens: self.tokens_of(user.id),
        });
        StateReport {
            users: users.collect(),
            rooms: self.rooms.values().map(|room| self.room_report(room)).collect(),
            realtime_clients: self.realtime.len(),
            realtime_clients_connected: self.realtime.connected(),
        }
    }

    /// The messages of a room, by its id; `None` where there is no such room.
    pub(crate) fn stored_messages(&self, room: ObjectId) -> Option<Vec<StoredMessage>> {
        let room = self.rooms.get(&room)?;
        Some(
            room.messages
                .values()
                .map(|message| self.stored(message))
                .collect(),
        )
    }

    /// The id of a room, by its URI in any case.
    pub(crate) fn room_id(&self, uri: &str) -> Option<ObjectId> {
        self.room_uris.get(&uri.to_lowercase()).copied()
    }

    /// The tokens of a user, sorted by client.
    pub(crate) fn tokens_of(&self, user: ObjectId) -> Vec<TokenReport> {
        let mut tokens: Vec<_> = self
            .tokens
            .iter()
            .filter(|(_, caller)| caller.user == user)
            .map(|(token, caller)| TokenReport {
                client: caller.client.clone(),
                token: token.clone(),
            })
            .collect();
        tokens.sort_by(|one, other| one.client.cmp(&other.client));
        tokens
    }

    fn room_report(&self, room: &Room) -> RoomReport {
        RoomReport {
            id: room.id,
            uri: room.uri().map(str::to_owned),
            public: room.is_public(),
            members: room.members.iter().map(|member| self.username(*member)).collect(),
            messages: room
                .messages
                .values()
                .map(|message| self.stored(message))
                .collect(),
        }
    }

    fn stored(&self, message: &Message) -> StoredMessage {
        StoredMessage {
            id: message.id,
            author: self.username(message.author),
            virtual_user: message.virtual_user.clone(),
            text: message.text.clone(),
            html: message.html.clone(),
            status: message.status == Some(true),
            sent: message.sent,
            edited_at: message.edited_at,
            parent_id: match message.parent {
                Parent::Message(parent) => Some(parent),
                Parent::Absent | Parent::Null => None,
            },
            thread_message_count: message.thread_message_count.unwrap_or(0),
            v: message.v,
        }
    }

    fn username(&self, user: ObjectId) -> String {
        self.users
            .get(&user)
            .map(|user| user.username.clone())
            .unwrap_or_default()
    }
}
