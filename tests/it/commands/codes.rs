//! What a code counts for, and what it costs.

use gitter_sandbox::{Fault, RequestEffect, RequestFault, When};
use reqwest::{Method, StatusCode};
use ruma::OwnedEventId;
use serde_json::Value;

use super::{
    answered, ask, done,
    links::{announcements, code, rooms},
    said,
};
use crate::{
    homeserver::Stage,
    rooms_made::{create, on_gitter},
    world::{
        Room, World,
        admin::answer,
        database::{Database, on_both_databases},
        faults::status,
        until,
    },
};

on_both_databases![
    a_code_counts_for_its_own_rooms_alone,
    a_code_is_a_whole_message_and_of_somebody_who_is_still_there,
    a_code_that_is_waited_for_costs_little,
    a_code_lives_through_a_failure_of_gitter,
    a_room_that_the_bridge_made_is_not_replaced_by_chat,
    an_announcement_that_could_not_be_said_is_said_later,
    a_command_does_not_announce_what_it_did_not_link,
];

/// What is set for moderation in a room.
async fn moderation(world: &World, room: &Room) -> Value {
    let path = format!("rooms/{}/settings", room.gitter);
    let (_, settings) = answer(world.admin().authorized(Method::GET, &path))
        .await
        .unwrap();
    settings["moderation"].clone()
}

async fn is_linked(world: &World, room: &Room) -> bool {
    world.admin().portal(room.matrix.as_str()).await.0 == 200
}

async fn a_code_counts_for_its_own_rooms_alone(database: Database) {
    let world = World::start(database).await;
    let pier = rooms(&world, "pier").await;
    let cove = Room {
        matrix: pier.matrix.clone(),
        ..rooms(&world, "cove").await
    };
    assert_eq!(world.admin().link(&pier).await.0, 201);
    let asked = world.ana_says(&pier, "!gitter settings moderation on");
    let code = code(&world, &pier, &asked).await;
    assert_eq!(world.admin().unlink(pier.matrix.as_str()).await.0, 204);
    assert_eq!(world.admin().link(&cove).await.0, 201);
    world.gitter.post("kelp", pier.gitter, &code).unwrap();
    done(&world).await;
    assert_eq!(moderation(&world, &cove).await, Value::Bool(false));
    world.close().await;
}

/// How far a command's code was looked for on Gitter.
async fn read(world: &World, event: &OwnedEventId) -> i64 {
    const READ: &str = "SELECT COUNT(*) FROM code WHERE event_id = $1 AND read_to <> ''";
    world.database.number(READ, event.as_str()).await
}

/// How often a command was taken up.
async fn tries(world: &World, event: &OwnedEventId) -> i64 {
    const TRIES: &str = "SELECT tries FROM command WHERE event_id = $1";
    world.database.number(TRIES, event.as_str()).await
}

/// Waits until a code was looked for so many times more; `false` if its command is done before.
async fn looks(world: &World, event: &OwnedEventId, times: i64) -> bool {
    let before = tries(world, event).await;
    until("the code to be looked for", async || {
        let (looked, waits) = (tries(world, event).await - before, read(world, event).await == 1);
        Ok((looked >= times || !waits).then_some(waits))
    })
    .await
}

async fn a_code_is_a_whole_message_and_of_somebody_who_is_still_there(database: Database) {
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let bo = super::newcomer(&world, &room.matrix, "bo");
    let asked = world.ana_says(&room, "!gitter link tidepool/pier");
    let code = code(&world, &room, &asked).await;
    // An admin who warns of it does not allow it.
    let warning = format!("who asks me to post {code} here?");
    world.gitter.post("kelp", room.gitter, &warning).unwrap();
    assert!(looks(&world, &asked, 2).await, "it still waits");
    assert!(!is_linked(&world, &room).await);
    // Nor does it count for somebody who has gone.
    world.homeserver.leave(&room.matrix, &world.ana);
    world.homeserver.wait_until_pushed().await;
    world.gitter.post("kelp", room.gitter, &code).unwrap();
    done(&world).await;
    assert!(!is_linked(&world, &room).await);
    let status = ask(&world, &room.matrix, &bo, "!gitter status").await;
    assert!(status.contains("not linked"), "{status}");
    world.close().await;
}

async fn a_code_that_is_waited_for_costs_little(database: Database) {
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let asked = world.ana_says(&room, "!gitter link tidepool/pier");
    let code = code(&world, &room, &asked).await;
    let before = world.gitter.charged().requests;
    assert!(looks(&world, &asked, 3).await);
    let spent = world.gitter.charged().requests - before;
    assert!(spent <= 6, "{spent} requests for three looks");
    // Who posts it again and again is looked up once, and told of once.
    for _ in 0..5 {
        world.wren_says(&room, &code);
    }
    assert!(looks(&world, &asked, 2).await);
    for _ in 0..5 {
        world.wren_says(&room, &code);
    }
    assert!(looks(&world, &asked, 2).await);
    let refusals = said(&world, &room.matrix);
    let refusals = refusals.iter().filter(|event| {
        let text = event["content"]["body"].as_str().unwrap();
        text.contains("does not list them as an admin")
    });
    assert_eq!(refusals.count(), 1);
    world.close().await;
}

async fn a_code_lives_through_a_failure_of_gitter(database: Database) {
    const CODES: &str = "SELECT COUNT(*) FROM code WHERE event_id = $1";
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let asked = world.ana_says(&room, "!gitter link tidepool/pier");
    let code = code(&world, &room, &asked).await;
    world.gitter.add_fault(Fault::Request(RequestFault {
        effect: RequestEffect::Status(503),
        when: When::Before,
        times: 1,
        method: Some("POST".to_owned()),
        path: "/rooms".to_owned(),
    }));
    world.gitter.post("kelp", room.gitter, &code).unwrap();
    done(&world).await;
    assert!(is_linked(&world, &room).await);
    assert_eq!(world.database.number(CODES, asked.as_str()).await, 0);
    world.close().await;
}

async fn a_room_that_the_bridge_made_is_not_replaced_by_chat(database: Database) {
    let world = World::start(database).await;
    on_gitter(&world, "tidepool/quay");
    let (status, made) = create(&world, "tidepool/quay").await;
    assert_eq!(status, 201, "{made}");
    let room = rooms(&world, "pier").await;
    let refused = ask(
        &world,
        &room.matrix,
        &world.ana.clone(),
        "!gitter link tidepool/quay",
    )
    .await;
    assert!(refused.contains("is linked with"), "{refused}");
    let made = made["matrix_room_id"].as_str().unwrap();
    assert_eq!(world.admin().portal(made).await.0, 200);
    world.close().await;
}

async fn an_announcement_that_could_not_be_said_is_said_later(database: Database) {
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let asked = world.ana_says(&room, "!gitter link tidepool/pier");
    let code = code(&world, &room, &asked).await;
    // The code itself has been told by then.
    assert!(looks(&world, &asked, 2).await);
    world.sends_suffer(status(StatusCode::BAD_GATEWAY), Stage::Before, 1);
    world.gitter.post("kelp", room.gitter, &code).unwrap();
    done(&world).await;
    assert_eq!(world.homeserver.faults_left(), 0);
    assert!(is_linked(&world, &room).await);
    assert_eq!(announcements(&world, &room), 1);
    world.close().await;
}

async fn a_command_does_not_announce_what_it_did_not_link(database: Database) {
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    assert_eq!(world.admin().link(&room).await.0, 201);
    let asked = world.ana_says(&room, "!gitter link tidepool/pier");
    done(&world).await;
    assert_eq!(announcements(&world, &room), 0);
    let text = answered(&world, &room.matrix, &asked).await;
    assert!(text.contains("Linked already"), "{text}");
    // What is linked anew by a command is news.
    let ana = world.ana.clone();
    ask(&world, &room.matrix, &ana, "!gitter unlink tidepool/pier").await;
    for expected in 1..=2 {
        let asked = world.ana_says(&room, "!gitter link tidepool/pier");
        let code = code(&world, &room, &asked).await;
        world.gitter.post("kelp", room.gitter, &code).unwrap();
        done(&world).await;
        assert_eq!(announcements(&world, &room), expected);
        ask(&world, &room.matrix, &ana, "!gitter unlink tidepool/pier").await;
    }
    world.close().await;
}
