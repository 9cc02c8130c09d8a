//! Links that several people make and end at once: each acts on what there is, not on what was there when it was asked for.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    homeserver::{Effect, Stage},
    rooms_made::{on_gitter, states},
    world::{
        Room, World,
        admin::Answer,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    a_link_that_is_asked_for_twice_is_made_once,
    an_unlink_ends_no_other_link_than_the_one_that_was_meant,
    a_link_whose_room_is_taken_meanwhile_leaves_the_old_portal_at_work,
];

/// A room that the bridge made, in which somebody spoke.
async fn made(world: &World) -> Room {
    let id = on_gitter(world, "tidepool/pier");
    let alias = "#gitter_tidepool_pier:localhost";
    let room = Room {
        uri: "tidepool/pier".to_owned(),
        gitter: id.parse().unwrap(),
        matrix: world.homeserver.join_alias(alias, &world.ana).await.unwrap(),
    };
    world.wren_says(&room, "hello");
    world.arrives_on_matrix(&room, "hello").await;
    room
}

/// The same Gitter room with another Matrix room.
fn elsewhere(world: &World, made: &Room, name: &str) -> Room {
    Room {
        matrix: world.make_rooms(name).matrix,
        ..made.clone()
    }
}

/// Links a room, which takes seconds, and does something else once the link has been looked at and is drawn up.
async fn while_linking<T>(world: &World, room: &Room, other: impl Future<Output = T>) -> (Answer, T) {
    let late = Effect::Latency(Duration::from_secs(5));
    world.requests_suffer(Method::GET, "/joined_members", late, Stage::Before, 1);
    let other = async {
        until("the link to be drawn up", async || {
            Ok((world.homeserver.faults_left() == 0).then_some(()))
        })
        .await;
        other.await
    };
    tokio::join!(world.admin().link(room), other)
}

async fn a_link_that_is_asked_for_twice_is_made_once(database: Database) {
    let world = World::start(database).await;
    let made = made(&world).await;
    let (one, other) = (elsewhere(&world, &made, "one"), elsewhere(&world, &made, "other"));
    let again = async { tokio::join!(world.admin().link(&one), world.admin().link(&other)) };
    let (linked, (again, otherwise)) = while_linking(&world, &one, again).await;
    assert_eq!(linked.0, 201, "{linked:?}");
    assert_eq!(again.0, 200, "{again:?}");
    assert_eq!(otherwise.0, 409, "{otherwise:?}");
    let (_, portal) = world.admin().portal(&made.gitter.to_string()).await;
    assert_eq!(portal["matrix_room_id"], json!(one.matrix));
    world.wren_says(&one, "in here");
    world.arrives_on_matrix(&one, "in here").await;
    world.close().await;
}

async fn an_unlink_ends_no_other_link_than_the_one_that_was_meant(database: Database) {
    let world = World::start(database).await;
    let made = made(&world).await;
    let room = elsewhere(&world, &made, "one");
    let unlink = world.admin().unlink(made.matrix.as_str());
    let (linked, unlinked) = while_linking(&world, &room, unlink).await;
    assert_eq!(linked.0, 201, "{linked:?}");
    assert_eq!(unlinked.0, 404, "{unlinked:?}");
    world.wren_says(&room, "in here");
    world.arrives_on_matrix(&room, "in here").await;
    world.close().await;
}

async fn a_link_whose_room_is_taken_meanwhile_leaves_the_old_portal_at_work(database: Database) {
    let world = World::start(database).await;
    let made = made(&world).await;
    let other = world.make_rooms("other");
    let room = Room {
        matrix: other.matrix.clone(),
        ..made.clone()
    };
    let (refused, linked) = while_linking(&world, &room, world.admin().link(&other)).await;
    assert_eq!(linked.0, 201, "{linked:?}");
    assert_eq!(refused.0, 409, "{refused:?}");
    assert_eq!(states(&world, &made, "m.room.tombstone"), Vec::<Value>::new());
    world.wren_says(&made, "still here");
    world.arrives_on_matrix(&made, "still here").await;
    world.wren_says(&other, "and here");
    world.arrives_on_matrix(&other, "and here").await;
    world.close().await;
}
