//! The page's parts, by what they say.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    bridge::{
        overview::{BudgetOverview, PerWay, RoomOverview, SLOTS, Way},
        provision::PortalView,
    },
    health::{Health, Part},
    store::{PortalKind, PortalState},
};

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn about() -> About {
    About {
        server_name: "example.org".to_owned(),
        started: now(),
        version: "1.2.3",
    }
}

fn room(number: u32, uri: &str, state: PortalState) -> RoomOverview {
    RoomOverview {
        portal: PortalView {
            gitter_room_id: format!("5f0000000000000000{number:06x}").parse().unwrap(),
            gitter_uri: uri.to_owned(),
            matrix_room_id: format!("!r{number}:example.org").try_into().unwrap(),
            kind: PortalKind::Linked,
            state,
            waiting: 0,
            failed: 0,
            last_bridged_at: None,
            state_detail: None,
        },
        gitter_address: format!("https://gitter.example.org/room-{number}"),
        matrix_address: format!("https://matrix.to/#/!r{number}:example.org"),
        ways: PerWay::default(),
    }
}

fn overview(rooms: Vec<RoomOverview>) -> Overview {
    Overview {
        rooms,
        ways: PerWay::default(),
        since: now(),
        failed: Vec::new(),
        closed_until: PerWay::default(),
        accounts: Vec::new(),
        budget: None,
        sockets: 0,
        followed: 0,
        database: "SQLite",
    }
}

fn failed_item(detail: &str) -> FailedItem {
    FailedItem {
        id: "to_gitter.live.7.5f0000000000000000000a01".to_owned(),
        direction: Direction::ToGitter,
        room: "tidepool/harbour".to_owned(),
        source_id: "$event".to_owned(),
        operation: "m.room.message".to_owned(),
        reason: "forbidden".to_owned(),
        detail: detail.to_owned(),
        attempts: 2,
        failed_at: now(),
    }
}

fn page(overview: &Overview, find: &str) -> String {
    let health = Health::default();
    for part in [
        Part::Credentials,
        Part::Database,
        Part::Homeserver,
        Part::Account,
        Part::Realtime,
    ] {
        health.works(part);
    }
    page_of(overview, &health, find)
}

fn page_of(overview: &Overview, health: &Health, find: &str) -> String {
    let shown = Shown {
        overview,
        health: &health.view(),
        about: &about(),
        find,
        form_token: "form-token",
        now: now(),
    };
    status(&shown, None).into_string()
}

/// Makes sure that these texts are there, in this order.
#[track_caller]
fn in_order(page: &str, texts: &[&str]) {
    let mut rest = page;
    for text in texts {
        let at = rest.find(text).unwrap_or_else(|| panic!("no {text:?} in {rest}"));
        rest = &rest[at + text.len()..];
    }
}

#[test]
fn an_empty_bridge_says_what_to_do_first() {
    let page = page(&overview(Vec::new()), "");
    in_order(
        &page,
        &[
            "All is well",
            "No rooms are linked yet",
            "Nothing has failed",
            "No rooms are linked yet",
        ],
    );
    assert!(!page.contains("<table class=\"rooms\""));
}

#[test]
fn each_state_has_its_word_and_its_sign() {
    for (state, word, sign) in [
        (PortalState::Active, "running", "sign well"),
        (PortalState::CatchingUp, "catching up", "sign busy"),
        (PortalState::Paused, "paused", "sign attention"),
        (PortalState::Private, "private", "sign attention"),
        (PortalState::Broken, "broken", "sign trouble"),
    ] {
        let page = page(&overview(vec![room(1, "tidepool/pier", state)]), "");
        in_order(&page, &["class=\"state\"", sign, &format!("</svg>{word}</span>")]);
    }
}

#[test]
fn rooms_with_trouble_come_first() {
    let mut failing = room(3, "tidepool/c-failing", PortalState::Active);
    failing.portal.failed = 1;
    let mut late = room(5, "tidepool/e-late", PortalState::Active);
    late.ways.to_gitter = Way {
        waiting: 1,
        oldest: Some(now() - summary::LATE - jiff::SignedDuration::from_secs(1)),
        ..Way::default()
    };
    let rooms = vec![
        room(1, "tidepool/A-well", PortalState::Active),
        room(2, "tidepool/b-well", PortalState::CatchingUp),
        failing,
        room(4, "tidepool/d-broken", PortalState::Broken),
        late,
        room(6, "tidepool/f-paused", PortalState::Paused),
    ];
    let page = page(&overview(rooms), "");
    let names = ["c-failing", "d-broken", "f-paused", "e-late", "A-well", "b-well"];
    in_order(
        &page,
        &names
            .map(|name| format!("<bdi>tidepool/{name}"))
            .each_ref()
            .map(String::as_str),
    );
    in_order(
        &page,
        &["Something needs you", "1 room is broken", "1 room is stopped"],
    );
}

#[test]
fn rooms_are_found_by_name_and_by_id() {
    let rooms = vec![
        room(1, "tidepool/Pier", PortalState::Active),
        room(2, "tidepool/quay", PortalState::Active),
    ];
    let overview = overview(rooms);
    for (find, found) in [
        ("PIER", "1 of 2 rooms"),
        ("!r2:", "1 of 2 rooms"),
        ("tide", "2 of 2 rooms"),
        ("<none>", "0 of 2 rooms"),
    ] {
        let page = page(&overview, find);
        assert!(page.contains(found), "{find}: {page}");
        assert_eq!(
            page.contains("tidepool/quay"),
            found.starts_with('2') || find == "!r2:",
            "{find}"
        );
    }
    assert!(page(&overview, "<none>").contains("value=\"&lt;none&gt;\""));
}

#[test]
fn what_others_wrote_is_text() {
    let mut hostile = room(1, "\"><script>alert(1)</script>\u{202e}", PortalState::Broken);
    hostile.portal.state_detail = Some("<img src=x onerror=alert(2)>\r\n".to_owned());
    let mut overview = overview(vec![hostile]);
    overview.failed.push(FailedItem {
        room: "<b>room</b>".to_owned(),
        source_id: "<i>\r".to_owned(),
        ..failed_item(&"<u>".repeat(200))
    });
    let page = page(&overview, "");
    for markup in ["<script>", "<img", "<b>", "<i>", "<u>", "\u{202e}", "\r"] {
        assert!(!page.contains(markup), "{markup:?}");
    }
    assert!(page.contains("…</bdi>"), "long texts are cut");
}

#[test]
fn nothing_on_the_page_needs_what_its_policy_forbids() {
    let mut overview = overview(vec![room(1, "tidepool/pier", PortalState::Active)]);
    overview.failed.push(failed_item(""));
    let page = page(&overview, "");
    for inline in [" style=", "<style", "javascript:", " onclick=", "<script>"] {
        assert!(!page.contains(inline), "{inline}");
    }
}

#[test]
fn a_failed_message_is_told_with_what_can_be_done() {
    let mut overview = overview(Vec::new());
    overview.ways.to_gitter.failed = 3;
    overview.failed.push(failed_item("not in this room"));
    let page = page(&overview, "");
    in_order(
        &page,
        &[
            "3 messages have failed",
            "tidepool/harbour",
            "to Gitter",
            "forbidden",
            "not in this room",
            "action=\"retry\"",
            "value=\"to_gitter.live.7.5f0000000000000000000a01\"",
            "value=\"form-token\"",
            "href=\"drop?item=to%5Fgitter%2Elive%2E7%2E5f0000000000000000000a01\"",
            "2 older ones are not shown here",
        ],
    );
}

#[test]
fn bars_have_the_same_in_words() {
    let mut overview = overview(Vec::new());
    overview.ways.to_gitter.lately[SLOTS - 1] = crate::bridge::overview::Outcomes {
        bridged: 1_200,
        skipped: 3,
        failed: 1,
    };
    let page = page(&overview, "");
    let words = "1\u{202f}200 crossed, 3 had nothing to carry, 1 failed";
    in_order(
        &page,
        &[
            &format!("aria-label=\"To Gitter, in the last hour: {words}\""),
            &format!("<title>{words}</title>"),
        ],
    );
    in_order(
        &page,
        &[
            "class=\"bridged\" x=\"111\"",
            "class=\"skipped\"",
            "class=\"failed\"",
        ],
    );
}

#[test]
fn the_budget_is_told_with_its_waits() {
    let mut overview = overview(Vec::new());
    overview.budget = Some(BudgetOverview {
        limit: 100,
        remaining: 25,
        resets_at: Some(now() + jiff::SignedDuration::from_secs(30)),
        wait: Duration::ZERO,
        backlog_wait: Duration::from_secs(90),
    });
    let page = page(&overview, "");
    in_order(
        &page,
        &[
            "25",
            "of 100 requests left",
            "width=\"25\"",
            "0 s",
            "1 min",
            "in 30 s",
        ],
    );
}

#[test]
fn a_stopped_account_and_a_closed_side_come_first() {
    let mut overview = overview(Vec::new());
    overview.closed_until.to_matrix = Some(now() + jiff::SignedDuration::from_secs(9));
    let page = page(&overview, "");
    in_order(
        &page,
        &[
            "Something needs you",
            "The homeserver takes no messages; it is tried again",
            "in 9 s",
        ],
    );
}

#[test]
fn what_the_bridge_lacks_is_told() {
    let health = Health::default();
    health.works(Part::Homeserver);
    health.lacks(Part::Realtime, "no <connection>");
    health.warn(Some("another bridge has these tokens".to_owned()));
    let page = page_of(&overview(Vec::new()), &health, "");
    in_order(
        &page,
        &[
            "Something needs you",
            "no &lt;connection&gt;, for ",
            "another bridge has these tokens",
        ],
    );
    in_order(
        &page,
        &["Connections", "homeserver", "up ", "Gitter account", "away "],
    );
}

#[test]
fn the_login_says_what_was_wrong() {
    let page = login(&about(), Some("That is not the admin token.")).into_string();
    in_order(
        &page,
        &[
            "role=\"alert\"",
            "That is not the admin token.",
            "aria-invalid=\"true\"",
            "refusal token-help",
        ],
    );
    let page = login(&about(), None).into_string();
    assert!(
        !page.contains("aria-invalid") && !page.contains("form_token"),
        "{page}"
    );
}

#[test]
fn an_address_knows_no_notice_but_ours() {
    assert!(super::super::items::notice("retried").is_some());
    assert!(super::super::items::notice(&json!("<b>").to_string()).is_none());
}
