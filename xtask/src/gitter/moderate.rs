//! What people of a Gitter room do beside talking: come, leave, and ban each other.

use anyhow::Result;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::GitterUser;
use crate::http;

impl GitterUser {
    /// Joins a room.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn join(&self, room_id: &str) -> Result<()> {
        self.post("user/me/rooms", &json!({ "id": room_id }))
            .await
            .map(drop)
    }

    /// Leaves a room.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn leave(&self, room_id: &str) -> Result<()> {
        let url = self.api.join(&format!("rooms/{room_id}/users/me"))?;
        let request = self.http.delete(url).bearer_auth(self.token.expose_secret());
        http::json(request).await.map(drop)
    }

    /// Bans a user, or a Matrix person by the id without `@`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn ban(&self, room_id: &str, username: &str) -> Result<()> {
        let url = self.api.join(&format!("rooms/{room_id}/bans"))?;
        let request = self.http.post(url).json(&json!({ "username": username }));
        http::json(request.bearer_auth(self.token.expose_secret()))
            .await
            .map(drop)
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn unban(&self, room_id: &str, username: &str) -> Result<()> {
        let url = self.api.join(&format!("rooms/{room_id}/bans/{username}"))?;
        let request = self.http.delete(url).bearer_auth(self.token.expose_secret());
        http::json(request).await.map(drop)
    }

    /// Who is banned in a room, as the server lists it.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn bans(&self, room_id: &str) -> Result<Vec<Value>> {
        let url = self.api.join(&format!("rooms/{room_id}/bans"))?;
        let request = self.http.get(url).bearer_auth(self.token.expose_secret());
        Ok(serde_json::from_value(http::json(request).await?)?)
    }
}
