//! What the keepers of a room do with it: upgrade it, remove people from it and let them in again.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::MatrixUser;
use crate::http::text_at;

impl MatrixUser {
    /// As [`Self::create_room`], of another version. Before 12, its maker has power level 100.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn create_room_of(&self, version: &str, name: &str, moderator: &str) -> Result<String> {
        let body = json!({
            "preset": "public_chat",
            "name": name,
            "room_version": version,
            "power_level_content_override": { "users": { self.user_id.as_str(): 100, moderator: 50 } },
        });
        let answer = self.call(Method::POST, &["createRoom"], Some(body)).await?;
        Ok(text_at(&answer, "/room_id")?.to_owned())
    }

    /// Upgrades a room to a version, and gives its successor's id.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn upgrade(&self, room: &str, version: &str) -> Result<String> {
        let body = json!({ "new_version": version });
        let answer = self
            .call(Method::POST, &["rooms", room, "upgrade"], Some(body))
            .await?;
        Ok(text_at(&answer, "/replacement_room")?.to_owned())
    }

    /// Does something about somebody's membership in a room: `kick`, `ban`, `unban` or `invite`.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn moderate(&self, what: &str, room: &str, user: &str) -> Result<Value> {
        let body = json!({ "user_id": user });
        self.call(Method::POST, &["rooms", room, what], Some(body)).await
    }

    /// The content of somebody's membership of a room; null for who never was there.
    ///
    /// # Errors
    /// When the homeserver does not answer.
    pub async fn membership(&self, room: &str, user: &str) -> Result<Value> {
        let members = self.call(Method::GET, &["rooms", room, "members"], None).await?;
        let events = members.get("chunk").and_then(Value::as_array);
        let of_user = |event: &&Value| event.get("state_key").and_then(Value::as_str) == Some(user);
        let found = events.into_iter().flatten().find(of_user);
        Ok(found
            .and_then(|event| event.get("content").cloned())
            .unwrap_or_default())
    }
}
