mod losses;
mod sides;
mod subscriptions;

use rand::SeedableRng as _;
use serde_json::{Value, json};

use super::*;
use crate::gitter::event::Snapshot;

/// A session, the socket it thinks it has, and a clock that only the test moves.
struct Bench {
    session: Session,
    now: Instant,
    /// Messages sent and not looked at yet, by frame.
    frames: VecDeque<Vec<Value>>,
    events: Vec<RealtimeEvent>,
    /// Whether a socket is open or being opened.
    socket: bool,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let session = Session::new(SecretString::from("s3cret"), SmallRng::seed_from_u64(7), now);
        Self {
            session,
            now,
            frames: VecDeque::new(),
            events: Vec::new(),
            socket: false,
        }
    }

    /// A session with these rooms subscribed, and its second connect outstanding.
    fn with_rooms(rooms: &[&str]) -> Self {
        let mut bench = Self::new();
        for name in rooms {
            bench.subscribe(name);
        }
        bench.link();
        bench.grant_all();
        bench.pass(500);
        assert_eq!(bench.sent()[0]["channel"], "/meta/connect");
        bench.events.clear();
        bench
    }

    /// Takes the session from nothing, or from waiting, to an answered first connect.
    fn link(&mut self) {
        self.frames.clear();
        self.pass(60_000);
        assert!(self.socket, "a socket is asked for");
        self.open();
        let handshake = self.sent();
        assert_eq!(handshake[0]["channel"], "/meta/handshake");
        self.shake_hands();
        let connect = self.frames.pop_front().unwrap();
        assert_eq!(connect[0]["advice"], json!({ "timeout": 0 }));
        self.connect_answered();
    }

    fn shake_hands(&mut self) {
        self.receive(
            &json!({ "channel": "/meta/handshake", "id": "1", "successful": true, "clientId": "c1",
            "advice": { "reconnect": "retry", "interval": 500, "timeout": 120_000 } }),
        );
    }

    fn connect_answered(&mut self) {
        self.receive(&json!({ "channel": "/meta/connect", "successful": true, "clientId": "c1" }));
    }

    /// Grants every subscription asked for until there is none.
    fn grant_all(&mut self) {
        while let Some(frame) = self.frames.pop_front() {
            let replies = frame.iter().map(granted).collect();
            self.receive_frame(&Value::Array(replies).to_string());
        }
    }

    fn subscribe(&mut self, name: &str) {
        let channel = Channel::new(Topic::Messages, room(name));
        self.session.subscribe([channel], self.now);
        self.perform();
    }

    fn unsubscribe(&mut self, name: &str) {
        self.session.unsubscribe(&room(name), self.now);
        self.perform();
    }

    fn open(&mut self) {
        self.session.socket_opened(Transport::WebSocket, self.now);
        self.perform();
    }

    fn cut(&mut self) {
        self.socket = false;
        self.session.socket_lost(self.now);
        self.perform();
    }

    fn receive(&mut self, message: &Value) {
        self.receive_frame(&json!([message]).to_string());
    }

    fn receive_frame(&mut self, frame: &str) {
        self.session.frame_received(frame, self.now);
        self.perform();
    }

    fn data(&mut self, name: &str, count: u64) {
        self.receive(&data(name, count));
    }

    /// Lets time pass, waking the session whenever it asks for it.
    fn pass(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while self.session.deadline() <= end && !(self.socket && self.waits_for_socket()) {
            self.now = self.now.max(self.session.deadline());
            self.session.time_passed(self.now);
            self.perform();
        }
        self.now = self.now.max(end);
    }

    fn waits_for_socket(&self) -> bool {
        matches!(self.session.phase, Phase::Opening { .. })
    }

    /// How long the session waits before it wants a socket, which it then is asked for.
    fn wait_for_socket(&mut self) -> Duration {
        assert!(!self.socket, "no socket while waiting");
        let waits_until = self.session.deadline();
        let waits = waits_until - self.now;
        self.now = waits_until;
        self.session.time_passed(self.now);
        self.perform();
        assert!(self.socket, "a socket is asked for");
        waits
    }

    /// All messages sent since last asked.
    fn sent(&mut self) -> Vec<Value> {
        self.frames.drain(..).flatten().collect()
    }

    /// All events since last asked, in short.
    fn told(&mut self) -> Vec<String> {
        self.events.drain(..).map(|event| short(&event)).collect()
    }

    fn perform(&mut self) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Open => {
                    assert!(!self.socket, "one socket at a time");
                    self.socket = true;
                }
                Output::Close => self.socket = false,
                Output::Send(frame) => {
                    let messages = serde_json::from_str(&frame.into_text()).unwrap();
                    self.frames.push_back(messages);
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }
}

fn room(name: &str) -> GitterRoomId {
    name.parse().unwrap()
}

fn channel(name: &str) -> String {
    format!("/api/v1/rooms/{name}/chatMessages")
}

/// Gitter's grant of a subscription.
fn granted(request: &Value) -> Value {
    assert_eq!(request["channel"], "/meta/subscribe");
    json!({ "channel": "/meta/subscribe", "id": request["id"], "clientId": "c1", "successful": true,
        "subscription": request["subscription"], "ext": { "snapshot": [{ "id": "m0" }] } })
}

fn data(name: &str, count: u64) -> Value {
    json!({ "channel": channel(name), "id": "x", "ext": { "c": count },
        "data": { "operation": "create", "model": { "id": format!("m{count}") } } })
}

fn short(event: &RealtimeEvent) -> String {
    match event {
        RealtimeEvent::Connected => "connected".to_owned(),
        RealtimeEvent::Subscribed { room, snapshot } => match snapshot {
            Snapshot::Messages(messages) => format!("subscribed {room} {}", messages.len()),
            Snapshot::Failed(error) => format!("subscribed {room} without: {error}"),
        },
        RealtimeEvent::Message {
            room,
            operation,
            model,
        } => format!("{operation} {room} {model}"),
        RealtimeEvent::Interrupted { rooms } => {
            let rooms: Vec<_> = rooms.iter().map(GitterRoomId::as_str).collect();
            format!("interrupted {}", rooms.join(" "))
        }
        RealtimeEvent::Refused { room, error } => format!("refused {room} {error}"),
        RealtimeEvent::Room {
            room,
            operation,
            model,
        } => format!("room {operation} {room} {model}"),
        RealtimeEvent::RoomRefused { room, error } => format!("room refused {room} {error}"),
        RealtimeEvent::UsersFollowed { room } => format!("users of {room}"),
        RealtimeEvent::User {
            room,
            operation,
            model,
        } => format!("user {operation} {room} {model}"),
        RealtimeEvent::TokenRefused => "token refused".to_owned(),
    }
}

#[test]
fn the_handshake_carries_the_token_and_marks_nobody_as_present() {
    let mut bench = Bench::new();
    bench.pass(0);
    bench.open();
    let handshake = bench.sent().remove(0);
    assert_eq!(handshake["version"], "1.0");
    assert_eq!(handshake["supportedConnectionTypes"], json!(["websocket"]));
    assert_eq!(handshake["ext"]["token"], "s3cret");
    assert_eq!(handshake["ext"]["eyeballs"], 0);
    assert_eq!(handshake["ext"].get("troupeId"), None);
}

#[test]
fn the_token_shows_in_no_debug_output() {
    let mut bench = Bench::new();
    bench.session.time_passed(bench.now);
    bench.session.socket_opened(Transport::WebSocket, bench.now);
    assert!(!format!("{:?}", bench.session).contains("s3cret"));
}

#[test]
fn the_first_connect_is_not_held_and_connected_is_told_with_its_answer() {
    let mut bench = Bench::new();
    bench.pass(0);
    bench.open();
    bench.sent();
    bench.shake_hands();
    let connects = bench.sent();
    assert_eq!(connects.len(), 1);
    assert_eq!(connects[0]["clientId"], "c1");
    assert_eq!(connects[0]["connectionType"], "websocket");
    assert_eq!(connects[0]["advice"], json!({ "timeout": 0 }));
    assert!(bench.told().is_empty());
    bench.connect_answered();
    assert_eq!(bench.told(), ["connected"]);
}

#[test]
fn one_connect_is_outstanding_and_the_next_waits_for_the_interval() {
    let mut bench = Bench::new();
    bench.link();
    for _ in 0..3 {
        bench.pass(499);
        assert!(bench.sent().is_empty(), "not before the interval is over");
        bench.pass(1);
        let connects = bench.sent();
        assert_eq!(connects.len(), 1);
        assert_eq!(connects[0].get("advice"), None, "held like any other");
        bench.pass(120_000);
        assert!(bench.sent().is_empty(), "one at a time");
        bench.connect_answered();
        bench.connect_answered();
    }
    assert_eq!(bench.told(), ["connected"]);
}

#[test]
fn the_interval_follows_the_advice_inside_bounds() {
    let mut bench = Bench::new();
    bench.link();
    for (advised, interval) in [(2000, 2000), (0, 100), (864_000_000, 60_000)] {
        bench.pass(interval_of(&bench));
        bench.sent();
        bench.receive(
            &json!({ "channel": "/meta/connect", "successful": true, "advice": { "interval": advised } }),
        );
        assert_eq!(interval_of(&bench), interval);
    }
}

fn interval_of(bench: &Bench) -> u64 {
    u64::try_from((bench.session.deadline() - bench.now).as_millis()).unwrap()
}

#[test]
fn heartbeats_and_foreign_channels_are_passed_over() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.receive_frame("[]");
    bench.receive(
        &json!({ "channel": "/api/v1/rooms/a", "data": { "operation": "patch" }, "ext": { "c": 1 } }),
    );
    bench.receive(&json!({ "channel": channel("a"), "data": { "notification": "x" }, "ext": { "c": 2 } }));
    bench.data("a", 3);
    assert_eq!(bench.told(), [r#"create a {"id":"m3"}"#], "and they are counted");
}

#[test]
fn a_refused_token_is_told_once_and_tried_again_every_minute() {
    let refusal = json!({ "channel": "/meta/handshake", "id": "1", "successful": false,
        "error": "401::Invalid access token", "advice": { "reconnect": "none", "interval": 864_000_000 } });
    let mut bench = Bench::new();
    bench.pass(0);
    for _ in 0..3 {
        bench.open();
        bench.receive(&refusal);
        assert_eq!(bench.wait_for_socket(), Duration::from_mins(1));
    }
    assert_eq!(bench.told(), ["token refused"]);
    bench.open();
    bench.sent();
    bench.shake_hands();
    bench.connect_answered();
    assert_eq!(bench.told(), ["connected"]);
    bench.cut();
    bench.wait_for_socket();
    bench.open();
    bench.receive(&refusal);
    assert_eq!(bench.told(), ["token refused"], "news again after it was taken");
}

#[test]
fn another_refused_handshake_backs_off_and_says_nothing_of_the_token() {
    let mut bench = Bench::new();
    bench.pass(0);
    for ceiling in [2, 4, 8] {
        bench.open();
        bench.receive(
            &json!({ "channel": "/meta/handshake", "id": "1", "successful": false,
            "error": "301:x:Connection types not supported", "advice": { "reconnect": "handshake" } }),
        );
        let waited = bench.wait_for_socket();
        let ceiling = Duration::from_secs(ceiling);
        assert!((ceiling / 2..=ceiling).contains(&waited), "{waited:?}");
    }
    assert!(bench.told().is_empty());
}

#[test]
fn a_handshake_that_is_never_answered_is_given_up() {
    let mut bench = Bench::new();
    bench.pass(0);
    bench.open();
    bench.pass(29_999);
    assert!(bench.socket);
    bench.pass(1);
    assert!(!bench.socket);
}

#[test]
fn a_socket_that_never_opens_is_given_up() {
    let mut bench = Bench::new();
    bench.pass(0);
    bench.now += OPENING;
    bench.session.time_passed(bench.now);
    bench.perform();
    assert!(!bench.socket);
    bench.wait_for_socket();
}

#[test]
fn failed_attempts_back_off_up_to_a_minute_until_all_is_well() {
    let mut bench = Bench::new();
    bench.subscribe("a");
    bench.pass(0);
    let mut waits = Vec::new();
    for _ in 0..8 {
        bench.cut();
        waits.push(bench.wait_for_socket());
    }
    assert!(waits[0] <= Duration::from_secs(2), "{waits:?}");
    assert!((30..=60).contains(&waits[7].as_secs()), "{waits:?}");
    // Connected, but the room is not answered yet: not well.
    bench.open();
    bench.sent();
    bench.shake_hands();
    bench.connect_answered();
    bench.cut();
    assert!(bench.wait_for_socket() >= Duration::from_secs(30));
    bench.open();
    bench.sent();
    bench.shake_hands();
    bench.frames.pop_front();
    bench.connect_answered();
    bench.grant_all();
    bench.cut();
    assert!(bench.wait_for_socket() <= Duration::from_secs(2));
}

#[test]
fn a_goodbye_is_said_to_a_server_that_knows_the_client() {
    let mut bench = Bench::with_rooms(&["a"]);
    bench.session.disconnect();
    bench.perform();
    assert_eq!(bench.sent()[0]["channel"], "/meta/disconnect");
    assert!(!bench.socket);
}
