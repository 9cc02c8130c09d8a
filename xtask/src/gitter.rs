//! A person on Gitter, with the few API calls that tests and the demo need.

use anyhow::{Context, Result};
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::http::{self, text_at};

/// Somebody with a token of a Gitter server.
#[derive(Debug, Clone)]
pub struct GitterUser {
    http: Client,
    api: Url,
    token: SecretString,
    username: String,
}

/// A chat message, as the API gives it (gitter-api 5.1).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The Markdown.
    pub text: String,
    /// Whether it is a `/me` line.
    #[serde(default)]
    pub status: bool,
    /// When the server took it, RFC 3339.
    pub sent: String,
    /// The message that its thread began with.
    pub parent_id: Option<String>,
    /// Who wrote it.
    pub from_user: Option<Author>,
    /// The Matrix user it was posted for.
    pub virtual_user: Option<VirtualUser>,
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    /// The user name.
    pub username: String,
    /// The name people see.
    pub display_name: Option<String>,
}

/// The Matrix user that a message was posted for (gitter-api 2.2).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualUser {
    /// The Matrix id without `@`.
    pub external_id: String,
    /// The name people see.
    pub display_name: String,
}

impl Message {
    /// Whether somebody on Gitter wrote it, not a bridge.
    pub const fn is_native(&self) -> bool {
        self.virtual_user.is_none()
    }

    /// The text without the author's own mention that Gitter's web client puts before a `/me` line
    /// (gitter-api 5.9).
    pub fn bare_text(&self) -> &str {
        let author = self.from_user.as_ref().filter(|_| self.status);
        author
            .and_then(|author| {
                self.text
                    .strip_prefix('@')?
                    .strip_prefix(author.username.as_str())
            })
            .map_or(&self.text, str::trim_start)
    }

    /// The name that Gitter shows for its author, with the flair of virtual users.
    pub fn shown_author(&self) -> String {
        if let Some(user) = &self.virtual_user {
            return format!("{} [m]", user.display_name);
        }
        let Some(author) = &self.from_user else {
            return "(nobody)".to_owned();
        };
        author.display_name.as_ref().unwrap_or(&author.username).clone()
    }
}

impl GitterUser {
    /// Somebody who has a token.
    ///
    /// # Errors
    /// When the server does not know the token.
    pub async fn sign_in(http: Client, api: &str, token: SecretString) -> Result<Self> {
        let mut user = Self {
            http,
            // A base to join to must end in a slash.
            api: format!("{}/", api.trim_end_matches('/')).parse()?,
            token,
            username: String::new(),
        };
        let request = user.http.get(user.api.join("user/me")?);
        let me = http::json(user.authorise(request)).await?;
        text_at(&me, "/username")?.clone_into(&mut user.username);
        Ok(user)
    }

    /// The user name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The id of a room.
    ///
    /// # Errors
    /// When there is none with this URI, or this user may not read it.
    pub async fn room_id(&self, uri: &str) -> Result<String> {
        let room = self.post("rooms", json!({ "uri": uri })).await?;
        Ok(text_at(&room, "/id")?.to_owned())
    }

    /// Posts a text.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn say(&self, room_id: &str, text: &str) -> Result<Message> {
        self.send(room_id, json!({ "text": text })).await
    }

    /// Posts a `/me` line, as Gitter's web client does (gitter-api 5.9).
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn emote(&self, room_id: &str, text: &str) -> Result<Message> {
        let text = format!("@{} {text}", self.username);
        self.send(room_id, json!({ "text": text, "status": true })).await
    }

    /// Posts a text into the thread that began with `parent_id`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn reply(&self, room_id: &str, parent_id: &str, text: &str) -> Result<Message> {
        self.send(room_id, json!({ "text": text, "parentId": parent_id }))
            .await
    }

    async fn send(&self, room_id: &str, body: Value) -> Result<Message> {
        let answer = self.post(&format!("rooms/{room_id}/chatMessages"), body).await?;
        serde_json::from_value(answer).context("Gitter answered no message")
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        let request = self.http.post(self.api.join(path)?).json(&body);
        http::json(self.authorise(request)).await
    }

    fn authorise(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.token.expose_secret())
    }
}
