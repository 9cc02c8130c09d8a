//! Power in rooms that the bridge made.

use gitter_sandbox::{NewRoom, NewUser, ObjectId, RoomChange};
use reqwest::{Method, StatusCode};
use ruma::OwnedUserId;
use serde_json::{Value, json};

use crate::{
    homeserver::{Effect, Stage},
    rooms_made::{create, room_of, states, sync},
    world::{
        Room, World,
        database::{Database, on_both_databases},
    },
};

on_both_databases![
    power_that_a_moderator_gave_a_ghost_stays,
    power_that_a_moderator_gave_a_ghost_after_the_bridge_stays,
    power_that_the_bridge_could_not_give_is_not_its_to_take,
];

/// The power of users in a room.
fn powers(world: &World, room: &Room) -> Value {
    let levels = states(world, room, "m.room.power_levels").pop();
    levels.map_or(Value::Null, |mut levels| levels["users"].take())
}

/// Sets the power of users in a room. The bot stands for a moderator here.
fn set_powers(world: &World, room: &Room, powers: &Value) {
    let bot: OwnedUserId = "@gitterbot:localhost".try_into().unwrap();
    let mut levels = states(world, room, "m.room.power_levels").pop().unwrap();
    levels["users"] = powers.clone();
    world
        .homeserver
        .set_state(&room.matrix, &bot, "m.room.power_levels", "", levels);
}

/// Who is an admin of a Gitter room from here on.
fn set_admins(world: &World, id: ObjectId, admins: &[&str]) {
    let change = RoomChange {
        admins: Some(admins.iter().map(ToString::to_string).collect()),
        ..RoomChange::default()
    };
    world.gitter.alter_room(id, &change).unwrap();
}

/// A room that the bridge made, of which wren is an admin, and her ghost.
async fn made(world: &World) -> (Room, ObjectId, String) {
    let new = NewRoom {
        admins: vec!["wren".to_owned()],
        ..NewRoom::public("tidepool/pier")
    };
    let id = world.gitter.add_room(&new).unwrap();
    let room = room_of(&create(world, "tidepool/pier").await.1);
    world.gitter.post("wren", id, "hello").unwrap();
    world.arrives_on_matrix(&room, "hello").await;
    let wren = world.messages_on_matrix(&room)[0]["sender"].clone();
    (room, id, wren.as_str().unwrap().to_owned())
}

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

async fn power_that_a_moderator_gave_a_ghost_after_the_bridge_stays(database: Database) {
    let world = World::start(database).await;
    let (room, id, wren) = made(&world).await;
    assert_eq!(powers(&world, &room)[&wren], 50, "the bridge gave it");
    set_powers(&world, &room, &json!({ &wren: 75 }));
    sync(&world, &room).await;
    set_admins(&world, id, &[]);
    set_powers(&world, &room, &json!({ &wren: 50 }));
    sync(&world, &room).await;
    assert_eq!(powers(&world, &room), json!({ &wren: 50 }));
    world.close().await;
}

async fn power_that_the_bridge_could_not_give_is_not_its_to_take(database: Database) {
    let world = World::start(database).await;
    let (room, id, wren) = made(&world).await;
    set_admins(&world, id, &[]);
    sync(&world, &room).await;
    assert_eq!(powers(&world, &room), json!({}), "the bridge took it");
    set_admins(&world, id, &["wren"]);
    let refusal = Effect::Status {
        status: StatusCode::FORBIDDEN,
        errcode: Some("M_FORBIDDEN"),
        retry_after: None,
    };
    world.requests_suffer(Method::PUT, "/m.room.power_levels", refusal, Stage::Before, 1);
    sync(&world, &room).await;
    assert_eq!(powers(&world, &room), json!({}));
    set_powers(&world, &room, &json!({ &wren: 50 }));
    set_admins(&world, id, &[]);
    sync(&world, &room).await;
    assert_eq!(powers(&world, &room), json!({ &wren: 50 }));
    world.close().await;
}
