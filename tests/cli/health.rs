//! `health`, against a stand-in of the admin listener that has nothing but `/ready`.

use axum::{Router, http::StatusCode, routing::get};
use tokio::{net::TcpListener, task};

use super::*;

/// Runs `health` against an admin listener, with no admin token at hand.
async fn health(address: String) -> Run {
    let place = Place::new();
    task::spawn_blocking(move || {
        let mut command = place.program(["health"]);
        command.env("GITTER_BRIDGE__ADMIN__LISTEN", address);
        command.output().unwrap().into()
    })
    .await
    .unwrap()
}

/// An admin listener whose bridge is ready or not.
async fn bridge(ready: StatusCode) -> String {
    telling(ready, "").await
}

/// An admin listener whose bridge says what it lacks.
async fn telling(ready: StatusCode, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/ready", get(move || async move { (ready, body) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn a_bridge_is_ready_when_it_says_so() {
    let run = health(bridge(StatusCode::OK).await).await;
    assert_eq!(run.printed(0), "The bridge is ready.\n");
}

#[tokio::test]
async fn a_bridge_that_is_starting_is_not_ready() {
    let address = bridge(StatusCode::SERVICE_UNAVAILABLE).await;
    let told = health(address.clone()).await.complained(1);
    assert!(told.contains(&address), "{told}");
    assert!(told.contains("is not ready"), "{told}");
}

#[tokio::test]
async fn a_bridge_that_is_not_there_is_not_ready() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let told = health(address.clone()).await.complained(1);
    assert!(told.contains(&address), "{told}");
    assert!(told.contains("`gitter-matrix-bridge serve`"), "{told}");
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let body = r#"{"ready":false,"warnings":[],"parts":[
        {"part":"database","ok":true,"since":"2026-11-28T14:00:00Z"},
        {"part":"homeserver","ok":false,"since":"2026-11-28T14:01:00Z","detail":"it is away"}]}"#;
    let told = health(telling(StatusCode::SERVICE_UNAVAILABLE, body).await)
        .await
        .complained(1);
    assert!(
        told.contains("\n  homeserver: it is away (since 2026-11-28T14:01:00Z)\n"),
        "{told}"
    );
    assert!(!told.contains("database"), "{told}");
}
