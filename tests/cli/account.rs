//! `account`, against a stand-in of the admin API that notes what it was asked.

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{against_api, asked};

fn paused() -> Value {
    json!({ "user_id": "5f0000000000000000000b01", "username": "bridge_bot", "state": "paused",
        "since": "2020-12-01T10:00:00Z", "reason": "silent ban", "mend": "ask" })
}

#[tokio::test]
async fn accounts_are_listed() {
    let body = json!({ "accounts": [paused()] }).to_string();
    let (told, requests) = against_api(["account", "list"], 200, &body).await;
    let told = told.printed(0);
    let row = told
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>();
    let expected = "bridge_bot 5f0000000000000000000b01 paused 2020-12-01T10:00:00Z silent ban ask";
    assert_eq!(row.join(" "), expected, "{told}");
    assert_eq!(requests, [asked(Method::GET, "accounts", Value::Null)]);
}

#[tokio::test]
async fn an_account_is_resumed() {
    let (told, requests) = against_api(["account", "resume", "bridge_bot"], 200, &paused().to_string()).await;
    assert_eq!(told.printed(0), "bridge_bot sends again.\n");
    let path = "accounts/bridge_bot/resume";
    assert_eq!(requests, [asked(Method::POST, path, Value::Null)]);
}
