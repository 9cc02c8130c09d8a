//! `forget`, against a stand-in of the admin API that notes what it was asked.

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{against_api, asked};

#[tokio::test]
async fn a_person_is_forgotten_only_if_that_is_meant() {
    let answer = json!({
        "user": "@ana:example.org", "items": 3, "messages": 2, "links": 1, "rooms": 4, "waiting": 0,
    })
    .to_string();
    let (run, requests) = against_api(["forget", "@ana:example.org"], 200, &answer).await;
    assert!(run.complained(2).contains("--yes"));
    assert_eq!(requests, []);
    let (run, requests) = against_api(["forget", "@ana:example.org", "--yes"], 200, &answer).await;
    assert_eq!(
        run.printed(0),
        "Forgot @ana:example.org: the texts of 3 items and 2 messages, 1 links, and names in 4 rooms.\n"
    );
    assert_eq!(
        requests,
        [asked(Method::DELETE, "users/@ana:example.org", Value::Null)]
    );
    let (run, _) = against_api(["forget", "@ana:example.org", "--yes", "--json"], 200, &answer).await;
    assert_eq!(run.printed(0), format!("{answer}\n"));
    let waiting = answer.replace("\"waiting\":0", "\"waiting\":5");
    let (run, _) = against_api(["forget", "@ana:example.org", "--yes"], 200, &waiting).await;
    assert!(
        run.printed(0)
            .ends_with("5 items still wait to cross; ask again once they have.\n")
    );
}
