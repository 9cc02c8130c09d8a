//! Each item has one trace, whoever works it, and nothing waits for whoever takes the traces.

use std::{env, fs, path::Path};

use gitter_sandbox::{RequestEffect, When};
use regex::Regex;
use serde_json::{Value, json};

use crate::{
    collector::{Collector, Seen, tree},
    world::{
        Options, Room, World,
        database::{Database, on_both_databases},
    },
};

/// Where two real traces are shown; `BLESS=1 cargo nextest run --test it traces::` writes them anew.
const PAGE: &str = "docs/observability.md";

on_both_databases![
    a_trace_follows_an_item_each_way,
    a_trace_goes_on_in_another_process,
    messages_cross_without_a_collector,
];

async fn world(database: Database, telemetry: Value) -> World {
    let options = Options {
        other_sections: json!({ "telemetry": telemetry }),
        ..Options::default()
    };
    World::with(database, options).await
}

fn named<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in\n{}", tree(spans)))
}

/// Makes sure that a span has these parts, in this order.
#[track_caller]
fn expect_parts(spans: &[Seen], parent: &str, expected: &[&str]) {
    let id = &named(spans, parent).id;
    let parts = spans.iter().filter(|span| span.parent == *id);
    let names: Vec<&str> = parts.map(|span| span.name.as_str()).collect();
    assert_eq!(names, expected, "{}", tree(spans));
}

/// Makes sure that a trace is whole: one first span, all others below it, and an outcome that the ledger knows too.
async fn expect_whole(world: &World, room: &Room, direction: &str, spans: &[Seen]) {
    let first = named(spans, "accept");
    assert!(first.parent.is_empty(), "{first:?}");
    for span in spans {
        assert!(span.ended >= span.begun && !span.failed, "{span:?}");
        assert!(span.parent.is_empty() == (span.id == first.id), "{span:?}");
    }
    expect_parts(spans, "accept", &["wait", "translate", "deliver"]);
    let told = &named(spans, "settle").attributes;
    assert_eq!(told["item.outcome"], "bridged");
    assert_eq!(told["lane.direction"], direction);
    assert_eq!(told["portal.room"], room.gitter.to_string());
    let (_, explained) = world.admin().explain(&told["item.source"]).await;
    assert!(explained.to_string().contains(&told["item.id"]), "{explained}");
}

async fn a_trace_follows_an_item_each_way(database: Database) {
    let is_sqlite = matches!(database, Database::Sqlite);
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("otlp.headers");
    fs::write(&headers, "# for the collector\nAuthorization: Bearer S3CRET\n").unwrap();
    let telemetry = json!({ "otlp_endpoint": collector.url, "headers_file": headers });
    let mut world = world(database, telemetry).await;
    let room = world.link("pier").await;
    // The first of each person makes more of a stir: rooms are joined, names are set.
    world.both_say(&room, "the weather", 1);
    world.crossed().await;

    let event = world.ana_says(&room, "the cat sleeps");
    let own = world.arrives_on_gitter(&room, "the cat sleeps").await.id;
    let to_gitter = collector.trace_of("to_gitter", event.as_str()).await;
    expect_whole(&world, &room, "to_gitter", &to_gitter).await;
    expect_parts(&to_gitter, "translate", &["commit"]);
    let parts = ["budget", "commit", "gitter: create message", "commit", "settle"];
    expect_parts(&to_gitter, "deliver", &parts);
    let posted = named(&to_gitter, "gitter: create message");
    assert_eq!(posted.attributes["http.response.status_code"], "200");

    let message = world.wren_says(&room, "the dog barks").to_string();
    world.arrives_on_matrix(&room, "the dog barks").await;
    let to_matrix = collector.trace_of("to_matrix", &message).await;
    expect_whole(&world, &room, "to_matrix", &to_matrix).await;
    let parts = ["prepare", "commit", "matrix: send", "commit", "settle"];
    expect_parts(&to_matrix, "deliver", &parts);

    // The bridge's own message, when it comes back, is an item too, and says why it did not cross.
    let own = own.to_string();
    let echo = collector.spans_of("to_matrix", &own, &["settle"]).await;
    assert_eq!(named(&echo, "settle").attributes["item.reason"], "own_echo");

    let shown_tokens = collector.header("authorization");
    assert!(!shown_tokens.is_empty() && shown_tokens.iter().all(|value| value == "Bearer S3CRET"));
    assert_nothing_leaks(&world, &collector);
    if is_sqlite {
        shown(&to_gitter, &to_matrix);
    }
    world.close().await;
}

/// Nothing that people said, nobody's name, and no token has left.
fn assert_nothing_leaks(world: &World, collector: &Collector) {
    let told = ["the weather", "the cat", "the dog", "ana:", "gitter_", "S3CRET"];
    for text in told {
        assert!(!collector.holds(text), "{text:?} was told to the collector");
    }
    assert!(
        !collector.holds(world.gitter_token()),
        "the token was told to the collector"
    );
    let settings = world.homeserver.settings();
    for token in [&settings.as_token, &settings.hs_token] {
        assert!(!collector.holds(token), "a token was told to the collector");
    }
    assert!(collector.holds("to_gitter"), "nothing is found at all");
}

/// The page shows what these traces are like; only how long things take may differ.
fn shown(to_gitter: &[Seen], to_matrix: &[Seen]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let mut page = fs::read_to_string(&path).unwrap();
    for (mark, spans) in [("to_gitter", to_gitter), ("to_matrix", to_matrix)] {
        let (begin, end) = (
            format!("<!-- Generated: {mark} -->\n"),
            format!("<!-- End: {mark} -->\n"),
        );
        let (before, rest) = page.split_once(&begin).unwrap();
        let (found, after) = rest.split_once(&end).unwrap();
        let text = format!("\n```\n{}```\n\n", tree(spans));
        if env::var_os("BLESS").is_some() {
            page = format!("{before}{begin}{text}{end}{after}");
        } else {
            assert_eq!(timeless(found), timeless(&text), "write {PAGE} anew with BLESS=1");
        }
    }
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &page).unwrap();
    }
}

/// A tree without times and ids.
fn timeless(tree: &str) -> String {
    let times = Regex::new(r" *\d+\.\d ms").unwrap().replace_all(tree, "_");
    let ids = Regex::new(r"\b[0-9a-f]{24}\b").unwrap().replace_all(&times, "_");
    let events = Regex::new(r"\$[A-Za-z0-9_-]+").unwrap().replace_all(&ids, "_");
    Regex::new(r"live\.\d+")
        .unwrap()
        .replace_all(&events, "_")
        .into_owned()
}

async fn a_trace_goes_on_in_another_process(database: Database) {
    let collector = Collector::start().await;
    let mut world = world(database, json!({ "otlp_endpoint": collector.url })).await;
    let room = world.link("quay").await;
    world.posts_suffer(&room, RequestEffect::Status(500), When::Before, 1);
    let event = world.ana_says(&room, "once more");
    collector
        .spans_of("to_gitter", event.as_str(), &["accept", "translate", "deliver"])
        .await;
    world.bridge.kill().await;
    world.bridge.start().await;
    world.arrives_on_gitter(&room, "once more").await;
    let spans = collector.trace_of("to_gitter", event.as_str()).await;
    let (first, last) = (named(&spans, "accept"), named(&spans, "settle"));
    assert_ne!(first.instance, last.instance, "{}", tree(&spans));
    let tries: Vec<&Seen> = spans.iter().filter(|span| span.name == "deliver").collect();
    assert!(
        tries.len() > 1 && tries.iter().all(|span| span.parent == first.id),
        "{}",
        tree(&spans)
    );
    let refused = named(&spans, "gitter: create message");
    assert!(
        refused.failed && refused.attributes["http.response.status_code"] == "500",
        "{refused:?}"
    );
    world.finish().await;
}

async fn messages_cross_without_a_collector(database: Database) {
    // It takes connections and never answers: the worst that a collector can do.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut world = world(database, json!({ "otlp_endpoint": endpoint })).await;
    let room = world.link("jetty").await;
    world.both_say(&room, "message", 3);
    world.crossed().await;
    // And then it is gone.
    drop(silent);
    world.both_say(&room, "another", 3);
    world.crossed().await;
    world.bridge.stop().await;
    let log = world.bridge.whole_log();
    let told = log.matches("The collector takes no traces").count();
    assert_eq!(told, 1, "{}", world.bridge.end_of_log());
    world.bridge.start().await;
    world.finish().await;
}
