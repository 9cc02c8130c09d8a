//! What becomes of linked rooms: paused, renamed, private, deleted, upgraded, encrypted, left by the bot.

mod gitter_room;
mod matrix_room;

use reqwest::Method;
use serde_json::Value;

use crate::world::{
    Options, Room, World,
    admin::{Answer, answer},
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    what_is_said_in_a_paused_room_waits_and_crosses_in_order,
    a_pause_outlasts_a_restart,
    only_linked_rooms_are_paused_and_resumed,
];

/// A world in which Gitter rooms are looked at every second.
async fn watchful(database: Database) -> World {
    let options = Options {
        privacy_check: "5s",
        ..Options::default()
    };
    World::with(database, options).await
}

/// Asks for something to be done with a room.
async fn ask(world: &World, room: &str, what: &str) -> Answer {
    let path = format!("rooms/{}/{what}", room.replace('!', "%21").replace(':', "%3A"));
    answer(world.admin().authorized(Method::POST, &path))
        .await
        .unwrap()
}

/// Waits until a portal is in a state, and gives it.
async fn becomes(world: &World, room: &Room, state: &str) -> Value {
    until(&format!("the portal to be {state}"), async || {
        let (_, portal) = world.admin().portal(&room.gitter.to_string()).await;
        if portal["state"] == state {
            return Ok(Some(portal));
        }
        anyhow::bail!("{portal}")
    })
    .await
}

/// What the bot said in the Matrix room.
fn said_by_bot(world: &World, room: &Room) -> Vec<String> {
    let mut messages = world.messages_on_matrix(room);
    messages.retain(|event| event["sender"] == "@gitterbot:localhost");
    let texts = messages
        .iter()
        .filter_map(|event| event["content"]["body"].as_str());
    texts.map(str::to_owned).collect()
}

/// Waits until the bot has said something with this in it, once.
async fn bot_says(world: &World, room: &Room, part: &str) {
    until(&format!("the bot to say {part:?}"), async || {
        let said = said_by_bot(world, room);
        match said.iter().filter(|text| text.contains(part)).count() {
            1 => Ok(Some(())),
            _ => anyhow::bail!("{said:?}"),
        }
    })
    .await;
}

/// Whether anything with this text is on the side where it was not said.
fn has_crossed(world: &World, room: &Room, text: &str) -> bool {
    let on_matrix = world.messages_on_matrix(room);
    let to_matrix = on_matrix
        .iter()
        .any(|event| event["content"]["body"] == text && event["sender"] != world.ana.as_str());
    let on_gitter = world.gitter.messages(room.gitter);
    to_matrix
        || on_gitter
            .iter()
            .any(|message| message.text == text && message.author != "wren")
}

async fn what_is_said_in_a_paused_room_waits_and_crosses_in_order(database: Database) {
    let mut world = World::start(database).await;
    let (room, other) = (world.link("pier").await, world.link("cove").await);
    world.both_say(&room, "before", 2);
    world.crossed().await;
    for _ in 0..2 {
        assert_eq!(ask(&world, room.matrix.as_str(), "pause").await.0, 202);
    }
    let (_, portal) = world.admin().portal(&room.gitter.to_string()).await;
    assert_eq!(portal["state"], "paused");
    assert!(portal["state_detail"].as_str().unwrap().contains("room resume"));
    world.both_say(&room, "meanwhile", 5);
    // Another room goes on, so there was time for these to cross.
    world.both_say(&other, "elsewhere", 3);
    world.arrives_on_gitter(&other, "elsewhere 2 of ana").await;
    world.arrives_on_matrix(&other, "elsewhere 2 of wren").await;
    assert!(!has_crossed(&world, &room, "meanwhile 0 of ana"));
    assert!(!has_crossed(&world, &room, "meanwhile 0 of wren"));
    for _ in 0..2 {
        assert_eq!(ask(&world, &room.gitter.to_string(), "resume").await.0, 202);
    }
    let portal = becomes(&world, &room, "active").await;
    assert_eq!(portal.get("state_detail"), None);
    world.arrives_on_matrix(&room, "meanwhile 4 of wren").await;
    world.arrives_on_gitter(&room, "meanwhile 4 of ana").await;
    world.finish().await;
}

async fn a_pause_outlasts_a_restart(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 2);
    world.crossed().await;
    assert_eq!(ask(&world, room.matrix.as_str(), "pause").await.0, 202);
    world.both_say(&room, "before the restart", 2);
    world.bridge.stop().await;
    world.both_say(&room, "without a bridge", 2);
    world.bridge.start().await;
    world.both_say(&room, "after the restart", 2);
    world.homeserver.wait_until_pushed().await;
    becomes(&world, &room, "paused").await;
    assert!(!has_crossed(&world, &room, "before the restart 0 of ana"));
    assert!(!has_crossed(&world, &room, "before the restart 0 of wren"));
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    world.finish().await;
}

async fn only_linked_rooms_are_paused_and_resumed(database: Database) {
    let world = World::start(database).await;
    for what in ["pause", "resume"] {
        assert_eq!(ask(&world, "5f0000000000000000000a01", what).await.0, 404);
        let path = format!("rooms/5f0000000000000000000a01/{what}");
        let (status, _) = answer(world.admin().request(Method::POST, &path)).await.unwrap();
        assert_eq!(status, 401);
    }
    world.close().await;
}
