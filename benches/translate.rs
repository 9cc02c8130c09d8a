//! How fast a typical message is translated, each way: some 200 bytes with a mention, a link and some emphasis.
//! The goal is 20,000 messages a second on one core. Hostile messages are measured beside it: each must take less
//! than 50 ms.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gitter_matrix_bridge::translate::{Context, to_gitter, to_matrix};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

const WREN: &str = "@gitter_wren-5f0000000000000000000c01:example.org";

fn context() -> Context {
    serde_json::from_value(json!({
        "server_name": "example.org",
        "now": "2020-12-01T10:00:00Z",
        "web_url": "https://gitter.example.org",
        "portal": {
            "gitter_room_id": "5f0000000000000000000a01",
            "gitter_uri": "tidepool/harbour",
            "matrix_room_id": "!r:example.org",
        },
        "users": [{
            "mxid": WREN,
            "gitter_id": "5f0000000000000000000c01",
            "username": "wren",
            "display_name": "Wren",
        }],
        "members": [{ "mxid": "@ana:example.org", "display_name": "Ana" }],
    }))
    .unwrap()
}

fn event(content: &Value) -> Box<RawValue> {
    to_raw_value(&json!({
        "type": "m.room.message",
        "event_id": "$e1",
        "sender": "@ana:example.org",
        "origin_server_ts": 1_606_816_800_000_i64,
        "content": content,
    }))
    .unwrap()
}

/// A message with formatting, and the same without.
fn typical_events() -> [(&'static str, Box<RawValue>); 2] {
    let body = "Wren: the new release is out, see https://example.org/releases/1.2 for what changed. **Please** try \
                the migration on a *copy* first, and tell me here if any of the tests fail. Thanks!";
    let formatted = format!(
        "<a href=\"https://matrix.to/#/{WREN}\">Wren</a>: the new release is out, see <a href=\"https://example.org/\
         releases/1.2\">what changed</a>. <strong>Please</strong> try the migration on a <em>copy</em> first, and \
         tell me here if any of the tests fail. Thanks!"
    );
    let plain = json!({ "msgtype": "m.text", "body": body, "m.mentions": { "user_ids": [WREN] } });
    let mut with_html = plain.clone();
    let fields = with_html.as_object_mut().unwrap();
    fields.insert("format".to_owned(), "org.matrix.custom.html".into());
    fields.insert("formatted_body".to_owned(), formatted.into());
    [("formatted", event(&with_html)), ("plain", event(&plain))]
}

fn model(text: &str, html: &str) -> to_matrix::Operation {
    let model = json!({
        "id": "5f0000000000000000000d01",
        "text": text,
        "html": html,
        "sent": "2020-12-01T10:00:00.000Z",
        "mentions": [{ "screenName": "wren", "userId": "5f0000000000000000000c01", "userIds": [] }],
        "urls": [],
        "issues": [],
        "meta": [],
        "v": 1,
        "fromUser": { "id": "5f0000000000000000000c01", "username": "wren", "displayName": "Wren" },
    });
    to_matrix::Operation {
        operation: "create".to_owned(),
        model,
    }
}

fn typical_model() -> to_matrix::Operation {
    model(
        "@wren: the new release is out, see [what changed](https://example.org/releases/1.2). **Please** try the \
         migration on a *copy* first, and tell me here if any of the tests fail. Thanks! :smile:",
        "<span data-link-type=\"mention\" data-screen-name=\"wren\" class=\"mention\">@wren</span>: the new release is \
         out, see <a href=\"https://example.org/releases/1.2\" rel=\"nofollow noopener noreferrer\" target=\"_blank\" \
         class=\"link\">what changed</a>. <strong>Please</strong> try the migration on a <em>copy</em> first, and tell \
         me here if any of the tests fail. Thanks! :smile:",
    )
}

fn typical(criterion: &mut Criterion) {
    let context = context();
    let mut group = criterion.benchmark_group("typical");
    group.throughput(Throughput::Elements(1));
    for (name, event) in typical_events() {
        group.bench_function(format!("to_gitter/{name}"), |bencher| {
            bencher.iter(|| to_gitter::translate(black_box(&event), &context));
        });
    }
    let operation = typical_model();
    group.bench_function("to_matrix", |bencher| {
        bencher.iter(|| to_matrix::translate(black_box(&operation), &context));
    });
    group.finish();
}

/// Texts that somebody might send to keep the bridge busy.
fn hostile_texts() -> Vec<(&'static str, String)> {
    vec![
        ("20,000 nested tags", "<b>".repeat(20_000)),
        ("1 MB of <", "<".repeat(1_000_000)),
        ("1,900 nested tags", "<i>x".repeat(1_900)),
        ("600 nested quotations", "<blockquote>x".repeat(600)),
        ("300 nested lists", "<ul><li>x".repeat(300)),
        ("60 KB of asterisks", "*".repeat(60_000)),
        ("60 KB of words", "word ".repeat(12_000)),
        ("60 KB of addresses", "https://a.example/b_c ".repeat(2_700)),
        (
            "60 KB of an address",
            format!("https://a.example/{}", "a_(".repeat(20_000)),
        ),
        ("60 KB of at signs", "@a".repeat(30_000)),
        ("60 KB of hosts", "a.bc/".repeat(12_000)),
        ("60 KB of colons", ":a".repeat(30_000)),
        ("60 KB of backticks", "`".repeat(60_000)),
        ("60 KB of backticks in runs", "` `` ``` ".repeat(6_600)),
        ("60 KB of brackets", "[](".repeat(20_000)),
        ("60 KB of stand-ins", "{media:".repeat(8_500)),
        ("1,000 paragraphs", "<p>word</p>".repeat(1_000)),
        ("900 links", "<a href=\"//a\">b</a>".repeat(900)),
    ]
}

fn hostile(criterion: &mut Criterion) {
    let context = context();
    let mut group = criterion.benchmark_group("hostile");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    for (name, text) in hostile_texts() {
        let content = json!({
            "msgtype": "m.text",
            "body": text,
            "format": "org.matrix.custom.html",
            "formatted_body": text,
            "m.mentions": { "user_ids": [WREN] },
        });
        let event = event(&content);
        group.bench_function(format!("to_gitter/{name}"), |bencher| {
            bencher.iter(|| to_gitter::translate(black_box(&event), &context));
        });
        let operation = model(&text, &text);
        group.bench_function(format!("to_matrix/{name}"), |bencher| {
            bencher.iter(|| to_matrix::translate(black_box(&operation), &context));
        });
    }
    group.finish();
}

criterion_group!(benches, typical, hostile);
criterion_main!(benches);
