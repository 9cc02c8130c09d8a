//! Errors, told apart by what may have happened on the homeserver. Nothing is tried twice.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    response::Redirect,
    routing::{any, get},
};
use futures_util::stream;
use gitter_matrix_bridge::matrix::{Endpoint, MatrixClient, MatrixError, SendEvent};
use reqwest::{Method, StatusCode};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Setup, client_of, device};
use crate::homeserver::{Effect, Fault, RoomOptions, Settings, Stage};

fn fault(stage: Stage, effect: Effect) -> Fault {
    Fault {
        method: Method::PUT,
        path: "/send/",
        times: 1,
        stage,
        effect,
    }
}

/// A room, and a message of a ghost that is not sent yet.
struct Sending {
    setup: Setup,
    room: OwnedRoomId,
    ghost: OwnedUserId,
    content: Value,
}

impl Sending {
    async fn start() -> Self {
        let setup = Setup::start().await;
        let (room, _) = setup.room(RoomOptions::default()).await;
        let ghost = setup.ghost("gitter_wren-1", &room).await;
        let content = json!({ "msgtype": "m.text", "body": "hello" });
        Self {
            setup,
            room,
            ghost,
            content,
        }
    }

    async fn send(&self) -> Result<ruma::OwnedEventId, MatrixError> {
        let event = SendEvent {
            room: &self.room,
            sender: &self.ghost,
            device: Some(device()),
            transaction_id: "gmb01",
            event_type: "m.room.message",
            content: &self.content,
            timestamp: None,
        };
        self.setup.client.send(&event).await
    }

    fn stored(&self) -> usize {
        let is_message = |event: &Value| event["type"] == "m.room.message";
        let events = self.setup.homeserver.events(&self.room);
        events.iter().filter(|event| is_message(event)).count()
    }
}

#[tokio::test]
async fn a_status_is_told_with_its_code_and_what_was_asked() {
    let sending = Sending::start().await;
    sending.setup.homeserver.add_fault(fault(
        Stage::Before,
        Effect::Status {
            status: StatusCode::TOO_MANY_REQUESTS,
            errcode: Some("M_LIMIT_EXCEEDED"),
            retry_after: Some(Duration::from_millis(1_500)),
        },
    ));
    let error = sending.send().await.unwrap_err();
    assert_eq!(error.endpoint(), Endpoint::Send);
    assert_eq!(error.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    assert!(error.is("M_LIMIT_EXCEEDED"));
    assert_eq!(error.retry_after(), Some(Duration::from_millis(1_500)));
    assert_eq!(sending.stored(), 0);
}

#[tokio::test]
async fn a_gateways_error_may_hide_success() {
    let sending = Sending::start().await;
    sending.setup.homeserver.add_fault(fault(
        Stage::After,
        Effect::Status {
            status: StatusCode::GATEWAY_TIMEOUT,
            errcode: None,
            retry_after: Some(Duration::from_secs(3)),
        },
    ));
    let error = sending.send().await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::GATEWAY_TIMEOUT));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
    assert_eq!(sending.stored(), 1);
    sending.send().await.unwrap();
    assert_eq!(sending.stored(), 1);
}

#[tokio::test]
async fn a_broken_connection_is_interrupted_whether_or_not_it_was_done() {
    for (stage, stored) in [(Stage::Before, 0), (Stage::After, 1)] {
        let sending = Sending::start().await;
        sending.setup.homeserver.add_fault(fault(stage, Effect::Reset));
        let error = sending.send().await.unwrap_err();
        assert!(matches!(error, MatrixError::Interrupted { .. }), "{error:?}");
        assert_eq!(sending.stored(), stored, "{stage:?}");
        sending.send().await.unwrap();
        assert_eq!(sending.stored(), 1, "{stage:?}");
    }
}

#[tokio::test]
async fn a_late_answer_is_waited_for() {
    let sending = Sending::start().await;
    let latency = Duration::from_millis(50);
    for stage in [Stage::Before, Stage::After] {
        sending
            .setup
            .homeserver
            .add_fault(fault(stage, Effect::Latency(latency)));
        let start = Instant::now();
        let stored = sending.setup.homeserver.wait_for_messages(&sending.room, 1);
        let (event_id, stored) = tokio::join!(sending.send(), stored);
        assert!(start.elapsed() >= latency);
        assert_eq!(stored[0]["event_id"], json!(event_id.unwrap()));
    }
}

#[tokio::test]
async fn a_homeserver_that_is_down_is_unreachable_and_named() {
    let mut sending = Sending::start().await;
    sending.setup.homeserver.stop().await;
    let error = sending.send().await.unwrap_err();
    assert!(matches!(error, MatrixError::Unreachable { .. }), "{error:?}");
    let address = sending.setup.homeserver.url().as_str().trim_end_matches('/');
    assert!(error.to_string().contains(address), "{error}");
    sending.setup.homeserver.restart().await;
    sending.send().await.unwrap();
    assert_eq!(sending.stored(), 1);
}

#[tokio::test]
async fn a_ghost_that_is_not_joined_may_not_send() {
    let sending = Sending::start().await;
    sending
        .setup
        .client
        .leave(&sending.room, &sending.ghost)
        .await
        .unwrap();
    assert!(sending.send().await.unwrap_err().is("M_FORBIDDEN"));
    let nobody = UserId::parse("@gitter_nobody-9:localhost").unwrap();
    let error = sending
        .setup
        .client
        .join(&sending.room, &nobody)
        .await
        .unwrap_err();
    assert!(error.is("M_FORBIDDEN"), "{error}");
}

/// A client of a server that is no homeserver.
async fn client_of_other(router: Router) -> MatrixClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    client_of(url.parse().unwrap(), &Settings::default())
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let router = Router::new()
        .route("/elsewhere", get(async || r#"{"versions":["v1.11"]}"#))
        .fallback(any(async || Redirect::temporary("/elsewhere")));
    let error = client_of_other(router).await.versions().await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::TEMPORARY_REDIRECT));
}

#[tokio::test]
async fn an_answer_of_another_form_is_unreadable() {
    let router = Router::new().fallback(any(async || r#"{"welcome":"to this page"}"#));
    let error = client_of_other(router).await.versions().await.unwrap_err();
    assert!(matches!(error, MatrixError::Unreadable { .. }), "{error:?}");
}

/// A body that never ends.
fn endless() -> Body {
    let chunk = || Ok::<_, Infallible>(Bytes::from(vec![b' '; 1 << 20]));
    Body::from_stream(stream::repeat_with(chunk))
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let router = Router::new().fallback(any(async || endless()));
    let error = client_of_other(router).await.versions().await.unwrap_err();
    assert!(matches!(error, MatrixError::Unreadable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_refusal_stands_though_its_body_cannot_be_read() {
    let router = Router::new().fallback(any(async || (StatusCode::BAD_GATEWAY, endless())));
    let error = client_of_other(router).await.versions().await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::BAD_GATEWAY));
}
