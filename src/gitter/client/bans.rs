//! Bans in a room (gitter-api 8). Banning and lifting a ban may both be repeated.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::GitterClient;
use crate::{
    gitter::{
        budget::{Class, Permit},
        error::GitterError,
    },
    ids::GitterRoomId,
    model::Ban,
};

impl GitterClient {
    /// Who is banned in a room.
    pub async fn bans(&self, room: &GitterRoomId, class: Class) -> Result<Vec<Ban>, GitterError> {
        let request = self
            .transport
            .request(Method::GET, &["rooms", room.as_str(), "bans"]);
        self.transport.send(class, "list bans", request).await?.json()
    }

    /// Bans a user at once, with a permit; Gitter removes what they wrote in the room where that is asked for. Needs an
    /// admin's account; admins cannot be banned (403).
    pub async fn ban(
        &self,
        permit: Permit,
        room: &GitterRoomId,
        username: &str,
        remove_messages: bool,
    ) -> Result<(), GitterError> {
        let mut body = Map::from_iter([("username".to_owned(), json!(username))]);
        if remove_messages {
            body.insert("removeMessages".to_owned(), Value::Bool(true));
        }
        let request = self
            .transport
            .request(Method::POST, &["rooms", room.as_str(), "bans"])
            .json(&body);
        let reply = self.transport.send_with(permit, "ban", request).await?;
        reply.success().map(drop)
    }

    /// Lifts a ban at once, with a permit: of a user by name, of a virtual user by its external id. Nobody of that name
    /// being banned is success.
    pub async fn unban(
        &self,
        permit: Permit,
        room: &GitterRoomId,
        username: &str,
    ) -> Result<(), GitterError> {
        let request = self
            .transport
            .request(Method::DELETE, &["rooms", room.as_str(), "bans", username]);
        let reply = self.transport.send_with(permit, "unban", request).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        reply.success().map(drop)
    }
}
