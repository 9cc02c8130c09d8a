//! A running sandbox and an HTTP client for it.

use std::time::Duration;

use gitter_sandbox::{Control, NewRoom, ObjectId, Sandbox, Settings};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;

/// How long a test waits before it fails; nothing it waits for takes near as long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A sandbox with the default seed and no rate limit, unless a test says otherwise.
pub(crate) struct Fixture {
    pub(crate) sandbox: Sandbox,
    pub(crate) control: Control,
    pub(crate) http: Client,
    /// `tidepool/harbour`.
    pub(crate) harbour: ObjectId,
}

/// An answer: status and body, null where the body is no JSON.
pub(crate) type Answer = (StatusCode, Value);

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::with(Settings {
            rate_limit: 0,
            ..Settings::default()
        })
        .await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        // Fails when another test of this process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(settings).await.unwrap();
        let control = sandbox.control();
        let harbour = control.room_id("tidepool/harbour").unwrap();
        Self {
            sandbox,
            control,
            http: Client::new(),
            harbour,
        }
    }

    /// The token of a seeded user for a client.
    pub(crate) fn token(&self, username: &str, client: &str) -> String {
        let users = self.control.state().users;
        let user = users.iter().find(|user| user.username == username).unwrap();
        let token = user.tokens.iter().find(|token| token.client == client).unwrap();
        token.token.clone()
    }

    /// A room whose only admin is `wren`.
    pub(crate) fn room_with_admin(&self) -> ObjectId {
        let room = NewRoom {
            admins: vec!["wren".to_owned()],
            ..NewRoom::public("tidepool/quay")
        };
        self.control.add_room(&room).unwrap()
    }

    /// Sends a change to one of the sandbox's own controls, and expects it to work.
    pub(crate) async fn alter(&self, path: &str, change: Value) {
        let url = format!("{}/sandbox/{path}", self.sandbox.web_url());
        let answer = self.http.patch(url).json(&change).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{path} {change}");
    }

    /// The path of the messages of a room.
    pub(crate) fn messages_of(room: ObjectId) -> String {
        format!("/rooms/{room}/chatMessages")
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        token: &str,
        path: &str,
        body: Option<Value>,
    ) -> Response {
        let url = format!("{}{path}", self.sandbox.api_url());
        let request = self.http.request(method, url).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        answer(self.send(Method::GET, token, path, None).await).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        answer(self.send(Method::POST, token, path, Some(body)).await).await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: Value) -> Answer {
        answer(self.send(Method::PUT, token, path, Some(body)).await).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> StatusCode {
        self.send(Method::DELETE, token, path, None).await.status()
    }

    /// Posts with the bridge's token in `tidepool/harbour`, and expects it to work.
    pub(crate) async fn bridge_posts(&self, body: Value) -> Value {
        let path = Self::messages_of(self.harbour);
        let (status, message) = self.post(self.sandbox.token(), &path, body).await;
        assert_eq!(status, 200, "{message}");
        message
    }
}

pub(crate) async fn answer(response: Response) -> Answer {
    let status = response.status();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// The ids in an array of objects.
pub(crate) fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter().map(|object| object["id"].as_str().unwrap()).collect()
}
