//! What the fake promises to tests, seen from outside: the rules of transaction ids and of pushing.

use std::{future, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{post, put},
};
use reqwest::{Client, Method};
use ruma::{OwnedRoomId, OwnedUserId, UserId, user_id};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};
use url::Url;

use super::{FakeHomeserver, RoomOptions, Settings};

/// What an application service took.
#[derive(Debug, Default)]
struct Taken {
    /// Transactions: the id, and the events.
    transactions: Vec<(String, Vec<Value>)>,
    pings: Vec<Value>,
    /// How many transactions to come are answered with 500.
    refuse: u32,
    refused: u32,
}

/// An application service that notes down what it is told.
struct Appservice {
    url: Url,
    taken: watch::Sender<Taken>,
}

impl Appservice {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = watch::Sender::new(Taken::default());
        let router = Router::new()
            .route("/_matrix/app/v1/transactions/{id}", put(transaction))
            .route("/_matrix/app/v1/ping", post(ping))
            .with_state(taken.clone());
        tokio::spawn(future::IntoFuture::into_future(axum::serve(listener, router)));
        Self {
            url: url.parse().unwrap(),
            taken,
        }
    }

    /// How many events each transaction had.
    fn batches(&self) -> Vec<usize> {
        let taken = self.taken.borrow();
        taken
            .transactions
            .iter()
            .map(|(_, events)| events.len())
            .collect()
    }

    fn transaction_ids(&self) -> Vec<String> {
        let taken = self.taken.borrow();
        taken.transactions.iter().map(|(id, _)| id.clone()).collect()
    }

    /// The bodies of all messages, in order.
    fn bodies(&self) -> Vec<String> {
        let taken = self.taken.borrow();
        let events = taken.transactions.iter().flat_map(|(_, events)| events);
        events
            .filter_map(|event| event["content"]["body"].as_str().map(str::to_owned))
            .collect()
    }
}

async fn transaction(
    State(taken): State<watch::Sender<Taken>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    assert_eq!(headers["authorization"], "Bearer hs-token-of-the-tests");
    let mut status = StatusCode::OK;
    taken.send_modify(|taken| {
        if taken.refuse > 0 {
            taken.refuse -= 1;
            taken.refused += 1;
            status = StatusCode::INTERNAL_SERVER_ERROR;
        } else {
            let events = body["events"].as_array().unwrap().clone();
            taken.transactions.push((id, events));
        }
    });
    (status, Json(json!({})))
}

async fn ping(State(taken): State<watch::Sender<Taken>>, Json(body): Json<Value>) -> Json<Value> {
    taken.send_modify(|taken| taken.pings.push(body));
    Json(json!({}))
}

/// Calls the homeserver with the application service's token.
async fn call(homeserver: &FakeHomeserver, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let url = homeserver.url().join(path).unwrap();
    let request = Client::new()
        .request(method, url)
        .bearer_auth(&homeserver.settings().as_token)
        .json(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn start() -> FakeHomeserver {
    FakeHomeserver::start(Settings::default()).await
}

/// A room of a Matrix user that the bot has joined.
async fn room_with_bot(homeserver: &FakeHomeserver) -> (OwnedRoomId, OwnedUserId) {
    register(homeserver, "gitterbot").await;
    let ana = homeserver.make_user("ana", "Ana");
    let room = homeserver.make_room(&ana, &RoomOptions::default());
    homeserver.join(&room, user_id!("@gitterbot:localhost"));
    (room, ana)
}

async fn register(homeserver: &FakeHomeserver, localpart: &str) -> OwnedUserId {
    let body = json!({ "type": "m.login.application_service", "username": localpart, "inhibit_login": true });
    let (status, _) = call(homeserver, Method::POST, "/_matrix/client/v3/register", &body).await;
    assert_eq!(status, 200);
    UserId::parse(format!("@{localpart}:localhost")).unwrap()
}

fn send_path(room: &OwnedRoomId, transaction_id: &str, query: &str) -> String {
    format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction_id}?{query}")
}

#[tokio::test]
async fn events_are_pushed_in_order_by_the_hundred() {
    let homeserver = start().await;
    let (room, ana) = room_with_bot(&homeserver).await;
    let sent: Vec<String> = (0..250).map(|number| number.to_string()).collect();
    for body in &sent {
        homeserver.send_text(&room, &ana, body);
    }
    let appservice = Appservice::start().await;
    homeserver.set_appservice(&appservice.url);
    homeserver.wait_until_pushed().await;
    assert_eq!(appservice.bodies(), sent);
    let batches = appservice.batches();
    assert_eq!(batches[..2], [100, 100]);
    assert_eq!(homeserver.transactions(), 3);
}

#[tokio::test]
async fn a_refused_transaction_comes_again_and_nothing_is_lost_or_twice() {
    let homeserver = start().await;
    let (room, ana) = room_with_bot(&homeserver).await;
    let appservice = Appservice::start().await;
    appservice.taken.send_modify(|taken| taken.refuse = 3);
    homeserver.set_appservice(&appservice.url);
    for number in 0..5 {
        homeserver.send_text(&room, &ana, &number.to_string());
    }
    homeserver.wait_until_pushed().await;
    assert_eq!(appservice.bodies(), ["0", "1", "2", "3", "4"]);
    assert_eq!(appservice.taken.borrow().refused, 3);
}

#[tokio::test]
async fn a_ping_ends_the_pause() {
    let never = Duration::from_hours(1);
    let homeserver = FakeHomeserver::start(Settings {
        push_pauses: (never, never),
        ..Settings::default()
    })
    .await;
    let (room, ana) = room_with_bot(&homeserver).await;
    let appservice = Appservice::start().await;
    appservice.taken.send_modify(|taken| taken.refuse = 1);
    homeserver.set_appservice(&appservice.url);
    homeserver.send_text(&room, &ana, "hello");
    let mut taken = appservice.taken.subscribe();
    taken.wait_for(|taken| taken.refused == 1).await.unwrap();
    let path = "/_matrix/client/v1/appservice/gitter/ping";
    let (status, answer) = call(&homeserver, Method::POST, path, &json!({ "transaction_id": "p" })).await;
    assert_eq!(status, 200);
    assert!(answer["duration_ms"].is_u64());
    homeserver.wait_until_pushed().await;
    assert_eq!(appservice.bodies(), ["hello"]);
    assert_eq!(
        appservice.taken.borrow().pings,
        [json!({ "transaction_id": "p" })]
    );
}

#[tokio::test]
async fn a_ping_says_why_it_failed() {
    let homeserver = start().await;
    register(&homeserver, "gitterbot").await;
    let ping = async |id: &str| {
        let path = format!("/_matrix/client/v1/appservice/{id}/ping");
        let (status, answer) = call(&homeserver, Method::POST, &path, &json!({})).await;
        (status, answer["errcode"].as_str().unwrap().to_owned())
    };
    assert_eq!(ping("other").await, (403, "M_FORBIDDEN".to_owned()));
    assert_eq!(ping("gitter").await, (400, "M_URL_NOT_SET".to_owned()));
    // A port that was free a moment ago, and that nothing listens on.
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    homeserver.set_appservice(&format!("http://{closed}").parse().unwrap());
    assert_eq!(ping("gitter").await, (502, "M_CONNECTION_FAILED".to_owned()));
}

#[tokio::test]
async fn transaction_ids_begin_again_after_a_restart() {
    let mut homeserver = start().await;
    let (room, ana) = room_with_bot(&homeserver).await;
    let appservice = Appservice::start().await;
    homeserver.set_appservice(&appservice.url);
    homeserver.wait_until_pushed().await;
    homeserver.restart().await;
    homeserver.send_text(&room, &ana, "hello");
    homeserver.wait_until_pushed().await;
    let ids = appservice.transaction_ids();
    assert_eq!(ids.iter().filter(|id| *id == "1").count(), 2, "{ids:?}");
    assert_eq!(appservice.bodies(), ["hello"]);
}

#[tokio::test]
async fn a_transaction_follows_the_appservice_to_another_port() {
    let homeserver = start().await;
    let (room, ana) = room_with_bot(&homeserver).await;
    let before = Appservice::start().await;
    before.taken.send_modify(|taken| taken.refuse = u32::MAX);
    homeserver.set_appservice(&before.url);
    homeserver.send_text(&room, &ana, "hello");
    let mut taken = before.taken.subscribe();
    taken.wait_for(|taken| taken.refused > 1).await.unwrap();
    let after = Appservice::start().await;
    homeserver.set_appservice(&after.url);
    homeserver.wait_until_pushed().await;
    assert_eq!(after.bodies(), ["hello"]);
}

#[tokio::test]
async fn an_event_redacted_while_it_waits_arrives_redacted() {
    let homeserver = start().await;
    let (room, ana) = room_with_bot(&homeserver).await;
    let event = homeserver.send_text(&room, &ana, "a secret");
    homeserver.redact(&room, &ana, &event);
    let appservice = Appservice::start().await;
    homeserver.set_appservice(&appservice.url);
    homeserver.wait_until_pushed().await;
    assert_eq!(appservice.bodies(), [""; 0]);
    let taken = appservice.taken.borrow();
    let events = taken.transactions.iter().flat_map(|(_, events)| events);
    let pushed = events.clone().find(|pushed| pushed["event_id"] == json!(event));
    assert_eq!(
        pushed.unwrap()["unsigned"]["redacted_because"]["redacts"],
        json!(event)
    );
}

#[tokio::test]
async fn rooms_without_the_appservice_are_not_pushed() {
    let homeserver = start().await;
    let (room, ana) = room_with_bot(&homeserver).await;
    let elsewhere = homeserver.make_room(&ana, &RoomOptions::default());
    homeserver.send_text(&elsewhere, &ana, "not for you");
    homeserver.send_text(&room, &ana, "for you");
    let appservice = Appservice::start().await;
    homeserver.set_appservice(&appservice.url);
    homeserver.wait_until_pushed().await;
    assert_eq!(appservice.bodies(), ["for you"]);
}

#[tokio::test]
async fn two_ghosts_with_one_transaction_id_get_one_event() {
    let mut homeserver = start().await;
    let (room, _) = room_with_bot(&homeserver).await;
    let mut event_ids = Vec::new();
    for ghost in ["gitter_wren-1", "gitter_heron-2"] {
        let user = register(&homeserver, ghost).await;
        homeserver.join(&room, &user);
        let body = json!({ "msgtype": "m.text", "body": ghost });
        let path = send_path(&room, "t", &format!("user_id={user}"));
        let (_, answer) = call(&homeserver, Method::PUT, &path, &body).await;
        event_ids.push(answer["event_id"].clone());
    }
    assert_eq!(event_ids[0], event_ids[1]);
    assert!(event_ids[0].is_string());
    homeserver.restart().await;
    let path = send_path(&room, "t", "user_id=@gitter_heron-2:localhost");
    let (_, answer) = call(&homeserver, Method::PUT, &path, &json!({ "body": "again" })).await;
    assert_ne!(answer["event_id"], event_ids[0]);
}

#[tokio::test]
async fn ids_of_rooms_have_a_server_only_before_version_12() {
    let homeserver = start().await;
    let ana = homeserver.make_user("ana", "Ana");
    let new = homeserver.make_room(&ana, &RoomOptions::default());
    let old = RoomOptions {
        version: Some("11"),
        ..RoomOptions::default()
    };
    assert!(!new.as_str().contains(':'));
    assert!(homeserver.make_room(&ana, &old).as_str().ends_with(":localhost"));
}

#[tokio::test]
async fn the_bot_makes_rooms_and_sets_state() {
    let homeserver = start().await;
    register(&homeserver, "gitterbot").await;
    let body = json!({ "preset": "public_chat", "name": "Harbour" });
    let (status, answer) = call(&homeserver, Method::POST, "/_matrix/client/v3/createRoom", &body).await;
    assert_eq!(status, 200);
    let room: OwnedRoomId = answer["room_id"].as_str().unwrap().parse().unwrap();
    let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.topic/?ts=1000");
    let (status, _) = call(&homeserver, Method::PUT, &path, &json!({ "topic": "Boats" })).await;
    assert_eq!(status, 200);
    let events = homeserver.events(&room);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["content"], &last["origin_server_ts"]),
        (&json!({ "topic": "Boats" }), &json!(1000))
    );
}

#[tokio::test]
async fn what_is_not_there_is_unrecognized() {
    let homeserver = start().await;
    let (status, answer) = call(&homeserver, Method::GET, "/_matrix/client/v3/sync", &json!({})).await;
    assert_eq!((status, &answer["errcode"]), (404, &json!("M_UNRECOGNIZED")));
}
