//! Power in rooms that the bridge made.

use gitter_sandbox::{NewRoom, NewUser, RoomChange};
use ruma::OwnedUserId;
use serde_json::json;

use crate::{
    rooms_made::{create, room_of, states, sync},
    world::{
        World,
        database::{Database, on_both_databases},
    },
};

on_both_databases![power_that_a_moderator_gave_a_ghost_stays];

async fn power_that_a_moderator_gave_a_ghost_stays(database: Database) {
    let world = World::start(database).await;
    let new = NewRoom {
        admins: vec!["wren".to_owned()],
        ..NewRoom::public("tidepool/pier")
    };
    let id = world.gitter.add_room(&new).unwrap();
    world.gitter.add_user(&NewUser::named("heron", "Heron")).unwrap();
    let room = room_of(&create(&world, "tidepool/pier").await.1);
    world.gitter.post("heron", id, "hello").unwrap();
    world.arrives_on_matrix(&room, "hello").await;
    let events = world.messages_on_matrix(&room);
    let heron = events[0]["sender"].as_str().unwrap();
    let levels = || states(&world, &room, "m.room.power_levels").pop().unwrap();
    // The bot stands for a moderator here.
    let bot: OwnedUserId = "@gitterbot:localhost".try_into().unwrap();
    let mut given = levels();
    given["users"][heron] = json!(50);
    world
        .homeserver
        .set_state(&room.matrix, &bot, "m.room.power_levels", "", given.clone());
    sync(&world, &room).await;
    assert_eq!(levels(), given);

    let change = RoomChange {
        admins: Some(Vec::new()),
        ..RoomChange::default()
    };
    world.gitter.alter_room(id, &change).unwrap();
    sync(&world, &room).await;
    assert_eq!(
        levels()["users"],
        json!({ heron: 50 }),
        "an admin's ghost loses what it was given"
    );
    world.close().await;
}
