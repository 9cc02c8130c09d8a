//! What moderators of a Matrix room do, and what there is to see of it.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::MatrixUser;

impl MatrixUser {
    /// Bans somebody from a room.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn ban(&self, room: &str, user: &str) -> Result<()> {
        let body = json!({ "user_id": user, "reason": "spam" });
        self.call(Method::POST, &["rooms", room, "ban"], Some(body))
            .await
            .map(drop)
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn unban(&self, room: &str, user: &str) -> Result<()> {
        let body = json!({ "user_id": user });
        self.call(Method::POST, &["rooms", room, "unban"], Some(body))
            .await
            .map(drop)
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
