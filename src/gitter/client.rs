//! The REST client (gitter-api 1-5): one method a call, named by what the bridge wants of it.
//!
//! It never repeats a request and keeps nothing but the budget and the clock's offset. Every call waits for
//! the budget first, so it can take a minute; a caller that must not wait looks at [`GitterClient::budget`].

mod admins;
mod bans;
mod people;
mod rooms;
#[cfg(test)]
mod tests;
pub(super) mod transport;

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{json, value::RawValue};
use url::Url;

pub use self::people::PEOPLE_PAGE;
use self::transport::Transport;
use super::{
    budget::{BudgetState, Class, Permit},
    error::{GitterError, SetupError},
    token::Token,
};
use crate::{
    ids::{GitterMessageId, GitterRoomId},
    model::{Message, Room, User, VirtualUser},
};

/// What a client needs to know.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The API with its version, such as `https://gitter.example.org/api/v1`.
    pub api_url: Url,
    /// The account's token.
    pub token: Token,
}

/// A client of one Gitter account; cloning is cheap and shares connections and budget.
#[derive(Debug, Clone)]
pub struct GitterClient {
    transport: Arc<Transport>,
}

/// Which messages of a room to list (gitter-api 5.5). With both positions absent: the newest.
#[derive(Debug, Clone, Default)]
pub struct MessagePage {
    /// Only messages with a larger id; gives the oldest of them.
    pub after: Option<GitterMessageId>,
    /// Only messages with a smaller id; gives the newest of them.
    pub before: Option<GitterMessageId>,
    /// The most messages, 1 to 100; a smaller or larger number is taken as that bound.
    pub limit: u32,
    /// What they are wanted for.
    pub class: Class,
}

/// A message to post (gitter-api 5.2).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage {
    /// Gitter Markdown: not blank, at most 4,096 UTF-16 units.
    pub text: String,
    /// Whether it is a `/me` line.
    pub status: bool,
    /// The top-level message of the thread it goes into. Never a reply: Gitter would hide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<GitterMessageId>,
    /// For whom it is posted; `None`: for the account itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_user: Option<VirtualUser>,
}

impl GitterClient {
    /// A client with a connection pool and a budget of its own. Nothing is sent yet.
    pub fn new(settings: &ClientSettings) -> Result<Self, SetupError> {
        Ok(Self {
            transport: Arc::new(Transport::new(settings)?),
        })
    }

    /// The token that requests are sent with.
    pub fn token(&self) -> &Token {
        &self.transport.token
    }

    /// A client of the same server with another token, and a budget of its own.
    pub fn with_token(&self, token: Token) -> Result<Self, SetupError> {
        let api_url = self.transport.api_url.clone();
        Self::new(&ClientSettings { api_url, token })
    }

    /// The account that the token belongs to (gitter-api 2).
    pub async fn current_user(&self) -> Result<User, GitterError> {
        let request = self.transport.request(Method::GET, &["user", "me"]);
        self.transport
            .send(Class::Live, "current user", request)
            .await?
            .json()
    }

    /// The room with a URI, whatever its case (gitter-api 4.5).
    ///
    /// A URI of less than two parts is refused here, since Gitter **creates a one-to-one room** when asked for
    /// a user's name. A room that does not exist, or that the account may not read, is a `Status` of 404.
    pub async fn resolve(&self, uri: &str) -> Result<Room, GitterError> {
        let uri = uri.to_owned();
        let whole = uri.split('/').all(|part| !part.trim().is_empty());
        if !whole || !uri.contains('/') {
            return Err(GitterError::NotARoomUri { uri });
        }
        let request = self
            .transport
            .request(Method::POST, &["rooms"])
            .json(&json!({ "uri": uri }));
        let reply = self.transport.send(Class::Read, "resolve room", request).await?;
        if reply.status == StatusCode::MOVED_PERMANENTLY {
            return Err(GitterError::Renamed { uri });
        }
        let room: Room = reply.json()?;
        if room.one_to_one {
            return Err(GitterError::OneToOne { uri });
        }
        let found = room.uri.clone().unwrap_or_default();
        if found.to_lowercase() == uri.to_lowercase() {
            Ok(room)
        } else {
            Err(GitterError::OtherRoom { uri, found })
        }
    }

    /// The room with an id (gitter-api 4.1), with `public`, topic and backend.
    pub async fn room(&self, room: &GitterRoomId) -> Result<Room, GitterError> {
        let request = self.transport.request(Method::GET, &["rooms", room.as_str()]);
        self.transport.send(Class::Read, "room", request).await?.json()
    }

    /// Messages of a room and its threads, oldest first (gitter-api 5.5), unread, so that one odd message
    /// cannot sink a page. A page shorter than its limit is the last.
    pub async fn messages(
        &self,
        room: &GitterRoomId,
        page: &MessagePage,
    ) -> Result<Vec<Box<RawValue>>, GitterError> {
        let limit = page.limit.clamp(1, 100).to_string();
        let mut query = vec![("includeThreads", "true"), ("limit", limit.as_str())];
        let positions = [("afterId", &page.after), ("beforeId", &page.before)];
        query.extend(
            positions
                .into_iter()
                .filter_map(|(key, id)| Some((key, id.as_ref()?.as_str()))),
        );
        let request = self
            .transport
            .request(Method::GET, &messages_of(room))
            .query(&query);
        self.transport
            .send(page.class, "list messages", request)
            .await?
            .json()
    }

    /// One message; `None` if the room has none with this id (any more).
    pub async fn message(
        &self,
        room: &GitterRoomId,
        id: &GitterMessageId,
    ) -> Result<Option<Message>, GitterError> {
        let request = self.transport.request(Method::GET, &message_of(room, id));
        let reply = self.transport.send(Class::Live, "message", request).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        reply.json().map(Some)
    }

    /// Waits until the request budget has room for one request, which can take a minute. For a caller that
    /// must know when its request leaves.
    pub async fn permit(&self, class: Class) -> Permit {
        self.transport.permit(class).await
    }

    /// Posts a message at once, with a permit (gitter-api 5.2). A success does not prove that it is stored: a reply without `v` was
    /// thrown away by a silent ban (gitter-api 5.8).
    pub async fn create(
        &self,
        permit: Permit,
        room: &GitterRoomId,
        message: &NewMessage,
    ) -> Result<Message, GitterError> {
        let request = self
            .transport
            .request(Method::POST, &messages_of(room))
            .json(message);
        self.transport
            .send_with(permit, "create message", request)
            .await?
            .json()
    }

    /// Changes a message's text at once, with a permit, within 600 s of its making (gitter-api 5.3).
    pub async fn update(
        &self,
        permit: Permit,
        room: &GitterRoomId,
        id: &GitterMessageId,
        text: &str,
    ) -> Result<Message, GitterError> {
        let request = self
            .transport
            .request(Method::PUT, &message_of(room, id))
            .json(&json!({ "text": text }));
        self.transport
            .send_with(permit, "update message", request)
            .await?
            .json()
    }

    /// Deletes a message at once, with a permit, or empties it if it has replies (gitter-api 5.4). One that is gone already is a
    /// `Status` of 404.
    pub async fn delete(
        &self,
        permit: Permit,
        room: &GitterRoomId,
        id: &GitterMessageId,
    ) -> Result<(), GitterError> {
        let request = self.transport.request(Method::DELETE, &message_of(room, id));
        self.transport
            .send_with(permit, "delete message", request)
            .await?
            .success()
            .map(drop)
    }

    /// Whether the token may post for virtual users in a room, found out without posting (gitter-api 2.1): a
    /// message without a text fails late, on the text, only where virtual users pass. A room with an ordinary
    /// ban answers 500 just as late (gitter-api 8).
    pub async fn virtual_users_allowed(&self, room: &GitterRoomId) -> Result<bool, GitterError> {
        let probe = json!({ "virtualUser": {
            "type": "matrix",
            "externalId": "gitter-matrix-bridge-probe:invalid",
            "displayName": "probe",
        } });
        let request = self
            .transport
            .request(Method::POST, &messages_of(room))
            .json(&probe);
        let reply = self
            .transport
            .send(Class::Read, "probe virtual users", request)
            .await?;
        match reply.status {
            StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR => Ok(true),
            StatusCode::FORBIDDEN => Ok(false),
            _ => Err(reply.unexpected()),
        }
    }

    /// Gitter's clock less ours, as of the last reply; `None` before the first. Right to about half a second
    /// and half a request.
    pub fn clock_offset(&self) -> Option<SignedDuration> {
        self.transport.clock_offset()
    }

    /// The request budget as last known; `None` before the first reply, and where Gitter counts nothing.
    pub fn budget(&self) -> Option<BudgetState> {
        self.transport.budget.state()
    }

    /// How long a request waits for its budget that has its turn behind so many others.
    pub fn wait_behind(&self, requests: u32) -> Duration {
        self.transport.budget.wait_behind(requests)
    }
}

fn messages_of(room: &GitterRoomId) -> [&str; 3] {
    ["rooms", room.as_str(), "chatMessages"]
}

fn message_of<'a>(room: &'a GitterRoomId, id: &'a GitterMessageId) -> [&'a str; 4] {
    ["rooms", room.as_str(), "chatMessages", id.as_str()]
}
