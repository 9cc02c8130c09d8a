//! A person on Matrix, with the few client-server calls that tests and the demo need.

use std::collections::HashMap;

use anyhow::{Context, Result};
use reqwest::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::http::{self, text_at};

/// Somebody signed in on a homeserver.
#[derive(Debug, Clone)]
pub struct MatrixUser {
    http: Client,
    base: Url,
    token: SecretString,
    user_id: String,
}

/// An event of a room's timeline, as clients see it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Event {
    /// The event's id.
    pub event_id: String,
    /// Who sent it.
    pub sender: String,
    /// The event's type, such as `m.room.message`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was sent, in milliseconds since 1970.
    pub origin_server_ts: i64,
    /// Its content; an empty object once redacted.
    pub content: Value,
}

impl Event {
    /// The message's text; empty for what is no message.
    pub fn body(&self) -> &str {
        self.content
            .get("body")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether it is a `/me` line.
    pub fn is_emote(&self) -> bool {
        self.content.get("msgtype").and_then(Value::as_str) == Some("m.emote")
    }

    /// The event that the thread began with, for a message in a thread.
    pub fn thread_root(&self) -> Option<&str> {
        let relation = self.content.get("m.relates_to")?;
        (relation.get("rel_type")?.as_str()? == "m.thread")
            .then(|| relation.get("event_id").and_then(Value::as_str))
            .flatten()
    }
}

impl MatrixUser {
    /// Somebody whose sign-in was answered with `session` (specification, client-server API, 5.7).
    ///
    /// # Errors
    /// When the answer has no user id or token.
    pub fn new(http: Client, homeserver: &Url, session: &Value) -> Result<Self> {
        Ok(Self {
            http,
            base: homeserver.join("_matrix/client/v3/")?,
            token: text_at(session, "/access_token")?.into(),
            user_id: text_at(session, "/user_id")?.to_owned(),
        })
    }

    /// Sets the name that others see.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn set_display_name(&self, name: &str) -> Result<()> {
        let body = json!({ "displayname": name });
        self.call(
            Method::PUT,
            &["profile", &self.user_id, "displayname"],
            Some(body),
        )
        .await
        .map(drop)
    }

    /// Makes a room that everybody may join and `moderator` has power level 50 in, and gives its id.
    ///
    /// It is of version 12, Synapse's default: the id has no server name in it, and its maker needs no power
    /// level.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn create_room(&self, name: &str, moderator: &str) -> Result<String> {
        let body = json!({
            "preset": "public_chat",
            "name": name,
            "power_level_content_override": { "users": { moderator: 50 } },
        });
        let answer = self.call(Method::POST, &["createRoom"], Some(body)).await?;
        Ok(text_at(&answer, "/room_id")?.to_owned())
    }

    /// Joins a room.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn join(&self, room: &str) -> Result<()> {
        self.call(Method::POST, &["rooms", room, "join"], Some(json!({})))
            .await
            .map(drop)
    }

    /// Sends a message with the content given, and gives its event id. `transaction` must be unique for
    /// this user and room; the same one again gives the same event.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn send(&self, room: &str, transaction: &str, content: Value) -> Result<String> {
        let path = ["rooms", room, "send", "m.room.message", transaction];
        let answer = self.call(Method::PUT, &path, Some(content)).await?;
        Ok(text_at(&answer, "/event_id")?.to_owned())
    }

    /// Sends a message with this content, and gives its event id.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn send_new(&self, room: &str, content: Value) -> Result<String> {
        self.send(room, &new_transaction(), content).await
    }

    /// Changes an own message to a text, and gives the event id of the change.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn edit(&self, room: &str, event: &str, text: &str) -> Result<String> {
        let content = json!({
            "msgtype": "m.text",
            "body": format!("* {text}"),
            "m.new_content": { "msgtype": "m.text", "body": text, "m.mentions": {} },
            "m.mentions": {},
            "m.relates_to": { "rel_type": "m.replace", "event_id": event },
        });
        self.send(room, &new_transaction(), content).await
    }

    /// Uploads a file, and gives its `mxc:` address.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn upload(&self, content_type: &str, bytes: Vec<u8>) -> Result<String> {
        let url = self.base.join("../../media/v3/upload")?;
        let request = self
            .http
            .post(url)
            .header("content-type", content_type)
            .body(bytes);
        let answer = http::json(request.bearer_auth(self.token.expose_secret())).await?;
        Ok(text_at(&answer, "/content_uri")?.to_owned())
    }

    /// A file of the homeserver, as clients fetch it: with their token.
    ///
    /// # Errors
    /// When the homeserver has none at this `mxc:` address.
    pub async fn media(&self, mxc: &str) -> Result<Vec<u8>> {
        let path = mxc.strip_prefix("mxc://").context("no mxc address")?;
        let url = self.base.join(&format!("../v1/media/download/{path}"))?;
        let request = self.http.get(url).bearer_auth(self.token.expose_secret());
        let answer = request.send().await?.error_for_status()?;
        Ok(answer.bytes().await?.to_vec())
    }

    /// Sets the picture that others see.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn set_avatar(&self, mxc: &str) -> Result<()> {
        let path = ["profile", &self.user_id, "avatar_url"];
        let body = json!({ "avatar_url": mxc });
        self.call(Method::PUT, &path, Some(body)).await.map(drop)
    }

    /// Redacts an event.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn redact(&self, room: &str, event: &str) -> Result<()> {
        let transaction = new_transaction();
        let path = ["rooms", room, "redact", event, &transaction];
        self.call(Method::PUT, &path, Some(json!({}))).await.map(drop)
    }

    /// Sends a text, and gives its event id.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn say(&self, room: &str, text: &str) -> Result<String> {
        let content = json!({ "msgtype": "m.text", "body": text });
        self.send(room, &new_transaction(), content).await
    }

    /// Sends a `/me` line, and gives its event id.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn emote(&self, room: &str, text: &str) -> Result<String> {
        let content = json!({ "msgtype": "m.emote", "body": text });
        self.send(room, &new_transaction(), content).await
    }

    /// Uploads a PNG of this width and height and sends it under this name, and gives its event id.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn picture(&self, room: &str, name: &str, bytes: Vec<u8>, size: (u32, u32)) -> Result<String> {
        let (width, height) = size;
        let info = json!({ "mimetype": "image/png", "size": bytes.len(), "w": width, "h": height });
        let url = self.upload("image/png", bytes).await?;
        let content = json!({ "msgtype": "m.image", "body": name, "url": url, "info": info });
        self.send_new(room, content).await
    }

    /// Sends a text into the thread that the event `thread` began, as thread-aware clients do, and gives its
    /// event id.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn reply(&self, room: &str, thread: &str, text: &str) -> Result<String> {
        let relation = json!({
            "rel_type": "m.thread",
            "event_id": thread,
            "is_falling_back": true,
            "m.in_reply_to": { "event_id": thread },
        });
        let content = json!({ "msgtype": "m.text", "body": text, "m.relates_to": relation });
        self.send(room, &new_transaction(), content).await
    }

    /// All events of a room's timeline, oldest first.
    async fn timeline(&self, room: &str) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut from = None;
        loop {
            let mut url = self.url(&["rooms", room, "messages"]);
            url.query_pairs_mut()
                .append_pair("dir", "f")
                .append_pair("limit", "500")
                .extend_pairs(from.as_ref().map(|from| ("from", from)));
            let mut page = http::json(self.http.get(url).bearer_auth(self.token.expose_secret())).await?;
            let chunk = page.get_mut("chunk").map(Value::take).context("no chunk")?;
            events.extend(serde_json::from_value::<Vec<Event>>(chunk)?);
            match page.get("end").and_then(Value::as_str) {
                Some(end) => from = Some(end.to_owned()),
                None => return Ok(events),
            }
        }
    }

    /// All messages of a room, oldest first.
    ///
    /// # Errors
    /// When the homeserver refuses, or answers something else.
    pub async fn messages(&self, room: &str) -> Result<Vec<Event>> {
        let mut events = self.timeline(room).await?;
        events.retain(|event| event.kind == "m.room.message" && !event.body().is_empty());
        Ok(events)
    }

    /// The display names of a room's members, by their ids.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn members(&self, room: &str) -> Result<HashMap<String, String>> {
        let answer = self
            .call(Method::GET, &["rooms", room, "joined_members"], None)
            .await?;
        let joined = answer.get("joined").and_then(Value::as_object);
        let joined = joined.context("no members in the answer")?;
        Ok(joined
            .iter()
            .map(|(user_id, member)| {
                let name = member.get("display_name").and_then(Value::as_str);
                (user_id.clone(), name.unwrap_or(user_id).to_owned())
            })
            .collect())
    }

    /// Somebody's profile: `displayname` and `avatar_url`.
    ///
    /// # Errors
    /// When there is no such user.
    pub async fn profile(&self, user_id: &str) -> Result<Value> {
        self.call(Method::GET, &["profile", user_id], None).await
    }

    async fn call(&self, method: Method, path: &[&str], body: Option<Value>) -> Result<Value> {
        let mut request = self
            .http
            .request(method, self.url(path))
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(&body);
        }
        http::json(request).await
    }

    /// An address under the client-server API; each part is escaped.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        url
    }
}

fn new_transaction() -> String {
    format!("{:032x}", rand::random::<u128>())
}
