//! Somebody on Matrix who uses matrix-js-sdk, wish by wish (`tests/clients/matrix_person.js`).

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};
use xtask::synapse::password_of;

use crate::{harness::World, node::Node};

/// How long one wish may take.
const LIMIT: Duration = Duration::from_mins(2);

/// A running client; it ends when dropped.
pub(crate) struct Person {
    _child: Child,
    wishes: ChildStdin,
    results: Lines<BufReader<ChildStdout>>,
}

impl Person {
    /// Signs somebody in who is registered.
    pub(crate) async fn sign_in(node: &Node, world: &World, localpart: &str) -> Result<Self> {
        let mut child = node
            .script("matrix_person.js")
            .env("HOMESERVER", world.synapse.url().as_str().trim_end_matches('/'))
            .env("LOCALPART", localpart)
            .env("PASSWORD", password_of(localpart))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let wishes = child.stdin.take().context("no standard input")?;
        let results = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let mut person = Self {
            _child: child,
            wishes,
            results,
        };
        person.result("to sign in").await?;
        Ok(person)
    }

    /// Makes a public room.
    pub(crate) async fn create_room(&mut self, name: &str) -> Result<String> {
        self.wish("room", &json!({ "do": "create", "name": name })).await
    }

    /// Invites somebody.
    pub(crate) async fn invite(&mut self, room: &str, user: &str) -> Result<()> {
        let wish = json!({ "do": "invite", "room": room, "user": user });
        self.fulfilled(&wish).await.map(drop)
    }

    /// Says something, and gives the event's id.
    pub(crate) async fn say(&mut self, room: &str, text: &str) -> Result<String> {
        let wish = json!({ "do": "say", "room": room, "text": text });
        self.wish("event", &wish).await
    }

    /// Waits until the client shows what somebody says that holds a text.
    pub(crate) async fn hears(&mut self, room: &str, from: &str, text: &str) -> Result<String> {
        let wish = json!({ "do": "hear", "room": room, "from": from, "text": text });
        self.wish("body", &wish).await
    }

    /// Says something, and gives what somebody replies.
    pub(crate) async fn asks(&mut self, room: &str, of: &str, text: &str) -> Result<String> {
        let event = self.say(room, text).await?;
        let wish = json!({ "do": "hear", "room": room, "from": of, "reply_to": event });
        self.wish("body", &wish).await
    }

    async fn wish(&mut self, key: &str, wish: &Value) -> Result<String> {
        let result = self.fulfilled(wish).await?;
        let text = result.get(key).and_then(Value::as_str);
        Ok(text.with_context(|| format!("{wish} gave {result}"))?.to_owned())
    }

    async fn fulfilled(&mut self, wish: &Value) -> Result<Value> {
        self.wishes.write_all(format!("{wish}\n").as_bytes()).await?;
        self.result(&wish.to_string()).await
    }

    /// What comes of a wish; libraries may print before.
    async fn result(&mut self, wish: &str) -> Result<Value> {
        let line = async {
            loop {
                let line = self.results.next_line().await?;
                let line = line.context("the client ended")?;
                if let Ok(result @ Value::Object(_)) = serde_json::from_str(&line) {
                    return anyhow::Ok(result);
                }
            }
        };
        timeout(LIMIT, line)
            .await
            .with_context(|| format!("waited {LIMIT:?} in vain for {wish}"))?
            .with_context(|| wish.to_owned())
    }
}
