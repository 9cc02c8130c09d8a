//! `item` and `explain`, against a stand-in of the admin API that notes what it was asked.

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{Asked, against_api, asked};
use crate::Run;

const ID: &str = "to_gitter.live.17.5f0000000000000000000a01";

async fn run(arguments: &[&str], status: u16, body: &Value) -> (Run, Vec<Asked>) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    against_api(arguments, status, &body).await
}

fn items(next: &Value) -> Value {
    json!({ "items": [
        { "id": ID, "direction": "to_gitter", "room": "5f0000000000000000000a01", "source_id": "$said", "state": "settled",
          "outcome": "failed", "reason": "forbidden", "detail": "Gitter answered 403", "attempts": 1,
          "next_attempt_at": null, "created_at": "2020-12-01T10:00:00Z" },
        { "id": "to_matrix.live.3.5f0000000000000000000a01", "direction": "to_matrix", "room": "5f0000000000000000000a01",
          "source_id": "5f0000000000000000000d01", "state": "waiting", "outcome": null, "reason": null, "detail": null,
          "attempts": 0, "next_attempt_at": "2020-12-01T10:00:05Z", "created_at": "2020-12-01T10:00:00Z" },
    ], "next": next })
}

#[tokio::test]
async fn items_are_listed() {
    let (told, requests) = run(&["item", "list"], 200, &items(&json!(ID))).await;
    let told = told.printed(0);
    let lines: Vec<Vec<&str>> = told
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..4], ["ITEM", "SOURCE", "STATE", "WHY"], "{told}");
    let first = format!("{ID} $said failed forbidden: Gitter answered 403 1 2020-12-01T10:00:00Z");
    assert_eq!(lines[1].join(" "), first, "{told}");
    assert_eq!(lines[2][1..3], ["5f0000000000000000000d01", "waiting"], "{told}");
    assert!(
        told.ends_with(&format!("There are more: say --after {ID}\n")),
        "{told}"
    );
    assert_eq!(requests, [asked(Method::GET, "items", Value::Null)]);

    let arguments = [
        "item",
        "list",
        "--failed",
        "--room",
        "!r:example.org",
        "--after",
        ID,
    ];
    let (told, requests) = run(&arguments, 200, &json!({ "items": [], "next": null })).await;
    assert_eq!(told.printed(0), "Nothing has failed.\n");
    let path = format!("items?state=failed&room=%21r%3Aexample.org&after={ID}");
    assert_eq!(requests, [asked(Method::GET, &path, Value::Null)]);
}

#[tokio::test]
async fn json_is_the_answer_as_it_is() {
    let list = items(&Value::Null);
    let refusal = json!({ "errcode": "M_NOT_FOUND", "error": "nothing is known of \"x\"", "mend": "look" });
    for (arguments, status, body, code) in [
        (&["item", "list", "--json"][..], 200, &list, 0),
        (&["explain", "$said", "--json"], 200, &explanation(), 0),
        (&["explain", "x", "--json"], 404, &refusal, 1),
        (&["item", "retry", ID, "--json"], 404, &refusal, 1),
    ] {
        let (told, _) = run(arguments, status, body).await;
        assert_eq!(told.printed(code), format!("{body}\n"), "{arguments:?}");
    }
    let (told, _) = run(&["item", "retry", ID, "--json"], 202, &Value::Null).await;
    assert_eq!(told.printed(0), "");
}

#[tokio::test]
async fn an_item_is_retried() {
    let (told, requests) = run(&["item", "retry", ID], 202, &Value::Null).await;
    assert!(told.printed(0).starts_with(&format!("{ID} is tried again.")));
    assert_eq!(
        requests,
        [asked(Method::POST, &format!("items/{ID}/retry"), Value::Null)]
    );
    let refusal = json!({
        "errcode": "GITTER_NOT_RETRIED", "error": "the item cannot be retried: it has not failed", "mend": "see",
    });
    let (told, _) = run(&["item", "retry", ID], 409, &refusal).await;
    assert_eq!(
        told.complained(1),
        "error: the item cannot be retried: it has not failed (GITTER_NOT_RETRIED)\nmend:  see\n"
    );
    let (told, requests) = run(&["item", "retry", ""], 202, &Value::Null).await;
    assert_eq!((told.code, requests), (Some(2), Vec::new()));
}

#[tokio::test]
async fn an_item_is_dropped_only_if_that_is_meant() {
    let (told, requests) = run(&["item", "drop", ID], 204, &Value::Null).await;
    assert!(told.complained(2).contains("--yes"));
    assert_eq!(requests, []);
    let (told, requests) = run(&["item", "drop", ID, "--yes"], 204, &Value::Null).await;
    assert_eq!(told.printed(0), format!("Dropped {ID}.\n"));
    assert_eq!(
        requests,
        [asked(Method::DELETE, &format!("items/{ID}"), Value::Null)]
    );
}

fn explanation() -> Value {
    json!({ "items": [{
        "id": ID, "direction": "to_gitter", "room": "5f0000000000000000000a01", "source_id": "$said",
        "operation": "m.room.message", "state": "settled", "outcome": "failed", "reason": "gave_up",
        "detail": "Gitter answered 500", "next_attempt_at": null, "created_at": "2020-12-01T10:00:00Z",
        "settled_at": "2020-12-02T10:00:00Z",
        "attempts": [
            { "position": 0, "action": "send", "state": "done", "tries": 1, "opened_at": "2020-12-01T10:00:01Z",
              "result_id": "5f0000000000000000000d01", "error": null },
            { "position": 1, "action": "send", "state": "unknown", "tries": 9, "opened_at": "2020-12-02T09:59:00Z",
              "result_id": null, "error": "Gitter answered 500" },
        ],
        "matrix_event_ids": ["$said"], "gitter_message_ids": ["5f0000000000000000000d01"],
    }], "messages": [] })
}

#[tokio::test]
async fn an_id_is_explained() {
    let (told, requests) = run(&["explain", "$sa/id"], 200, &explanation()).await;
    assert_eq!(
        told.printed(0),
        format!(
            "{ID}\n  \
               direction   to_gitter, 5f0000000000000000000a01\n  \
               source      $said (m.room.message)\n  \
               accepted    2020-12-01T10:00:00Z\n  \
               outcome     failed, gave_up: Gitter answered 500\n  \
               settled     2020-12-02T10:00:00Z\n  \
               attempt     send, done, 1 try -> 5f0000000000000000000d01\n  \
               attempt     send, unknown, 9 tries: Gitter answered 500\n  \
               on Matrix   $said\n  \
               on Gitter   5f0000000000000000000d01\n"
        )
    );
    assert_eq!(requests, [asked(Method::GET, "explain/$sa%2Fid", Value::Null)]);

    let old = json!({ "items": [], "messages": [{
        "gitter_room_id": "5f0000000000000000000a01", "matrix_room_id": "!r:example.org", "part": 0,
        "gitter_message_id": "5f0000000000000000000d01", "matrix_event_id": "$said", "kind": "create", "origin": "matrix",
    }] });
    let (told, _) = run(&["explain", "$said"], 200, &old).await;
    assert!(
        told.printed(0)
            .ends_with("5f0000000000000000000d01 on Gitter is $said on Matrix (create)\n")
    );
}
