//! The bridge's admin API, as operators call it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use gitter_matrix_bridge::config;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::Room;
use crate::homeserver::install_crypto;

/// A status, and the body; null where there is none.
pub(crate) type Answer = (u16, Value);

/// The admin API of one bridge.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    http: Client,
    base: String,
    token_file: PathBuf,
}

impl Admin {
    /// The API that a configuration says.
    pub(crate) fn of(admin: &config::Admin) -> Self {
        install_crypto();
        Self {
            http: Client::new(),
            base: format!("http://{}", admin.listen),
            token_file: admin.token_file.clone(),
        }
    }

    /// Whether the bridge says that it is ready.
    pub(crate) async fn is_ready(&self) -> anyhow::Result<bool> {
        let answer = self.http.get(format!("{}/ready", self.base)).send().await?;
        Ok(answer.status() == 200)
    }

    /// What an open path answers.
    pub(crate) async fn health(&self, path: &str) -> anyhow::Result<Answer> {
        answer(self.http.get(format!("{}/{path}", self.base))).await
    }

    /// What is measured, line by line.
    pub(crate) async fn metrics(&self) -> anyhow::Result<Vec<String>> {
        let answer = self.http.get(format!("{}/metrics", self.base)).send().await?;
        let answer = answer.error_for_status()?;
        anyhow::ensure!(
            answer.headers()["content-type"]
                .to_str()?
                .starts_with("text/plain")
        );
        Ok(answer.text().await?.lines().map(str::to_owned).collect())
    }

    /// Where the status page is.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// The file with the token.
    pub(crate) fn token_file(&self) -> &Path {
        &self.token_file
    }

    /// The token.
    pub(crate) fn token(&self) -> String {
        let token = std::fs::read_to_string(&self.token_file).unwrap_or_default();
        token.trim().to_owned()
    }

    /// A request to a path below the provisioning API, without a token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/_matrix/provision/v1/{path}", self.base);
        self.http.request(method, url)
    }

    /// A request with the token.
    pub(crate) fn authorized(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(self.token())
    }

    /// Asks to link two rooms.
    pub(crate) async fn link(&self, room: &Room) -> Answer {
        let body = json!({ "gitter_uri": room.uri, "matrix_room": room.matrix });
        self.post_room(&body).await
    }

    /// Asks for a link with a body of the test's own.
    pub(crate) async fn post_room(&self, body: &Value) -> Answer {
        answer(self.authorized(Method::POST, "rooms").json(body))
            .await
            .unwrap()
    }

    /// Unlinks a room, by either side's id.
    pub(crate) async fn unlink(&self, room: &str) -> Answer {
        let path = format!("rooms/{}", escaped(room));
        answer(self.authorized(Method::DELETE, &path)).await.unwrap()
    }

    /// A linked room, by either side's id.
    pub(crate) async fn portal(&self, room: &str) -> Answer {
        let path = format!("rooms/{}", escaped(room));
        answer(self.authorized(Method::GET, &path)).await.unwrap()
    }

    /// Items, by a query.
    pub(crate) async fn items(&self, query: &str) -> Answer {
        let path = format!("items?{query}");
        answer(self.authorized(Method::GET, &path)).await.unwrap()
    }

    /// Asks to try an item again.
    pub(crate) async fn retry(&self, id: &str) -> Answer {
        let path = format!("items/{id}/retry");
        answer(self.authorized(Method::POST, &path)).await.unwrap()
    }

    /// Asks to drop an item.
    pub(crate) async fn drop_item(&self, id: &str) -> Answer {
        let path = format!("items/{id}");
        answer(self.authorized(Method::DELETE, &path)).await.unwrap()
    }

    /// What is known of an id.
    pub(crate) async fn explain(&self, id: &str) -> Answer {
        let path = format!("explain/{}", escaped(id));
        answer(self.authorized(Method::GET, &path)).await.unwrap()
    }

    /// Asks to forget a person.
    pub(crate) async fn forget(&self, user: &str) -> Answer {
        let path = format!("users/{}", escaped(user));
        answer(self.authorized(Method::DELETE, &path)).await.unwrap()
    }

    /// All linked rooms.
    pub(crate) async fn portals(&self) -> anyhow::Result<Vec<Value>> {
        let (status, mut body) = answer(self.authorized(Method::GET, "rooms")).await?;
        anyhow::ensure!(status == 200, "{status} {body}");
        match body["rooms"].take() {
            Value::Array(portals) => Ok(portals),
            other => anyhow::bail!("rooms are {other}"),
        }
    }
}

/// Sends a request and reads its answer.
pub(crate) async fn answer(request: RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let text = response.text().await?;
    if text.is_empty() {
        return Ok((status, Value::Null));
    }
    let body = serde_json::from_str(&text).with_context(|| format!("{status} with {text}"))?;
    Ok((status, body))
}

/// An id as a part of a path.
fn escaped(id: &str) -> String {
    id.replace('!', "%21")
        .replace(':', "%3A")
        .replace('/', "%2F")
        .replace('#', "%23")
}
