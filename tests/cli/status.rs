//! `status`, against a stand-in of the admin API.

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{against_api, asked};

fn way(waiting: u64, failed: u64) -> Value {
    json!({
        "waiting": waiting, "oldest_at": (waiting > 0).then_some("2020-12-01T10:00:00Z"), "failed": failed,
        "bridged_lately": 40, "skipped_lately": 1, "failed_lately": failed, "closed_until": null,
    })
}

fn room(uri: &str, state: &str, failed: u64) -> Value {
    json!({
        "gitter_room_id": "5f0000000000000000000a01", "gitter_uri": uri, "matrix_room_id": "!r:example.org",
        "kind": "linked", "state": state, "waiting": 0, "failed": failed, "last_bridged_at": null,
    })
}

fn running(rooms: &[Value]) -> Value {
    json!({
        "version": "9.9.9", "started_at": "2020-12-01T09:00:00Z",
        "health": { "ready": true, "parts": [], "warnings": ["Another bridge has these tokens."] },
        "running": {
            "database": "SQLite", "lately_since": "2020-12-01T09:00:00Z", "to_gitter": way(0, 0), "to_matrix": way(2, 1),
            "sockets": 1, "rooms_followed": 2, "accounts": [],
            "budget": { "limit": 100, "remaining": 98, "resets_at": null, "wait": 0, "backlog_wait": 75 },
            "rooms": rooms,
        },
    })
}

#[tokio::test]
async fn what_needs_somebody_is_listed() {
    let rooms = [
        room("tidepool/harbour", "active", 0),
        room("tidepool/pier", "broken", 0),
        room("tidepool/quay", "active", 3),
    ];
    let (told, requests) = against_api(["status"], 200, &running(&rooms).to_string()).await;
    assert_eq!(requests, [asked(Method::GET, "status", Value::Null)]);
    let told = told.printed(0);
    for words in [
        "gitter-matrix-bridge 9.9.9, up for ",
        "Another bridge has these tokens.",
        "to Gitter   0 waiting, 0 failed, 40 crossed",
        "to Matrix   2 waiting (the oldest for ",
        "2 rooms followed on 1 connection; 98 of 100 requests left, the last that waits goes out in 1m 15s",
        "rooms       3 linked, 2 to look at:",
        "tidepool/pier",
        "tidepool/quay",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(
        !told.contains("tidepool/harbour") && !told.contains('\u{1b}'),
        "{told}"
    );
}

#[tokio::test]
async fn what_a_bridge_that_starts_waits_for_is_told() {
    let health = json!({ "ready": false, "warnings": [], "parts": [
        { "part": "database", "ok": false, "since": "2020-12-01T09:00:00Z", "detail": "it does not answer" },
    ] });
    let body = json!({ "version": "9.9.9", "started_at": "2020-12-01T09:00:00Z", "health": health, "running": null });
    let (told, _) = against_api(["status"], 200, &body.to_string()).await;
    let told = told.printed(0);
    assert!(
        told.contains(", NOT READY\n  database: it does not answer"),
        "{told}"
    );
    assert!(told.ends_with("It still starts.\n"), "{told}");
}

#[tokio::test]
async fn the_api_is_shown_as_it_is() {
    let body = running(&[]).to_string();
    let (told, _) = against_api(["status", "--json"], 200, &body).await;
    assert_eq!(told.printed(0), format!("{body}\n"));
}

#[tokio::test]
async fn without_rooms_the_next_step_is_named() {
    let (told, _) = against_api(["status"], 200, &running(&[]).to_string()).await;
    let told = told.printed(0);
    assert!(
        told.ends_with("rooms       none linked; link two: gitter-matrix-bridge room link\n"),
        "{told}"
    );
}
