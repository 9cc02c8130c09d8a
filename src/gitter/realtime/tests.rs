mod fake;
mod fallback;
mod pressure;

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use tokio::time;

use self::fake::{Connection, Gitter};
use super::*;

/// The realtime side under test.
struct Bridge {
    realtime: Realtime,
    events: mpsc::Receiver<RealtimeEvent>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Bridge {
    fn start(gitter: &Gitter, rooms_per_socket: usize) -> Self {
        let settings = RealtimeSettings {
            url: gitter.url(),
            token: SecretString::from("s3cret").into(),
            rooms_per_socket,
        };
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let (realtime, events) = Realtime::start(settings, stop.clone(), &tracker);
        Self {
            realtime,
            events,
            stop,
            tracker,
        }
    }

    /// One room subscribed, with the connection that it is on.
    async fn with_room(gitter: &Gitter) -> (Self, Connection) {
        let mut bridge = Self::start(gitter, 10);
        bridge.realtime.subscribe(room("a"));
        let mut connection = gitter.accept().await;
        connection.greet().await;
        connection.grant().await;
        assert_eq!(bridge.told(2).await, ["connected", "subscribed a 1"]);
        (bridge, connection)
    }

    async fn told(&mut self, number: usize) -> Vec<String> {
        let mut told = Vec::new();
        while told.len() < number {
            let event = self.events.recv().await.expect("an event");
            // Of the channels beside the messages `bayeux` has its own tests.
            if !matches!(
                event,
                RealtimeEvent::Room { .. } | RealtimeEvent::UsersFollowed { .. }
            ) {
                told.push(short(&event));
            }
        }
        told
    }

    /// Waits out the delay of the next attempt to connect, which an event has just announced, and lets it come
    /// back with all rooms.
    async fn comes_back(&mut self, gitter: &Gitter) -> Connection {
        skip(Duration::from_secs(2)).await;
        let mut connection = gitter.accept().await;
        connection.greet().await;
        connection.grant().await;
        assert_eq!(self.told(2).await, ["connected", "subscribed a 1"]);
        connection.data("a", 1).await;
        assert_eq!(self.told(1).await, ["create a 1"]);
        connection
    }
}

fn room(name: &str) -> GitterRoomId {
    name.parse().unwrap()
}

fn short(event: &RealtimeEvent) -> String {
    match event {
        RealtimeEvent::Connected => "connected".to_owned(),
        RealtimeEvent::Subscribed {
            room,
            snapshot: Snapshot::Messages(messages),
        } => format!("subscribed {room} {}", messages.len()),
        RealtimeEvent::Message {
            room,
            operation,
            model,
        } => {
            let model: serde_json::Value = serde_json::from_str(model.get()).unwrap();
            format!("{operation} {room} {}", model["id"])
        }
        RealtimeEvent::Interrupted { rooms } => {
            let rooms: Vec<_> = rooms.iter().map(GitterRoomId::as_str).collect();
            format!("interrupted {}", rooms.join(" "))
        }
        RealtimeEvent::Refused { room, error } => format!("refused {room} {error}"),
        other => format!("{other:?}"),
    }
}

/// Lets time jump, without waiting for it.
async fn skip(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

#[test]
fn web_addresses_stand_for_sockets() {
    for (given, used) in [
        ("http://localhost:5000/bayeux", "ws://localhost:5000/bayeux"),
        ("https://g.example.org/bayeux", "wss://g.example.org/bayeux"),
        ("ws://localhost:1/x", "ws://localhost:1/x"),
        ("wss://g.example.org/x", "wss://g.example.org/x"),
    ] {
        assert_eq!(web_socket(Url::parse(given).unwrap()).as_str(), used);
    }
}

#[tokio::test]
async fn a_room_is_subscribed_and_its_messages_are_told() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    connection.data("a", 1).await;
    connection.data("a", 2).await;
    assert_eq!(bridge.told(2).await, ["create a 1", "create a 2"]);
}

#[tokio::test]
async fn nothing_is_opened_without_a_room() {
    let gitter = Gitter::start().await;
    let bridge = Bridge::start(&gitter, 10);
    bridge.realtime.unsubscribe(room("a"));
    bridge.stop.cancel();
    bridge.tracker.close();
    bridge.tracker.wait().await;
    assert!(!gitter.is_knocked_at().await);
}

#[tokio::test]
async fn a_cut_socket_comes_back_with_its_rooms() {
    let gitter = Gitter::start().await;
    let (mut bridge, connection) = Bridge::with_room(&gitter).await;
    drop(connection);
    assert_eq!(bridge.told(1).await, ["interrupted a"]);
    bridge.comes_back(&gitter).await;
}

#[tokio::test]
async fn a_closed_socket_comes_back_with_its_rooms() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    connection.close().await;
    assert_eq!(bridge.told(1).await, ["interrupted a"]);
    bridge.comes_back(&gitter).await;
}

#[tokio::test]
async fn a_forgotten_client_comes_back_with_its_rooms() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    connection.expect("/meta/connect").await;
    connection
        .send(
            json!([{ "channel": "/meta/connect", "successful": false, "error": "401:c1:Unknown client",
            "advice": { "reconnect": "handshake", "interval": 2000 } }]),
        )
        .await;
    assert_eq!(bridge.told(1).await, ["interrupted a"]);
    bridge.comes_back(&gitter).await;
}

#[tokio::test]
async fn a_gap_is_told_and_the_client_is_given_up() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    connection.data("a", 2).await;
    assert_eq!(
        bridge.told(3).await,
        ["interrupted a", "create a 2", "interrupted a"]
    );
    connection.expect("/meta/disconnect").await;
    connection.is_closed().await;
    bridge.comes_back(&gitter).await;
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_is_a_gap() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    connection.send_text("<html>").await;
    assert_eq!(bridge.told(2).await, ["interrupted a", "interrupted a"]);
    bridge.comes_back(&gitter).await;
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    connection.expect("/meta/connect").await;
    skip(Duration::from_secs(129)).await;
    assert!(
        bridge.events.try_recv().is_err(),
        "Gitter may be silent for two minutes and ten seconds"
    );
    skip(Duration::from_secs(2)).await;
    assert_eq!(bridge.told(1).await, ["interrupted a"]);
    bridge.comes_back(&gitter).await;
}

#[tokio::test]
async fn a_server_that_takes_neither_sockets_nor_polls_is_tried_again() {
    // Another test of this process may have done it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let gitter = Gitter::start().await;
    let mut bridge = Bridge::start(&gitter, 10);
    bridge.realtime.subscribe(room("a"));
    // A WebSocket, then a poll, then a WebSocket again.
    gitter.answer_not_found().await;
    gitter.answer_not_found().await;
    let mut connection = gitter.accept().await;
    connection.greet().await;
    connection.grant().await;
    assert_eq!(bridge.told(2).await, ["connected", "subscribed a 1"]);
}

#[tokio::test]
async fn a_refused_token_is_told() {
    let gitter = Gitter::start().await;
    let mut bridge = Bridge::start(&gitter, 10);
    bridge.realtime.subscribe(room("a"));
    let mut connection = gitter.accept().await;
    connection.expect("/meta/handshake").await;
    connection
        .send(
            json!([{ "channel": "/meta/handshake", "successful": false, "error": "401::Invalid access token",
            "advice": { "reconnect": "none", "interval": 864_000_000 } }]),
        )
        .await;
    assert_eq!(bridge.told(1).await, ["TokenRefused"]);
    skip(Duration::from_mins(1)).await;
    gitter.accept().await.greet().await;
    assert_eq!(bridge.told(1).await, ["connected"]);
}

#[tokio::test]
async fn three_rooms_take_two_sockets_of_two_and_idle_sockets_close() {
    let gitter = Gitter::start().await;
    let mut bridge = Bridge::start(&gitter, 2);
    for name in ["a", "b", "c"] {
        bridge.realtime.subscribe(room(name));
    }
    let mut connections = Vec::new();
    for _ in 0..2 {
        let mut connection = gitter.accept().await;
        connection.greet().await;
        let rooms = connection.grant().await;
        connections.push((rooms, connection));
    }
    connections.sort_by_key(|(rooms, _)| rooms.clone());
    let rooms: Vec<_> = connections.iter().map(|(rooms, _)| rooms.concat()).collect();
    assert_eq!(rooms, ["ab", "c"]);
    bridge.told(5).await;

    let (_, mut of_c) = connections.pop().unwrap();
    bridge.realtime.unsubscribe(room("c"));
    of_c.expect("/meta/unsubscribe").await;
    of_c.expect("/meta/disconnect").await;
    of_c.is_closed().await;

    let (_, mut of_a_and_b) = connections.pop().unwrap();
    bridge.realtime.unsubscribe(room("a"));
    of_a_and_b.expect("/meta/unsubscribe").await;
    bridge.realtime.subscribe(room("d"));
    assert_eq!(
        of_a_and_b.grant().await,
        ["d"],
        "the free place is taken before a socket is opened"
    );
    assert_eq!(bridge.told(1).await, ["subscribed d 1"]);
}

#[tokio::test]
async fn asking_again_gives_a_new_snapshot() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    bridge.realtime.subscribe(room("a"));
    connection.grant().await;
    assert_eq!(bridge.told(1).await, ["subscribed a 1"]);
}

#[tokio::test]
async fn a_stop_says_goodbye_and_ends_every_task() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    bridge.stop.cancel();
    bridge.tracker.close();
    connection.expect("/meta/disconnect").await;
    connection.is_closed().await;
    bridge.tracker.wait().await;
    assert!(bridge.events.recv().await.is_none());
    bridge.realtime.subscribe(room("b"));
}

#[tokio::test]
async fn dropping_the_last_handle_ends_every_task() {
    let gitter = Gitter::start().await;
    let (bridge, mut connection) = Bridge::with_room(&gitter).await;
    drop(bridge.realtime);
    bridge.tracker.close();
    connection.expect("/meta/disconnect").await;
    bridge.tracker.wait().await;
}
