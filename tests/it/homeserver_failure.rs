//! The homeserver fails, or its answers get lost: nothing is lost, and nothing sent twice.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    homeserver::{Effect, Stage},
    world::{
        Options, Room, World,
        database::{Database, on_both_databases},
        faults::status,
        until,
    },
};

on_both_databases![
    whatever_happens_to_a_send_it_arrives_once,
    whatever_happens_to_a_send_it_arrives_once_without_devices,
    whatever_fails_while_a_ghost_is_made_its_message_arrives,
    a_homeserver_that_is_down_is_waited_for,
    a_homeserver_that_forgets_a_send_before_its_repeat_has_one_event,
    a_homeserver_without_devices_that_forgets_a_send_before_its_repeat_has_one_event,
    a_ghost_that_was_removed_comes_back,
    a_refused_event_fails_and_the_next_ones_go_on,
    a_server_that_asks_to_wait_is_waited_for,
];

const WITHOUT_DEVICES: Options = Options {
    token_file: false,
    devices: false,
    virtual_users: true,
    rate_limit: 0,
    rate_window: Duration::from_mins(1),
    database_server: None,
    database_folder: None,
    give_up_after: "24h",
    permissions: serde_json::Value::Null,
    flood_limit: 60,
    membership: "lazy",
    privacy_check: "5m",
    other_sections: serde_json::Value::Null,
};

/// What happens to a send, and how often it is made in the end where repeats are safe.
fn cases() -> Vec<(&'static str, Effect, Stage, i64)> {
    let too_many = Effect::Status {
        status: StatusCode::TOO_MANY_REQUESTS,
        errcode: Some("M_LIMIT_EXCEEDED"),
        retry_after: Some(Duration::from_millis(100)),
    };
    let failure = || status(StatusCode::INTERNAL_SERVER_ERROR);
    let late = || Effect::Latency(Duration::from_millis(300));
    vec![
        ("reset before", Effect::Reset, Stage::Before, 2),
        ("reset after", Effect::Reset, Stage::After, 2),
        ("500 before", failure(), Stage::Before, 2),
        ("500 after", failure(), Stage::After, 2),
        ("unreadable after", status(StatusCode::OK), Stage::After, 2),
        ("429", too_many, Stage::Before, 2),
        ("late before", late(), Stage::Before, 1),
        ("late after", late(), Stage::After, 1),
    ]
}

async fn whatever_happens_to_a_send_it_arrives_once(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let mut expected = 0;
    for (name, effect, stage, tries) in cases() {
        world.sends_suffer(effect, stage, 1);
        world.both_say(&room, name, 2);
        world.crossed().await;
        expected += tries + 1;
        assert_eq!(world.tries_to_matrix(&room).await, expected, "{name}");
    }
    world.finish().await;
}

/// Without devices a repeat is preceded by a look, which finds what did arrive.
async fn whatever_happens_to_a_send_it_arrives_once_without_devices(database: Database) {
    let mut world = World::with(database, WITHOUT_DEVICES).await;
    let room = world.link("pier").await;
    let mut expected = 0;
    for (name, effect, stage, tries) in cases() {
        world.sends_suffer(effect, stage, 1);
        world.both_say(&room, name, 2);
        world.crossed().await;
        expected += if stage == Stage::After { 2 } else { tries + 1 };
        assert_eq!(world.tries_to_matrix(&room).await, expected, "{name}");
    }
    world.finish().await;
}

async fn whatever_fails_while_a_ghost_is_made_its_message_arrives(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    for (method, path) in [
        (Method::POST, "/register"),
        (Method::PUT, "/displayname"),
        (Method::POST, "/upload"),
        (Method::PUT, "/devices/"),
        (Method::POST, "/join"),
    ] {
        let failure = status(StatusCode::BAD_GATEWAY);
        world.requests_suffer(method, path, failure, Stage::Before, 1);
    }
    world.wren_says(&room, "Ahoy.");
    world.wren_says(&room, "Nobody?");
    world.finish().await;
}

async fn a_homeserver_that_is_down_is_waited_for(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 1);
    world.crossed().await;
    world.homeserver.stop().await;
    world.both_say(&room, "during", 10);
    until("the bridge to notice", async || {
        let log = world.bridge.whole_log();
        Ok(log.contains("A side does not take messages").then_some(()))
    })
    .await;
    world.homeserver.restart().await;
    world.finish().await;
}

async fn a_homeserver_that_forgets_a_send_before_its_repeat_has_one_event(database: Database) {
    let world = World::start(database).await;
    let (world, room) = forgetful(world).await;
    assert_eq!(world.tries_to_matrix(&room).await, 4, "three, and one again");
    world.finish().await;
}

async fn a_homeserver_without_devices_that_forgets_a_send_before_its_repeat_has_one_event(
    database: Database,
) {
    let world = World::with(database, WITHOUT_DEVICES).await;
    let (world, room) = forgetful(world).await;
    assert_eq!(world.tries_to_matrix(&room).await, 3, "found, not sent again");
    world.finish().await;
}

/// The answer to a send gets lost, and before it is repeated the homeserver is restarted.
async fn forgetful(mut world: World) -> (World, Room) {
    let room = world.link("pier").await;
    world.wren_says(&room, "one");
    world.crossed().await;
    world.sends_suffer(Effect::Reset, Stage::After, 1);
    world.wren_says(&room, "two");
    world.wren_says(&room, "three");
    world.arrives_on_matrix(&room, "two").await;
    world.homeserver.restart().await;
    world.crossed().await;
    (world, room)
}

async fn a_ghost_that_was_removed_comes_back(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.wren_says(&room, "one");
    let event = world.arrives_on_matrix(&room, "one").await;
    let ghost = event["sender"].as_str().unwrap();
    let removed = json!({ "membership": "leave" });
    world
        .homeserver
        .set_state(&room.matrix, &world.ana, "m.room.member", ghost, removed);
    world.wren_says(&room, "two");
    world.finish().await;
}

/// Far from the second after which it would be tried without being asked.
async fn a_server_that_asks_to_wait_is_waited_for(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let overloaded = Effect::Status {
        status: StatusCode::SERVICE_UNAVAILABLE,
        errcode: None,
        retry_after: Some(Duration::from_secs(4)),
    };
    world.sends_suffer(overloaded, Stage::Before, 1);
    let begun = std::time::Instant::now();
    world.wren_says(&room, "one");
    world.arrives_on_matrix(&room, "one").await;
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
    world.finish().await;
}

async fn a_refused_event_fails_and_the_next_ones_go_on(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let too_large = Effect::Status {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        errcode: Some("M_TOO_LARGE"),
        retry_after: None,
    };
    world.sends_suffer(too_large, Stage::Before, 1);
    for text in ["one", "two", "three"] {
        world.wren_says(&room, text);
    }
    world.arrives_on_matrix(&room, "three").await;
    world.drained().await;
    assert_eq!(world.items("failed too_large").await, 1);
    assert_eq!(world.messages_on_matrix(&room).len(), 2);
    // Once more after the ghost was let in again; then it is refused for good.
    let forbidden = Effect::Status {
        status: StatusCode::FORBIDDEN,
        errcode: Some("M_FORBIDDEN"),
        retry_after: None,
    };
    world.sends_suffer(forbidden, Stage::Before, 2);
    world.wren_says(&room, "four");
    world.wren_says(&room, "five");
    world.arrives_on_matrix(&room, "five").await;
    world.drained().await;
    assert_eq!(world.items("failed forbidden").await, 1);
    assert_eq!(world.messages_on_matrix(&room).len(), 3);
    world.close().await;
}
