//! Gitter's groups as Spaces.

use gitter_sandbox::ObjectId;
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use crate::{
    rooms_made::{create, on_gitter, room_of, states, sync},
    world::{
        Room, World,
        database::{Database, on_both_databases},
    },
};

on_both_databases![
    a_group_is_a_space_with_its_rooms,
    a_room_that_is_unlinked_leaves_its_space,
    a_space_that_was_made_and_not_noted_is_taken_up,
    a_group_that_is_named_like_an_id_takes_no_room_its_alias,
];

/// A Space, to be looked at like a room.
fn space(world: &World, alias: &str) -> Room {
    let matrix = world.homeserver.room_of(alias);
    Room {
        uri: alias.to_owned(),
        gitter: "5f0000000000000000000b01".parse::<ObjectId>().unwrap(),
        matrix: matrix.unwrap_or_else(|| panic!("there is no {alias}")),
    }
}

/// The last content of a state event with a key.
fn state(world: &World, room: &OwnedRoomId, event_type: &str, key: &str) -> Value {
    let mut events = world.homeserver.events(room);
    events.retain(|event| event["type"] == event_type && event["state_key"] == key);
    events
        .pop()
        .map_or(Value::Null, |mut event| event["content"].take())
}

async fn a_group_is_a_space_with_its_rooms(database: Database) {
    let mut world = World::start(database).await;
    let linked = world.link("quay").await;
    assert_eq!(world.homeserver.room_of("#gitter_tidepool:localhost"), None);
    on_gitter(&world, "tidepool/Pier");
    let made = room_of(&create(&world, "tidepool/pier").await.1);
    let later = world.link("cove").await;

    let space = space(&world, "#gitter_tidepool:localhost");
    let creation = &states(&world, &space, "m.room.create")[0];
    assert_eq!(creation["type"], "m.space");
    assert_eq!(
        states(&world, &space, "m.room.name"),
        [json!({ "name": "Tidepool" })]
    );
    assert_eq!(states(&world, &space, "m.room.avatar").len(), 1);
    for (room, order) in [(&made, "pier"), (&linked, "quay"), (&later, "cove")] {
        let child = state(&world, &space.matrix, "m.space.child", room.matrix.as_str());
        assert_eq!(child, json!({ "via": ["localhost"], "order": order }));
    }
    let parent = |room: &Room| state(&world, &room.matrix, "m.space.parent", space.matrix.as_str());
    assert_eq!(parent(&made)["canonical"], true);
    assert_eq!(parent(&linked), Value::Null, "rooms of others are left alone");
    // Nothing is written twice.
    let before = world.homeserver.events(&space.matrix).len();
    sync(&world, &made).await;
    assert_eq!(world.homeserver.events(&space.matrix).len(), before);
    world.close().await;
}

async fn a_room_that_is_unlinked_leaves_its_space(database: Database) {
    let world = World::start(database).await;
    let id = on_gitter(&world, "tidepool/pier");
    let made = room_of(&create(&world, "tidepool/pier").await.1);
    let space = space(&world, "#gitter_tidepool:localhost");
    assert_eq!(world.admin().unlink(&id).await.0, 204);
    let child = || state(&world, &space.matrix, "m.space.child", made.matrix.as_str());
    let parent = || state(&world, &made.matrix, "m.space.parent", space.matrix.as_str());
    assert_eq!((child(), parent()), (json!({}), json!({})));
    assert_eq!(world.admin().link(&made).await.0, 201);
    assert_eq!(child()["order"], "pier");
    assert_eq!(parent()["canonical"], true);
    world.close().await;
}

async fn a_space_that_was_made_and_not_noted_is_taken_up(database: Database) {
    let mut world = World::start(database).await;
    on_gitter(&world, "tidepool/pier");
    create(&world, "tidepool/pier").await;
    let before = space(&world, "#gitter_tidepool:localhost");
    world.bridge.kill().await;
    world.database.change("DELETE FROM space").await;
    world.bridge.start().await;
    on_gitter(&world, "tidepool/cove");
    let cove = room_of(&create(&world, "tidepool/cove").await.1);
    let after = space(&world, "#gitter_tidepool:localhost");
    assert_eq!(after.matrix, before.matrix);
    let child = state(&world, &after.matrix, "m.space.child", cove.matrix.as_str());
    assert_eq!(child["order"], "cove");
    world.close().await;
}

async fn a_group_that_is_named_like_an_id_takes_no_room_its_alias(database: Database) {
    let world = World::start(database).await;
    let id = on_gitter(&world, "tidepool/pier");
    let made = room_of(&create(&world, "tidepool/pier").await.1);
    let uri = format!("{id}/cove");
    on_gitter(&world, &uri);
    let (status, portal) = create(&world, &uri).await;
    assert_eq!(status, 201, "{portal}");
    let alias = format!("#gitter_{id}:localhost");
    assert_eq!(world.homeserver.room_of(&alias).as_ref(), Some(&made.matrix));
    world.close().await;
}
