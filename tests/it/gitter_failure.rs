//! Gitter fails, or its answers get lost: nothing is lost, and nothing posted twice.

use gitter_sandbox::{FrameEffect, RequestEffect, When};
use reqwest::Client;

use crate::world::{
    Options, World,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    whatever_happens_to_a_post_it_arrives_once,
    lost_answers_to_equal_messages_make_no_copies,
    an_answer_and_an_echo_that_are_lost_are_made_up_for_by_a_look_at_the_room,
    a_spent_budget_is_waited_for,
    a_refused_message_fails_and_the_next_ones_go_on,
    each_refusal_of_a_change_has_its_outcome,
    a_room_that_is_gone_stops_its_portal_until_a_restart,
];

/// What happens to the first post of a room, and how often it is made in the end.
const CASES: [(&str, RequestEffect, When, i64); 7] = [
    ("reset before", RequestEffect::Reset, When::Before, 2),
    ("reset after", RequestEffect::Reset, When::After, 1),
    ("500 before", RequestEffect::Status(500), When::Before, 2),
    ("502 after", RequestEffect::Status(502), When::After, 1),
    ("unreadable after", RequestEffect::Status(200), When::After, 1),
    ("late before", RequestEffect::LatencyMs(700), When::Before, 1),
    // The echo comes before the answer.
    ("late after", RequestEffect::LatencyMs(700), When::After, 1),
];

async fn whatever_happens_to_a_post_it_arrives_once(database: Database) {
    let mut world = World::start(database).await;
    let mut rooms = Vec::new();
    for (name, effect, when, tries) in CASES {
        let room = world.link(&name.replace(' ', "-")).await;
        world.posts_suffer(&room, effect, when, 1);
        rooms.push((room, name, tries));
    }
    for (room, ..) in &rooms {
        world.both_say(room, "message", 3);
    }
    world.crossed().await;
    for (room, name, tries) in &rooms {
        let found = world.tries_to_gitter(room).await;
        assert_eq!(found, tries + 2, "{name}: of three messages one failed");
    }
    world.finish().await;
}

async fn lost_answers_to_equal_messages_make_no_copies(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Reset, When::After, 5);
    for _ in 0..5 {
        world.ana_says(&room, "Yes!");
        world.wren_says(&room, "Yes!");
    }
    world.crossed().await;
    assert_eq!(world.tries_to_gitter(&room).await, 5);
    world.finish().await;
}

async fn an_answer_and_an_echo_that_are_lost_are_made_up_for_by_a_look_at_the_room(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Reset, When::After, 2);
    world.frames_suffer(&room, FrameEffect::Drop, 2);
    world.ana_says(&room, "Yes!");
    world.ana_says(&room, "Yes!");
    world.crossed().await;
    assert_eq!(world.tries_to_gitter(&room).await, 2);
    world.finish().await;
}

async fn a_spent_budget_is_waited_for(database: Database) {
    let options = Options {
        rate_limit: 50,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    // Somebody else spends what is left, so that the bridge's next request is refused.
    let user = format!("{}/user/me", world.gitter_api());
    let ask = async || {
        let request = Client::new().get(&user).bearer_auth(world.gitter_token());
        request.send().await.unwrap().status()
    };
    while ask().await != 429 {}
    world.both_say(&room, "message", 3);
    world.crossed().await;
    assert_eq!(
        world.tries_to_gitter(&room).await,
        4,
        "the first was refused once"
    );
    world.finish().await;
}

async fn a_refused_message_fails_and_the_next_ones_go_on(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    for (failed, (status, outcome)) in (1..).zip([
        (403, "failed forbidden"),
        (400, "failed bad_event"),
        (413, "failed too_large"),
    ]) {
        world.posts_suffer(&room, RequestEffect::Status(status), When::Before, 1);
        for text in ["one", "two", "three"] {
            world.ana_says(&room, &format!("{text} of {status}"));
        }
        world
            .arrives_on_gitter(&room, &format!("three of {status}"))
            .await;
        world.drained().await;
        let (_, portal) = world.admin().portal(room.matrix.as_str()).await;
        assert_eq!(portal["failed"], failed, "{portal}");
        assert_eq!(world.items(outcome).await, 1, "{outcome}");
        assert_eq!(world.gitter.messages(room.gitter).len(), 2 * failed);
        // What is logged of an item is found by the id that operators see.
        let (_, items) = world.admin().items("state=failed").await;
        for item in items["items"].as_array().unwrap() {
            let id = item["id"].as_str().unwrap();
            assert!(world.bridge.whole_log().contains(id), "{id}");
        }
    }
    world.close().await;
}

async fn each_refusal_of_a_change_has_its_outcome(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let said = world.ana_says(&room, "first");
    world.arrives_on_gitter(&room, "first").await;
    for (status, outcome) in [
        (403, "failed forbidden"),
        (413, "failed too_large"),
        (404, "skipped gone"),
    ] {
        world.changes_suffer(&room, "PUT", RequestEffect::Status(status), 1);
        let text = format!("edited into {status}");
        world.ana_edits(&room, &said, &text);
        until(outcome, async || {
            Ok((world.items(outcome).await == 1).then_some(()))
        })
        .await;
    }
    world.ana_edits(&room, &said, "last");
    world.arrives_on_gitter(&room, "last").await;
    world.drained().await;
    assert_eq!(world.gitter.messages(room.gitter).len(), 1);
    world.close().await;
}

async fn a_room_that_is_gone_stops_its_portal_until_a_restart(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let other = world.link("cove").await;
    world.posts_suffer(&room, RequestEffect::Status(404), When::Before, 1);
    world.both_say(&room, "message", 3);
    world.both_say(&other, "message", 3);
    until("the portal to stop", async || {
        let (_, portal) = world.admin().portal(room.matrix.as_str()).await;
        Ok((portal["state"] == "broken").then_some(()))
    })
    .await;
    world.arrives_on_gitter(&other, "message 2 of ana").await;
    world.bridge.stop().await;
    world.bridge.start().await;
    world.finish().await;
}
