//! What is left of portals that were replaced or unlinked, and what is not lost where that goes wrong.

use std::time::Duration;

use gitter_sandbox::{Fault, NewUser, RequestEffect, RequestFault, When};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    homeserver::{Effect, Stage},
    rooms_made::{create, give_power, on_gitter, states},
    world::{
        Room, World,
        database::{Database, on_both_databases},
        faults::status,
        until,
    },
};

on_both_databases![
    a_link_that_fails_loses_nothing_of_the_portal_that_it_was_to_replace,
    what_could_not_be_done_when_a_room_was_unlinked_is_done_later,
    a_room_that_is_linked_anew_while_its_ghosts_leave_keeps_the_others,
    a_room_that_is_linked_anew_in_its_group_stays_in_the_space,
];

async fn a_link_that_fails_loses_nothing_of_the_portal_that_it_was_to_replace(database: Database) {
    let world = World::start(database).await;
    let other = world.make_rooms("other");
    let id = on_gitter(&world, "tidepool/pier");
    let alias = "#gitter_tidepool_pier:localhost";
    let made = Room {
        uri: "tidepool/pier".to_owned(),
        gitter: id.parse().unwrap(),
        matrix: world.homeserver.join_alias(alias, &world.ana).await.unwrap(),
    };
    world.wren_says(&made, "hello");
    world.arrives_on_matrix(&made, "hello").await;
    world.posts_suffer(&made, RequestEffect::Status(500), When::Before, u32::MAX);
    world.ana_says(&made, "waiting");
    until("a message to wait", async || {
        Ok((world.waiting(&made).await == 1).then_some(()))
    })
    .await;
    // No realtime connection is made any more.
    world.gitter.add_fault(Fault::Request(RequestFault {
        effect: RequestEffect::Status(503),
        when: When::Before,
        times: u32::MAX,
        method: None,
        path: "/bayeux".to_owned(),
    }));
    world.gitter.add_fault(Fault::CutSockets);

    let room = Room {
        matrix: other.matrix,
        ..made.clone()
    };
    let (status, refusal) = world.admin().link(&room).await;
    assert!(status >= 500, "{status}: {refusal}");
    assert_eq!(world.admin().portal(made.matrix.as_str()).await.0, 200);
    assert_eq!(world.waiting(&made).await, 1, "what waited is not dropped");
    world.gitter.clear_faults();
    world.arrives_on_gitter(&made, "waiting").await;
    world.close().await;
}

async fn what_could_not_be_done_when_a_room_was_unlinked_is_done_later(database: Database) {
    let mut world = World::start(database).await;
    let room = world.make_rooms("pier");
    give_power(&world, &room);
    world.link_rooms(room.clone()).await;
    world.wren_says(&room, "hello");
    world.arrives_on_matrix(&room, "hello").await;
    let failure = status(StatusCode::BAD_GATEWAY);
    world.requests_suffer(Method::PUT, "/state/m.bridge", failure, Stage::Before, 1);
    let failure = status(StatusCode::BAD_GATEWAY);
    world.requests_suffer(Method::POST, "/leave", failure, Stage::Before, 1);
    assert_eq!(world.admin().unlink(room.matrix.as_str()).await.0, 204);
    assert_ne!(states(&world, &room, "m.bridge").last(), Some(&json!({})));
    world.bridge.kill().await;
    world.bridge.start().await;
    until("nothing to be left behind", async || {
        let bridged = states(&world, &room, "m.bridge").pop() != Some(json!({}));
        let members = states(&world, &room, "m.room.member");
        let left = members.iter().any(|member| member["membership"] == "leave");
        Ok((!bridged && left).then_some(()))
    })
    .await;
    world.close().await;
}

async fn a_room_that_is_linked_anew_while_its_ghosts_leave_keeps_the_others(database: Database) {
    let world = World::start(database).await;
    world.gitter.add_user(&NewUser::named("heron", "Heron")).unwrap();
    let room = world.make_rooms("pier");
    assert_eq!(world.admin().link(&room).await.0, 201);
    // In the order in which they leave.
    for who in ["heron", "wren"] {
        world.gitter.post(who, room.gitter, who).unwrap();
        world.arrives_on_matrix(&room, who).await;
    }
    let mut ghosts: Vec<_> = world.messages_on_matrix(&room);
    let last = ghosts.pop().unwrap()["sender"].take();
    let other = Room {
        matrix: room.matrix.clone(),
        ..world.make_rooms("cove")
    };
    let late = Effect::Latency(Duration::from_secs(8));
    world.requests_suffer(Method::POST, "/leave", late, Stage::Before, 1);
    let admin = world.admin();
    let link_anew = async {
        until("the first ghost to leave", async || {
            Ok((world.homeserver.faults_left() == 0).then_some(()))
        })
        .await;
        let (status, portal) = world.admin().link(&other).await;
        assert_eq!(status, 201, "{portal}");
        world.wren_says(&other, "back again");
        world.arrives_on_matrix(&other, "back again").await;
    };
    let (unlinked, ()) = tokio::join!(admin.unlink(room.matrix.as_str()), link_anew);
    assert_eq!(unlinked.0, 204);
    let mut members = world.homeserver.events(&room.matrix);
    members.retain(|event| event["type"] == "m.room.member" && event["state_key"] == last);
    assert_eq!(members.last().unwrap()["content"]["membership"], "join");
    world.close().await;
}

const LEFT: &str = "SELECT COUNT(*) FROM leaving WHERE gitter_room_id = $1";

async fn a_room_that_is_linked_anew_in_its_group_stays_in_the_space(database: Database) {
    let mut world = World::start(database).await;
    on_gitter(&world, "tidepool/pier");
    assert_eq!(create(&world, "tidepool/pier").await.0, 201);
    let space = world.homeserver.room_of("#gitter_tidepool:localhost").unwrap();
    let room = world.make_rooms("cove");
    assert_eq!(world.admin().link(&room).await.0, 201);
    let failure = status(StatusCode::BAD_GATEWAY);
    world.requests_suffer(Method::PUT, "/state/m.space.child", failure, Stage::Before, 1);
    assert_eq!(world.admin().unlink(room.matrix.as_str()).await.0, 204);
    let id = room.gitter.to_string();
    assert_eq!(world.database.number(LEFT, &id).await, 1);
    let other = Room {
        matrix: room.matrix.clone(),
        ..world.make_rooms("quay")
    };
    assert_eq!(world.admin().link(&other).await.0, 201);
    world.bridge.stop().await;
    world.bridge.start().await;
    until("nothing to be left", async || {
        Ok((world.database.number(LEFT, &id).await == 0).then_some(()))
    })
    .await;
    let mut children = world.homeserver.events(&space);
    children.retain(|event| event["type"] == "m.space.child" && event["state_key"] == room.matrix.as_str());
    let emptied = children.iter().filter(|event| event["content"] == json!({}));
    assert_eq!(emptied.count(), 0, "{children:?}");
    world.close().await;
}
