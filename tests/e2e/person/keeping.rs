//! What the keepers of a room do with it and with the people in it.

use anyhow::Result;
use serde_json::{Value, json};

use super::Person;

impl Person {
    /// Upgrades a room, and gives its successor.
    pub(crate) async fn upgrade(&mut self, room: &str, version: &str) -> Result<String> {
        let wish = json!({ "do": "upgrade", "room": room, "version": version });
        self.wish(&wish).await
    }

    /// Goes where a room's tombstone points, and gives that room.
    pub(crate) async fn follow(&mut self, room: &str) -> Result<String> {
        self.wish(&json!({ "do": "follow", "room": room })).await
    }

    /// Sets a room's state.
    pub(crate) async fn set_state(
        &mut self,
        room: &str,
        kind: &str,
        key: &str,
        content: &Value,
    ) -> Result<()> {
        let wish = json!({ "do": "set_state", "room": room, "type": kind, "key": key, "content": content });
        self.do_it(&wish).await
    }

    /// Invites somebody.
    pub(crate) async fn invite(&mut self, room: &str, user: &str) -> Result<()> {
        self.do_it(&json!({ "do": "invite", "room": room, "user": user }))
            .await
    }

    /// Removes somebody from a room.
    pub(crate) async fn kick(&mut self, room: &str, user: &str) -> Result<()> {
        self.do_it(&json!({ "do": "kick", "room": room, "user": user }))
            .await
    }

    /// Bans somebody.
    pub(crate) async fn ban(&mut self, room: &str, user: &str) -> Result<()> {
        let wish = json!({ "do": "ban", "room": room, "user": user, "reason": "spam" });
        self.do_it(&wish).await
    }

    /// Lifts a ban.
    pub(crate) async fn unban(&mut self, room: &str, user: &str) -> Result<()> {
        self.do_it(&json!({ "do": "unban", "room": room, "user": user }))
            .await
    }

    /// Changes what they said, and gives the event of the change.
    pub(crate) async fn edit(&mut self, room: &str, event: &str, text: &str) -> Result<String> {
        let wish = json!({ "do": "edit", "room": room, "event": event, "text": text });
        self.wish(&wish).await
    }

    /// Redacts an event.
    pub(crate) async fn redact(&mut self, room: &str, event: &str) -> Result<()> {
        self.do_it(&json!({ "do": "redact", "room": room, "event": event }))
            .await
    }
}
