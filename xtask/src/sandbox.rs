//! The small Gitter server of this project, as a child process.

use std::path::Path;

use anyhow::{Context, Result};
use reqwest::Client;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    gitter::Message,
    http,
    process::{self, Process},
};

/// What the sandbox says as it becomes ready: where it is, and the token of the bridge's account.
#[derive(Debug, Clone, Deserialize)]
pub struct Addresses {
    /// The REST API.
    pub api_url: String,
    /// Bayeux.
    pub realtime_url: String,
    /// The site.
    pub web_url: String,
    /// The token of the account that bridges post with.
    pub token: SecretString,
}

/// A running sandbox. Dropping it ends it, and with it all its messages.
#[derive(Debug)]
pub struct Sandbox {
    http: Client,
    process: Process,
    addresses: Addresses,
}

impl Sandbox {
    /// Starts it on a free port with the users and rooms of the file `seed`, logging to `log`.
    ///
    /// # Errors
    /// When it does not say that it is ready; with the end of its log.
    pub async fn start(binary: &Path, seed: &Path, log: &Path) -> Result<Self> {
        let mut command = process::command(binary);
        command.args(["--listen", "127.0.0.1:0", "--seed"]).arg(seed);
        let (process, line) = Process::start_and_read_line("The sandbox", &mut command, log).await?;
        let addresses = serde_json::from_str(&line)
            .with_context(|| process.failure(&format!("was not ready but said {line:?}")))?;
        Ok(Self {
            http: http::client()?,
            process,
            addresses,
        })
    }

    /// Where it is.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// All messages that a room stores, oldest first. This costs nobody's request budget.
    ///
    /// # Errors
    /// When there is no such room.
    pub async fn messages(&self, room_id: &str) -> Result<Vec<Message>> {
        let state = http::json(self.http.get(self.control("state")?)).await?;
        let rooms = state.get("rooms").and_then(Value::as_array).context("no rooms")?;
        let room = rooms
            .iter()
            .find(|room| room.get("id").and_then(Value::as_str) == Some(room_id))
            .with_context(|| format!("the sandbox has no room {room_id}"))?;
        let messages = room.get("messages").cloned().context("a room without messages")?;
        Ok(serde_json::from_value(messages)?)
    }

    fn control(&self, name: &str) -> Result<Url> {
        Ok(Url::parse(&self.addresses.web_url)?.join(&format!("/sandbox/{name}"))?)
    }

    /// Stops it.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        self.process.stop().await
    }
}
