//! The web page, as far as it goes without a browser; the bridge's end-to-end tests open it in one.

use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::fixture::{Fixture, answer};

async fn open(fixture: &Fixture, path: &str) -> Response {
    let url = format!("{}{path}", fixture.sandbox.web_url());
    fixture.http.get(url).send().await.unwrap()
}

/// The addresses that a text names in `prefix...'` or `prefix..."`.
fn addresses<'text>(text: &'text str, prefix: &str) -> Vec<&'text str> {
    let named = text.split(prefix).skip(1);
    named
        .map(|rest| rest.split(['"', '\'']).next().unwrap())
        .collect()
}

#[tokio::test]
async fn rooms_have_the_page_at_their_uri_in_any_case() {
    let fixture = Fixture::start().await;
    for path in [
        "/",
        "/tidepool/harbour",
        "/Tidepool/HARBOUR?at=5f0000000000000000000d01",
        "/tidepool/locked",
    ] {
        let response = open(&fixture, path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/html; charset=utf-8"
        );
    }
    for path in ["/tidepool/nowhere", "/tidepool", "/api/nowhere"] {
        let (status, body) = answer(open(&fixture, path).await).await;
        assert_eq!(
            (status, body),
            (StatusCode::NOT_FOUND, json!({ "error": "Not Found" })),
            "{path}"
        );
    }
}

#[tokio::test]
async fn all_that_the_page_loads_is_there_and_nothing_else_may_run() {
    let fixture = Fixture::start().await;
    let document = open(&fixture, "/").await;
    let policy = document.headers()[header::CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("default-src 'none'; script-src 'self'"),
        "{policy}"
    );
    let document = document.text().await.unwrap();
    let style = addresses(&document, "rel=\"stylesheet\" href=\"");
    let script = addresses(&document, "src=\"");
    assert_eq!((style.len(), script.len()), (1, 1), "{document}");

    let mut scripts = vec![script[0].to_owned()];
    let mut seen = 0;
    while let Some(path) = scripts.get(seen).cloned() {
        seen += 1;
        let response = open(&fixture, &path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "text/javascript; charset=utf-8"
        );
        let text = response.text().await.unwrap();
        for name in addresses(&text, "from './") {
            let path = format!("/sandbox/page/{name}");
            if !scripts.contains(&path) {
                scripts.push(path);
            }
        }
    }
    assert!(seen > 1, "no script loads another");
    let response = open(&fixture, style[0]).await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/css; charset=utf-8"
    );
}

#[tokio::test]
async fn whoever_opens_the_page_may_be_anybody_but_the_bridge() {
    let fixture = Fixture::start().await;
    let (status, directory) = answer(open(&fixture, "/sandbox/page/directory").await).await;
    assert_eq!(status, 200);
    let rooms: Vec<_> = directory["rooms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|room| (&room["uri"], &room["public"]))
        .collect();
    assert_eq!(
        rooms,
        [
            (&json!("tidepool/harbour"), &json!(true)),
            (&json!("tidepool/reef"), &json!(true)),
            (&json!("tidepool/locked"), &json!(false)),
        ]
    );
    for person in directory["people"].as_array().unwrap() {
        let token = person["token"].as_str().unwrap();
        let (_, user) = fixture.get(token, "/user/me").await;
        assert_eq!(user["username"], person["username"]);
        assert_ne!(token, fixture.sandbox.token());
    }
    let names: Vec<&Value> = directory["people"]
        .as_array()
        .unwrap()
        .iter()
        .map(|person| &person["username"])
        .collect();
    assert_eq!(names, ["wren", "kelp", "bridge_bot"]);
}
