//! The bridge's Bayeux client against the real `faye` of npm and Gitter's fork of it, over both transports.

use std::{process::Stdio, time::Duration};

use gitter_matrix_bridge::{
    gitter::{Realtime, RealtimeEvent, RealtimeSettings, Snapshot},
    ids::GitterRoomId,
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin},
    sync::mpsc,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use xtask::ports;

use crate::node::Node;

const ROOM: &str = "5f0000000000000000000a01";

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that can be killed and started again at the same address.
struct Server {
    package: &'static str,
    transport: &'static str,
    port: u16,
    running: Option<(Child, ChildStdin)>,
}

impl Server {
    async fn start(&mut self, node: &Node) {
        let mut command = node.script("faye_server.js");
        command
            .args([self.package, &self.port.to_string(), self.transport])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        assert_eq!(first.as_deref(), Some("ready"));
        let stdin = child.stdin.take().unwrap();
        self.running = Some((child, stdin));
    }

    async fn kill(&mut self) {
        let (mut child, _) = self.running.take().unwrap();
        child.kill().await.unwrap();
    }

    /// Publishes so many messages, whose texts are numbers from `first` on.
    async fn publish(&mut self, first: usize, count: usize) {
        let (_, stdin) = self.running.as_mut().unwrap();
        for number in first..first + count {
            let data =
                json!({ "operation": "create", "model": { "id": format!("{number:024x}"), "text": number } });
            let line = json!({ "channel": format!("/api/v1/rooms/{ROOM}/chatMessages"), "data": data });
            stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
        stdin.flush().await.unwrap();
    }
}

/// What the bridge was told, one thing at a time.
struct Told(mpsc::Receiver<RealtimeEvent>);

impl Told {
    /// The next event of a room's messages. That a connection stands, and what the room's other channels tell, may be
    /// told before or after the first of them.
    async fn next(&mut self) -> RealtimeEvent {
        loop {
            match timeout(PATIENCE, self.0.recv()).await.unwrap().unwrap() {
                RealtimeEvent::Connected
                | RealtimeEvent::Room { .. }
                | RealtimeEvent::RoomRefused { .. }
                | RealtimeEvent::UsersFollowed { .. }
                | RealtimeEvent::User { .. } => {}
                event => return event,
            }
        }
    }

    async fn is_subscribed(&mut self) {
        match self.next().await {
            RealtimeEvent::Subscribed {
                snapshot: Snapshot::Messages(messages),
                ..
            } => assert_eq!(messages.len(), 1),
            other => panic!("{other:?}"),
        }
    }

    async fn messages(&mut self, first: usize, count: usize) {
        for number in first..first + count {
            match self.next().await {
                RealtimeEvent::Message { operation, model, .. } => {
                    let model: serde_json::Value = serde_json::from_str(model.get()).unwrap();
                    assert_eq!((operation.as_str(), &model["text"]), ("create", &json!(number)));
                }
                other => panic!("{number} {other:?}"),
            }
        }
    }
}

async fn comes_through(package: &'static str, transport: &'static str) {
    let Some(node) = Node::find().await else { return };
    // Another test of this process may have done it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = ports::free().unwrap();
    let mut server = Server {
        package,
        transport,
        port,
        running: None,
    };
    server.start(&node).await;
    let settings = RealtimeSettings {
        url: format!("http://127.0.0.1:{port}/bayeux").parse().unwrap(),
        token: secrecy::SecretString::from("s3cret").into(),
        rooms_per_socket: 10,
    };
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let (realtime, events) = Realtime::start(settings, stop.clone(), &tracker);
    let mut told = Told(events);
    let room: GitterRoomId = ROOM.parse().unwrap();
    realtime.subscribe(room.clone());

    told.is_subscribed().await;
    server.publish(0, 50).await;
    told.messages(0, 50).await;
    for restart in 1..=2 {
        server.kill().await;
        let interrupted = told.next().await;
        assert!(
            matches!(&interrupted, RealtimeEvent::Interrupted { rooms } if *rooms == [room.clone()]),
            "{interrupted:?}"
        );
        server.start(&node).await;
        told.is_subscribed().await;
        server.publish(restart * 100, 20).await;
        told.messages(restart * 100, 20).await;
    }
    stop.cancel();
    tracker.close();
    timeout(PATIENCE, tracker.wait()).await.unwrap();
}

#[tokio::test]
async fn npms_faye_over_websockets() {
    comes_through("faye", "websocket").await;
}

#[tokio::test]
async fn npms_faye_over_long_polling() {
    comes_through("faye", "polling").await;
}

#[tokio::test]
async fn gitters_faye_over_websockets() {
    comes_through("gitter-faye", "websocket").await;
}

#[tokio::test]
async fn gitters_faye_over_long_polling() {
    comes_through("gitter-faye", "polling").await;
}
