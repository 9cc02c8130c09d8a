//! A Bayeux server that does what each test tells it to.

use std::{collections::VecDeque, net::SocketAddr};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use url::Url;

pub(super) struct Gitter {
    listener: TcpListener,
    address: SocketAddr,
}

impl Gitter {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(super) fn url(&self) -> Url {
        Url::parse(&format!("http://{}/bayeux", self.address)).unwrap()
    }

    pub(super) async fn accept(&self) -> Connection {
        let (stream, _) = self.listener.accept().await.unwrap();
        Connection {
            socket: accept_async(stream).await.unwrap(),
            waiting: VecDeque::new(),
        }
    }

    pub(super) async fn answer_not_found(&self) {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let reply = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(reply).await.unwrap();
    }

    /// Whether somebody has asked for a connection.
    pub(super) async fn is_knocked_at(&self) -> bool {
        // Any earlier connection would be accepted before this one.
        let own = TcpStream::connect(self.address).await.unwrap();
        let (first, _) = self.listener.accept().await.unwrap();
        first.peer_addr().unwrap() != own.local_addr().unwrap()
    }
}

pub(super) struct Connection {
    socket: WebSocketStream<TcpStream>,
    /// Messages received and not looked at yet.
    waiting: VecDeque<Value>,
}

impl Connection {
    /// Answers the handshake and the first connect.
    pub(super) async fn greet(&mut self) {
        let handshake = self.expect("/meta/handshake").await;
        assert_eq!(handshake["ext"]["token"], "s3cret");
        self.send(
            json!([{ "channel": "/meta/handshake", "successful": true, "clientId": "c1",
            "advice": { "reconnect": "retry", "interval": 500, "timeout": 120_000 } }]),
        )
        .await;
        self.expect("/meta/connect").await;
        self.send(json!([{ "channel": "/meta/connect", "successful": true, "clientId": "c1" }]))
            .await;
    }

    /// Grants the next subscriptions to messages, all that came in one frame, and says for which rooms they are. What
    /// is asked for beside messages gives no news.
    pub(super) async fn grant(&mut self) -> Vec<String> {
        let mut requests = vec![self.expect("/meta/subscribe").await];
        requests.extend(self.waiting.drain(..));
        let grant = |request: &Value| {
            let mut reply = json!({ "channel": "/meta/subscribe", "id": request["id"], "successful": true,
                "subscription": request["subscription"], "ext": { "snapshot": [{ "id": "m0" }] } });
            if is_of(request, "/users") {
                reply["successful"] = json!(false);
                reply["error"] = json!("403::Authorisation denied.");
            } else if !is_of(request, "/chatMessages") {
                reply["error"] = json!("500::Internal Server Error");
            }
            reply
        };
        self.send(requests.iter().map(grant).collect()).await;
        let room = |request: &Value| {
            request["subscription"]
                .as_str()
                .unwrap()
                .split('/')
                .nth(4)
                .unwrap()
                .to_owned()
        };
        let of_messages = |request: &&Value| is_of(request, "/chatMessages");
        requests.iter().filter(of_messages).map(room).collect()
    }

    /// Announces a new message, whose id is its number.
    pub(super) async fn data(&mut self, room: &str, count: usize) {
        self.send(data(room, count, "")).await;
    }

    pub(super) async fn send(&mut self, messages: Value) {
        self.send_text(&messages.to_string()).await;
    }

    pub(super) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Sends a ping and waits for its answer.
    pub(super) async fn ping(&mut self) {
        self.socket
            .send(Message::Ping(b"p".as_slice().into()))
            .await
            .unwrap();
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Pong(_) => return,
                Message::Text(text) => self.take(&text),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message on a channel of which one is due; connects in between are passed over, and so is what lets go
    /// of channels beside messages.
    pub(super) async fn expect(&mut self, channel: &str) -> Value {
        loop {
            while let Some(message) = self.waiting.pop_front() {
                let is_wanted = channel != "/meta/unsubscribe" || is_of(&message, "/chatMessages");
                if message["channel"] == channel && is_wanted {
                    return message;
                }
                let is_beside =
                    message["channel"] == "/meta/unsubscribe" && !is_of(&message, "/chatMessages");
                assert!(
                    is_beside || message["channel"] == "/meta/connect",
                    "{message} instead of {channel}"
                );
            }
            match self.socket.next().await.expect("an open socket").unwrap() {
                Message::Text(text) => self.take(&text),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} instead of {channel}"),
            }
        }
    }

    fn take(&mut self, text: &str) {
        let messages: Vec<Value> = serde_json::from_str(text).unwrap();
        self.waiting.extend(messages);
    }

    pub(super) async fn close(&mut self) {
        self.socket.close(None).await.unwrap();
        // The answer to the close.
        let _ = self.socket.next().await;
    }

    /// Waits until the other side has closed.
    pub(super) async fn is_closed(&mut self) {
        while let Some(Ok(message)) = self.socket.next().await {
            assert!(!message.is_text(), "{message:?}");
        }
    }
}

/// Whether a request is about a channel with this ending.
fn is_of(request: &Value, ending: &str) -> bool {
    let name = request["subscription"].as_str();
    name.is_some_and(|name| name.ends_with(ending))
}

/// A frame with one new message, whose id is its number.
pub(super) fn data(room: &str, count: usize, text: &str) -> Value {
    json!([{ "channel": format!("/api/v1/rooms/{room}/chatMessages"), "ext": { "c": count },
        "data": { "operation": "create", "model": { "id": count, "text": text } } }])
}
