//! Somebody on Matrix who uses matrix-js-sdk, wish by wish (`tests/clients/matrix_person.js`). What they do and what
//! they see goes through that library alone.

mod keeping;
mod sight;

use std::{fmt::Debug, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};
use xtask::synapse::password_of;

use crate::{harness::World, node::Node};

/// How long one wish may take; the client gives up before, and says what it sees instead.
const LIMIT: Duration = Duration::from_mins(2);

/// A running client; it ends when dropped.
pub(crate) struct Person {
    /// Their Matrix id.
    pub(crate) id: String,
    _child: Child,
    wishes: ChildStdin,
    results: Lines<BufReader<ChildStdout>>,
}

/// What came of a wish.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Outcome {
    Fulfilled {
        result: Value,
    },
    /// What the client said instead; the code is the homeserver's, where it was that.
    Refused(Refused),
}

/// A wish that was not fulfilled.
#[derive(Debug, Deserialize, thiserror::Error)]
#[error("{error}")]
struct Refused {
    errcode: Option<String>,
    error: String,
}

/// Makes sure that the homeserver refused a wish, and why.
pub(crate) fn refused<T: Debug>(wish: Result<T>, errcode: &str) -> Result<()> {
    let error = wish.map_or_else(Ok, |granted| Err(anyhow!("granted: {granted:?}")))?;
    let code = error
        .downcast_ref::<Refused>()
        .and_then(|refused| refused.errcode.as_deref());
    ensure!(code == Some(errcode), "{code:?}, not {errcode}: {error:?}");
    Ok(())
}

impl Person {
    /// Registers somebody, and signs them in.
    pub(crate) async fn arrive(node: &Node, world: &World, localpart: &str, name: &str) -> Result<Self> {
        world.synapse.register(localpart, name).await?;
        Self::sign_in(node, world, localpart).await
    }

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
            id: format!("@{localpart}:localhost"),
            _child: child,
            wishes,
            results,
        };
        person.result("to sign in").await?;
        Ok(person)
    }

    /// Makes a public room.
    pub(crate) async fn create_room(&mut self, name: &str) -> Result<String> {
        self.create(&json!({ "name": name, "preset": "public_chat" }))
            .await
    }

    /// Makes a room with these options of `createRoom`.
    pub(crate) async fn create(&mut self, options: &Value) -> Result<String> {
        self.wish(&json!({ "do": "create", "options": options })).await
    }

    /// Joins a room by its id or an alias, and gives its id.
    pub(crate) async fn join(&mut self, room: &str) -> Result<String> {
        let mut joined = self.join_at_once(&[room]).await?;
        joined.pop().context("no room")
    }

    /// Joins rooms all at once, and gives their ids.
    pub(crate) async fn join_at_once(&mut self, rooms: &[&str]) -> Result<Vec<String>> {
        self.wish(&json!({ "do": "join", "rooms": rooms })).await
    }

    /// Says something, and gives the event's id.
    pub(crate) async fn say(&mut self, room: &str, text: &str) -> Result<String> {
        self.wish(&json!({ "do": "say", "room": room, "text": text }))
            .await
    }

    /// Answers a message, and gives the answer's id.
    pub(crate) async fn reply(&mut self, room: &str, event: &str, text: &str) -> Result<String> {
        let wish = json!({ "do": "reply", "room": room, "event": event, "text": text });
        self.wish(&wish).await
    }

    /// Says something, and gives what somebody replies.
    pub(crate) async fn asks(&mut self, room: &str, of: &str, text: &str) -> Result<String> {
        let event = self.say(room, text).await?;
        self.answered(room, of, &event).await
    }

    /// Waits for somebody's reply, and gives its text.
    pub(crate) async fn answered(&mut self, room: &str, of: &str, event: &str) -> Result<String> {
        let shown = self.sees(room, &json!({ "from": of, "reply_to": event })).await?;
        Ok(shown.body.unwrap_or_default())
    }

    /// Takes another display name.
    pub(crate) async fn rename(&mut self, name: &str) -> Result<()> {
        self.do_it(&json!({ "do": "rename", "name": name })).await
    }

    /// Does something of which nothing is to be known but that it was done.
    async fn do_it(&mut self, wish: &Value) -> Result<()> {
        self.wish::<Value>(wish).await.map(drop)
    }

    async fn wish<T: DeserializeOwned>(&mut self, wish: &Value) -> Result<T> {
        let wish = wish.to_string();
        self.wishes.write_all(format!("{wish}\n").as_bytes()).await?;
        let result = self.result(&wish).await?;
        T::deserialize(&result).with_context(|| format!("{wish} gave {result}"))
    }

    /// What comes of a wish; libraries may print before.
    async fn result(&mut self, wish: &str) -> Result<Value> {
        let line = async {
            loop {
                let line = self.results.next_line().await?;
                let line = line.context("the client ended")?;
                match serde_json::from_str(&line) {
                    Ok(Outcome::Fulfilled { result }) => return anyhow::Ok(result),
                    Ok(Outcome::Refused(refused)) => return Err(refused.into()),
                    Err(_) => {}
                }
            }
        };
        timeout(LIMIT, line)
            .await
            .with_context(|| format!("waited {LIMIT:?} in vain for {wish}"))?
            .with_context(|| wish.to_owned())
    }
}
