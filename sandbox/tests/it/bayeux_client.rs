//! As little of a Bayeux client as the tests need.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use gitter_sandbox::ObjectId;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::fixture::{Fixture, PATIENCE};

/// A WebSocket to the sandbox, and the client id after a handshake.
pub(crate) struct BayeuxClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) id: String,
    /// Messages of frames with several, that were not asked for yet.
    unread: VecDeque<Value>,
}

impl BayeuxClient {
    /// Opens a socket without a handshake.
    pub(crate) async fn open(fixture: &Fixture) -> Self {
        let url = fixture.sandbox.realtime_url().replacen("http", "ws", 1);
        let (socket, _) = connect_async(url).await.unwrap();
        Self {
            socket,
            id: String::new(),
            unread: VecDeque::new(),
        }
    }

    /// Opens a socket and makes a client for a token.
    pub(crate) async fn connected(fixture: &Fixture, token: &str) -> Self {
        let mut client = Self::open(fixture).await;
        let reply = client.handshake(json!({ "token": token })).await;
        assert_eq!(reply["successful"], true, "{reply}");
        client.id = reply["clientId"].as_str().unwrap().into();
        client
    }

    pub(crate) async fn handshake(&mut self, ext: Value) -> Value {
        self.ask(json!({"channel": "/meta/handshake", "id": "1", "version": "1.0",
                        "supportedConnectionTypes": ["websocket"], "ext": ext}))
            .await
    }

    /// Connects with an answer at once.
    pub(crate) async fn connect(&mut self) -> Value {
        let message = self.message(
            "/meta/connect",
            json!({"connectionType": "websocket", "advice": {"timeout": 0}}),
        );
        self.ask(message).await
    }

    pub(crate) async fn subscribe(&mut self, channel: &str, ext: Value) -> Value {
        let message = self.message("/meta/subscribe", json!({"subscription": channel, "ext": ext}));
        self.ask(message).await
    }

    /// Subscribes to the messages of a room without a snapshot.
    pub(crate) async fn follow(&mut self, room: ObjectId) {
        let channel = format!("/api/v1/rooms/{room}/chatMessages");
        let reply = self.subscribe(&channel, json!({"snapshot": false})).await;
        assert_eq!(reply["successful"], true, "{reply}");
        assert_eq!(reply.get("ext"), None);
    }

    /// A message of this client.
    pub(crate) fn message(&self, channel: &str, fields: Value) -> Value {
        let mut message = fields;
        message["channel"] = json!(channel);
        message["clientId"] = json!(self.id);
        message["id"] = json!("7");
        message
    }

    /// Sends one message and takes the next answer.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.send(&json!([message])).await;
        self.next().await
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next message that comes.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            if let Some(message) = self.unread.pop_front() {
                return message;
            }
            let frame = self.next_frame().await;
            self.unread.extend(frame.as_array().unwrap().iter().cloned());
        }
    }

    /// The next frame that comes, whole.
    pub(crate) async fn next_frame(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.socket.next())
                .await
                .expect("no frame came");
            if let Message::Text(text) = message.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// The next frame of news as (operation, model), with its number.
    pub(crate) async fn news(&mut self) -> (String, Value, u64) {
        let frame = self.next().await;
        assert!(frame["id"].is_string(), "{frame}");
        let operation = frame["data"]["operation"].as_str().unwrap().to_owned();
        (
            operation,
            frame["data"]["model"].clone(),
            frame["ext"]["c"].as_u64().unwrap(),
        )
    }

    /// Waits until the socket has ended, and says with which close code.
    pub(crate) async fn end(mut self) -> Option<u16> {
        let mut code = None;
        while let Some(Ok(message)) = self.socket.next().await {
            if let Message::Close(Some(frame)) = message {
                code = Some(frame.code.into());
            }
        }
        code
    }
}
