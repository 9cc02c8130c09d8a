//! What the client shows to its person.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use xtask::wait::until;

use super::Person;
use crate::harness::CROSSING_LIMIT;

/// A message, as it is shown: with the last edit, and without what was redacted.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    /// The event's id.
    pub(crate) event: String,
    /// Who said it.
    pub(crate) sender: String,
    /// The sender's name in the room.
    pub(crate) name: Option<String>,
    /// The text; none for what was redacted.
    pub(crate) body: Option<String>,
}

/// Somebody in a room's list of people.
#[derive(Debug, Deserialize)]
pub(crate) struct Member {
    user: String,
    membership: String,
    name: String,
    /// Why they are not there, as whoever banned or removed them says.
    pub(crate) reason: Option<String>,
}

impl Person {
    /// Waits until a message is shown of which all this is so: `event`, `from`, `body`, `text` (a part of the body),
    /// `reply_to`, `edited`, `redacted`.
    pub(crate) async fn sees(&mut self, room: &str, of_it: &Value) -> Result<Shown> {
        let mut wish = json!({ "do": "see", "room": room });
        for (key, value) in of_it.as_object().context("no object")? {
            wish[key] = value.clone();
        }
        self.wish(&wish).await
    }

    /// Waits until a message with just this text is shown.
    pub(crate) async fn reads(&mut self, room: &str, body: &str) -> Result<Shown> {
        self.sees(room, &json!({ "body": body })).await
    }

    /// Waits until something is shown that somebody says and that holds a text.
    pub(crate) async fn hears(&mut self, room: &str, from: &str, text: &str) -> Result<Shown> {
        self.sees(room, &json!({ "from": from, "text": text })).await
    }

    /// All messages that are shown now, back to the room's beginning.
    pub(crate) async fn timeline(&mut self, room: &str) -> Result<Vec<Shown>> {
        self.wish(&json!({ "do": "timeline", "room": room })).await
    }

    /// How many messages with just this text are shown now.
    pub(crate) async fn count(&mut self, room: &str, body: &str) -> Result<usize> {
        let shown = self.timeline(room).await?;
        let alike = shown.iter().filter(|shown| shown.body.as_deref() == Some(body));
        Ok(alike.count())
    }

    /// Waits until somebody is in a room's list of people with this membership.
    pub(crate) async fn sees_member(&mut self, room: &str, user: &str, membership: &str) -> Result<Member> {
        let wish = json!({ "do": "stand", "room": room, "user": user, "membership": membership });
        self.wish(&wish).await
    }

    /// Waits until somebody goes by a name in a room.
    pub(crate) async fn sees_named(&mut self, room: &str, user: &str, name: &str) -> Result<()> {
        let wish = json!({ "do": "stand", "room": room, "user": user, "membership": "join", "name": name });
        self.do_it(&wish).await
    }

    /// The names of those who are in a room, by their ids.
    pub(crate) async fn members(&mut self, room: &str) -> Result<BTreeMap<String, String>> {
        let members: Vec<Member> = self.wish(&json!({ "do": "members", "room": room })).await?;
        let there = members.into_iter().filter(|member| member.membership == "join");
        Ok(there.map(|member| (member.user, member.name)).collect())
    }

    /// Waits until a room's state is so; gives its content.
    pub(crate) async fn sees_state(
        &mut self,
        room: &str,
        kind: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let wish = json!({ "do": "state", "room": room, "type": kind });
        until(&format!("{kind} in the client"), CROSSING_LIMIT, async || {
            let content: Value = self.wish(&wish).await?;
            if is_so(&content) {
                return Ok(Some(content));
            }
            anyhow::bail!("{content}")
        })
        .await
    }
}
