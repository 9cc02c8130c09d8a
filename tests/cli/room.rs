//! `room`, against a stand-in of the admin API that notes what it was asked.

use axum::http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    api::{Asked, against_api, asked},
    *,
};

/// Runs `room` against a bridge that gives one answer to everything.
async fn room(arguments: &[&str], status: u16, body: &str) -> (Run, Vec<Asked>) {
    against_api(["room"].iter().chain(arguments), status, body).await
}

fn portal() -> Value {
    json!({
        "gitter_room_id": "5f0000000000000000000a01", "gitter_uri": "tidepool/harbour",
        "matrix_room_id": "!r:example.org", "kind": "linked", "state": "active", "waiting": 2, "failed": 1,
        "last_bridged_at": "2020-12-01T10:00:00Z",
    })
}

#[tokio::test]
async fn rooms_are_linked() {
    for (status, words) in [(201, "Linked"), (200, "Already linked:")] {
        let (run, requests) = room(
            &["link", "tidepool/harbour", "#harbour:example.org"],
            status,
            &portal().to_string(),
        )
        .await;
        assert_eq!(
            run.printed(0),
            format!("{words} tidepool/harbour and !r:example.org.\n")
        );
        let body = json!({ "gitter_uri": "tidepool/harbour", "matrix_room": "#harbour:example.org", "dry_run": false });
        assert_eq!(requests, [asked(Method::POST, "rooms", body)]);
    }
}

#[tokio::test]
async fn what_could_be_better_in_linked_rooms_is_told() {
    let mut linked = portal();
    linked["notes"] = json!([
        { "check": "matrix_room_power", "ok": true, "detail": "the bot may not redact", "mend": "give it 50" },
    ]);
    let arguments = ["link", "tidepool/harbour", "!r:example.org"];
    let (run, _) = room(&arguments, 201, &linked.to_string()).await;
    let told = run.printed(0);
    let last = told.lines().last().unwrap();
    for word in [
        "matrix_room_power",
        "note",
        "the bot may not redact",
        "give it 50",
    ] {
        assert!(last.contains(word), "{told}");
    }
}

#[tokio::test]
async fn a_room_is_made_for_whom_asks() {
    let harbour = "tidepool/harbour";
    for (requester, body) in [
        (None, Value::Null),
        (Some("@ana:example.org"), json!("@ana:example.org")),
    ] {
        let mut arguments = vec!["create", harbour];
        arguments.extend(requester.into_iter().flat_map(|it| ["--requester", it]));
        let (run, requests) = room(&arguments, 201, &portal().to_string()).await;
        assert_eq!(run.printed(0), "Linked tidepool/harbour and !r:example.org.\n");
        let body = json!({ "gitter_uri": harbour, "requester": body, "dry_run": false });
        assert_eq!(requests, [asked(Method::POST, "rooms", body)]);
    }
}

#[tokio::test]
async fn a_dry_run_shows_each_check_with_its_mend() {
    let checks = json!({ "checks": [
        { "check": "gitter_room", "ok": true, "detail": "tidepool/harbour is public", "mend": null },
        { "check": "bot_joined", "ok": false, "detail": "the bot is not in the room", "mend": "invite @gitterbot:example.org" },
    ] });
    let arguments = ["link", "tidepool/harbour", "!r:example.org", "--dry-run"];
    let (run, requests) = room(&arguments, 200, &checks.to_string()).await;
    let told = run.printed(1);
    let lines: Vec<_> = told.lines().map(str::trim).collect();
    assert!(
        lines[0].starts_with("CHECK") && lines[0].ends_with("MEND"),
        "{told}"
    );
    assert!(
        lines[1].starts_with("gitter_room") && lines[1].contains("ok"),
        "{told}"
    );
    assert!(
        lines[2].contains("FAILED") && lines[2].ends_with("invite @gitterbot:example.org"),
        "{told}"
    );
    assert!(lines[4].contains("1 failed"), "{told}");
    assert_eq!(requests[0].body["dry_run"], true);

    let arguments = [
        "link",
        "tidepool/harbour",
        "!r:example.org",
        "--dry-run",
        "--json",
    ];
    let (run, _) = room(&arguments, 200, &checks.to_string()).await;
    assert_eq!(run.printed(1), format!("{checks}\n"));
    let good =
        json!({ "checks": [{ "check": "gitter_room", "ok": true, "detail": "", "mend": "" }] }).to_string();
    let (run, _) = room(&arguments, 200, &good).await;
    assert_eq!(run.printed(0), format!("{good}\n"));
    let (run, _) = room(
        &["link", "tidepool/harbour", "!r:example.org", "--dry-run"],
        200,
        &good,
    )
    .await;
    run.printed(0);
}

#[tokio::test]
async fn rooms_are_listed_and_shown() {
    let list = json!({ "rooms": [portal()] }).to_string();
    let (run, requests) = room(&["list"], 200, &list).await;
    let told = run.printed(0);
    for word in [
        "GITTER ROOM",
        "tidepool/harbour",
        "!r:example.org",
        "active",
        "2020-12-01T10:00:00Z",
    ] {
        assert!(told.contains(word), "{told}");
    }
    assert_eq!(requests, [asked(Method::GET, "rooms", Value::Null)]);
    let (run, _) = room(&["list"], 200, "{\"rooms\":[]}").await;
    assert!(run.printed(0).starts_with("No rooms are linked."));

    let (run, requests) = room(&["show", "5f0000000000000000000a01"], 200, &portal().to_string()).await;
    let told = run.printed(0);
    assert!(
        told.contains("gitter room   tidepool/harbour (5f0000000000000000000a01)\n"),
        "{told}"
    );
    assert_eq!(
        requests,
        [asked(Method::GET, "rooms/5f0000000000000000000a01", Value::Null)]
    );
}

#[tokio::test]
async fn json_is_the_answer_as_it_is() {
    let body = "{\"rooms\": [ ],\n \"more\":1}";
    let (run, _) = room(&["list", "--json"], 200, body).await;
    assert_eq!(run.printed(0), format!("{body}\n"));
    let refusal = json!({ "errcode": "M_NOT_FOUND", "error": "no such room", "mend": "look at `room list`" })
        .to_string();
    let (run, _) = room(&["show", "x", "--json"], 404, &refusal).await;
    assert_eq!(run.printed(1), format!("{refusal}\n"));
}

#[tokio::test]
async fn a_room_is_unlinked_only_if_that_is_meant() {
    let (run, requests) = room(&["unlink", "!r:example.org"], 204, "").await;
    assert!(run.complained(2).contains("--yes"));
    assert_eq!(requests, []);
    let (run, requests) = room(&["unlink", "!a/b#c:example.org", "--yes"], 204, "").await;
    assert_eq!(run.printed(0), "Unlinked !a/b#c:example.org.\n");
    assert_eq!(
        requests,
        [asked(Method::DELETE, "rooms/!a%2Fb%23c:example.org", Value::Null)]
    );
    let (run, _) = room(&["unlink", "!r:example.org", "--yes", "--json"], 204, "").await;
    assert_eq!(run.printed(0), "");
}

#[tokio::test]
async fn settings_are_shown_and_changed() {
    let settings = json!({ "threads": "reply", "membership": "lazy", "notices": true, "metadata": false,
        "moderation": false, "set": ["threads"] })
    .to_string();
    let (run, requests) = room(&["settings", "x"], 200, &settings).await;
    let told = run.printed(0);
    let lines: Vec<Vec<&str>> = told
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(
        lines.contains(&vec!["threads", "reply", "this", "room"]),
        "{told}"
    );
    assert!(lines.contains(&vec!["notices", "on", "configuration"]), "{told}");
    assert_eq!(requests, [asked(Method::GET, "rooms/x/settings", Value::Null)]);
    for (value, body) in [("reply", json!("reply")), ("default", Value::Null)] {
        let (run, requests) = room(&["settings", "x", "threads", value, "--json"], 200, &settings).await;
        assert_eq!(run.printed(0), format!("{settings}\n"));
        let body = json!({ "threads": body });
        assert_eq!(requests, [asked(Method::PUT, "rooms/x/settings", body)]);
    }
    let (run, requests) = room(&["settings", "x", "threads"], 200, &settings).await;
    let told = run.complained(2);
    assert!(told.contains("<VALUE>") || told.contains("[VALUE]"), "{told}");
    assert_eq!(requests, []);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_mend() {
    let refusal = json!({
        "errcode": "GITTER_CHECK_FAILED", "error": "the rooms cannot be linked", "mend": "see the checks",
        "checks": [{ "check": "public", "ok": false, "detail": "the room is private", "mend": "make it public" }],
    });
    let (run, _) = room(
        &["link", "tidepool/harbour", "!r:example.org"],
        422,
        &refusal.to_string(),
    )
    .await;
    assert_eq!(run.code, Some(1));
    assert_eq!(
        run.stderr,
        "error: the rooms cannot be linked (GITTER_CHECK_FAILED)\nmend:  see the checks\n"
    );
    assert!(run.stdout.contains("make it public"), "{}", run.stdout);
    let (run, _) = room(&["list"], 502, "<html>Bad gateway</html>").await;
    assert!(
        run.complained(1)
            .contains("502 Bad Gateway answered, but not like the bridge")
    );
    let (run, _) = room(&["list"], 200, "<html>Hello</html>").await;
    assert!(
        run.complained(1)
            .contains("the bridge answered something else than expected")
    );
}

#[tokio::test]
async fn a_bridge_that_is_not_there_is_named_with_the_way_to_start_it() {
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let place = Place::new();
    for (token, listen) in [
        (None, free.to_string()),
        (Some("S3CRET"), free.to_string()),
        (Some("S3CRET"), format!("0.0.0.0:{}", free.port())),
    ] {
        if let Some(token) = token {
            place.write("admin.token", token);
        }
        let mut command = place.program(["room", "list"]);
        command.env("GITTER_BRIDGE__ADMIN__LISTEN", listen);
        let told = Run::from(command.output().unwrap()).complained(1);
        assert!(told.contains(&format!("http://{free}")), "{told}");
        assert!(told.contains("`gitter-matrix-bridge serve`"), "{told}");
        assert!(!told.contains("S3CRET"), "{told}");
    }
}
