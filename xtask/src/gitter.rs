//! A person on Gitter, with the few API calls that tests and the demo need.

mod moderate;

use anyhow::Result;
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
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

impl GitterUser {
    /// Somebody who has a token.
    ///
    /// # Errors
    /// When the API's address is no URL.
    pub fn new(http: Client, api: &str, username: &str, token: SecretString) -> Result<Self> {
        Ok(Self {
            http,
            // A base to join to must end in a slash.
            api: format!("{}/", api.trim_end_matches('/')).parse()?,
            token,
            username: username.to_owned(),
        })
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
        self.post("rooms", &json!({ "uri": uri })).await
    }

    /// Posts a text, and gives the message's id.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn say(&self, room_id: &str, text: &str) -> Result<String> {
        self.send(room_id, &json!({ "text": text })).await
    }

    /// Posts a `/me` line as Gitter's web client does (gitter-api 5.9), and gives the message's id.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn emote(&self, room_id: &str, text: &str) -> Result<String> {
        let text = format!("@{} {text}", self.username);
        self.send(room_id, &json!({ "text": text, "status": true })).await
    }

    /// Posts a text into the thread that the message `parent_id` began, and gives the message's id.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn reply(&self, room_id: &str, parent_id: &str, text: &str) -> Result<String> {
        self.send(room_id, &json!({ "text": text, "parentId": parent_id }))
            .await
    }

    /// Changes the text of an own message.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn edit(&self, room_id: &str, message_id: &str, text: &str) -> Result<()> {
        let url = self
            .api
            .join(&format!("rooms/{room_id}/chatMessages/{message_id}"))?;
        let request = self.http.put(url).json(&json!({ "text": text }));
        http::json(request.bearer_auth(self.token.expose_secret()))
            .await
            .map(drop)
    }

    /// Deletes an own message.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn delete(&self, room_id: &str, message_id: &str) -> Result<()> {
        let url = self
            .api
            .join(&format!("rooms/{room_id}/chatMessages/{message_id}"))?;
        let request = self.http.delete(url).bearer_auth(self.token.expose_secret());
        http::json(request).await.map(drop)
    }

    async fn send(&self, room_id: &str, body: &Value) -> Result<String> {
        self.post(&format!("rooms/{room_id}/chatMessages"), body).await
    }

    /// Posts, and gives the id of what was made or found.
    async fn post(&self, path: &str, body: &Value) -> Result<String> {
        let request = self.http.post(self.api.join(path)?).json(body);
        let answer = http::json(request.bearer_auth(self.token.expose_secret())).await?;
        Ok(text_at(&answer, "/id")?.to_owned())
    }
}
