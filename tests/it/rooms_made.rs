//! Rooms that the bridge makes, and what it writes into those that it is linked with.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{
    Room, World,
    admin::answer,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![a_linked_room_says_what_it_is_bridged_to_and_keeps_its_name];

/// The contents of all events of a type in a Matrix room, in order.
fn states(world: &World, room: &Room, event_type: &str) -> Vec<Value> {
    let mut events = world.homeserver.events(&room.matrix);
    events.retain(|event| event["type"] == event_type && event.get("state_key").is_some());
    events.iter_mut().map(|event| event["content"].take()).collect()
}

/// Lets the bot set state.
fn give_power(world: &World, room: &Room) {
    let levels = json!({ "users": { "@gitterbot:localhost": 50 } });
    world
        .homeserver
        .set_state(&room.matrix, &world.ana, "m.room.power_levels", "", levels);
}

/// Has the bridge look through a room, and waits until it has.
async fn sync(world: &World, room: &Room) {
    let path = format!("rooms/{}/sync", room.gitter);
    let looked = || world.bridge.whole_log().matches("Looked through a room").count();
    let before = looked();
    let (status, _) = answer(world.admin().authorized(Method::POST, &path))
        .await
        .unwrap();
    assert_eq!(status, 202);
    until("the room to be looked through", async || {
        Ok((looked() > before).then_some(()))
    })
    .await;
}

async fn a_linked_room_says_what_it_is_bridged_to_and_keeps_its_name(database: Database) {
    let mut world = World::start(database).await;
    let room = world.make_rooms("pier");
    give_power(&world, &room);
    world.link_rooms(room.clone()).await;
    for event_type in ["m.bridge", "uk.half-shot.bridge"] {
        let [content] = &states(&world, &room, event_type)[..] else {
            panic!("there is one {event_type}");
        };
        assert_eq!(content["channel"]["id"], json!(room.gitter));
    }
    // Nothing is written twice.
    let before = world.homeserver.events(&room.matrix).len();
    sync(&world, &room).await;
    assert_eq!(world.homeserver.events(&room.matrix).len(), before);
    assert_eq!(states(&world, &room, "m.room.name"), Vec::<Value>::new());

    let (status, _) = world.admin().unlink(room.matrix.as_str()).await;
    assert_eq!(status, 204);
    for event_type in ["m.bridge", "uk.half-shot.bridge"] {
        assert_eq!(states(&world, &room, event_type).last(), Some(&json!({})));
    }
    world.close().await;
}
