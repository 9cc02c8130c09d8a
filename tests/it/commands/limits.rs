//! What people cannot do with commands: spend the budget, disorder things, strand the bot, have rooms made.

use reqwest::{Method, StatusCode};
use ruma::{RoomId, UserId};
use serde_json::{Value, json};

use super::{
    BOT, ask, done,
    links::{code, rooms},
    newcomer,
};
use crate::{
    homeserver::Stage,
    rooms_made::{create, on_gitter, room_of},
    world::{
        Options, World,
        database::{Database, on_both_databases},
        faults::status,
    },
};

on_both_databases![
    pings_of_many_people_are_one_request,
    what_people_ask_for_spends_little_of_the_budget,
    what_one_person_asks_for_is_done_in_its_order,
    invites_and_departures_do_not_pile_up,
    the_bot_stays_in_rooms_that_it_made,
    a_room_that_the_bot_has_left_is_not_taken_up_dead,
    an_alias_behind_a_command_makes_no_room,
];

fn bot() -> &'static UserId {
    BOT.try_into().unwrap()
}

async fn pings_of_many_people_are_one_request(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let before = world.gitter.charged().requests;
    for name in ["bo", "cy", "di", "ed"] {
        let user = newcomer(&world, &room.matrix, name);
        let ping = ask(&world, &room.matrix, &user, "!gitter ping").await;
        assert!(ping.contains("Gitter answered after"), "{ping}");
    }
    let spent = world.gitter.charged().requests - before;
    assert!(spent <= 2, "{spent} requests for four pings");
    world.close().await;
}

async fn what_people_ask_for_spends_little_of_the_budget(database: Database) {
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let levels = json!({ "users_default": 100 });
    world
        .homeserver
        .set_state(&room.matrix, &world.ana, "m.room.power_levels", "", levels);
    let before = world.gitter.charged().requests;
    for name in ["bo", "cy", "di", "ed", "fi"] {
        let user = newcomer(&world, &room.matrix, name);
        for number in 0..9 {
            let command = format!("!gitter link tidepool/nowhere{number}");
            world.homeserver.send_text(&room.matrix, &user, &command);
        }
    }
    world.homeserver.wait_until_pushed().await;
    done(&world).await;
    let spent = world.gitter.charged().requests - before;
    assert!(spent <= 32, "{spent} requests for forty-five commands");
    world.close().await;
}

async fn what_one_person_asks_for_is_done_in_its_order(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    // Pausing cannot be done at first.
    world.requests_suffer(
        Method::GET,
        "/state/m.room.create",
        status(StatusCode::BAD_GATEWAY),
        Stage::Before,
        1,
    );
    world.ana_says(&room, "!gitter pause");
    world.ana_says(&room, "!gitter resume");
    world.homeserver.wait_until_pushed().await;
    done(&world).await;
    assert_eq!(world.homeserver.faults_left(), 0);
    let (_, portal) = world.admin().portal(room.matrix.as_str()).await;
    assert_ne!(portal["state"], "paused");

    // Who waits for a code may ask for more.
    let pier = rooms(&world, "cove").await;
    let asked = world.ana_says(&pier, "!gitter link tidepool/cove");
    code(&world, &pier, &asked).await;
    let status = ask(&world, &pier.matrix, &world.ana.clone(), "!gitter status").await;
    assert!(status.contains("not linked"), "{status}");
    world.close().await;
}

async fn invites_and_departures_do_not_pile_up(database: Database) {
    const WAITING: &str = "SELECT COUNT(*) FROM command WHERE NOT done AND user_id = $1";
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let bo = world.homeserver.make_user("bo", "Bo");
    // Nothing can be done for a while.
    world.requests_suffer(
        Method::GET,
        "/joined_members",
        status(StatusCode::BAD_GATEWAY),
        Stage::Before,
        1_000,
    );
    for _ in 0..60 {
        world.homeserver.join(&room.matrix, &bo);
        world.homeserver.leave(&room.matrix, &bo);
    }
    world.homeserver.wait_until_pushed().await;
    let waiting = world.database.number(WAITING, bo.as_str()).await;
    assert!((1..=12).contains(&waiting), "{waiting} departures wait");
    world.homeserver.clear_faults();
    world.close().await;
}

/// Somebody comes and goes; what comes of it is waited for.
async fn visit(world: &World, room: &RoomId, name: &str) {
    let visitor = newcomer(world, room, name);
    world.homeserver.leave(room, &visitor);
    world.homeserver.wait_until_pushed().await;
    done(world).await;
}

async fn the_bot_stays_in_rooms_that_it_made(database: Database) {
    let world = World::start(database).await;
    on_gitter(&world, "tidepool/pier");
    let made = room_of(&create(&world, "tidepool/pier").await.1);
    let space = world.homeserver.room_of("#gitter_tidepool:localhost").unwrap();
    visit(&world, &space, "bo").await;
    assert_eq!(world.homeserver.membership(&space, bot()), "join");
    assert_eq!(world.admin().unlink(made.matrix.as_str()).await.0, 204);
    visit(&world, &made.matrix, "cy").await;
    assert_eq!(world.homeserver.membership(&made.matrix, bot()), "join");
    world.close().await;
}

async fn a_room_that_the_bot_has_left_is_not_taken_up_dead(database: Database) {
    let world = World::start(database).await;
    let id = on_gitter(&world, "tidepool/pier");
    let made = room_of(&create(&world, "tidepool/pier").await.1);
    assert_eq!(world.admin().unlink(made.matrix.as_str()).await.0, 204);
    world.homeserver.leave(&made.matrix, bot());
    world
        .homeserver
        .plant_alias(&format!("#gitter_{id}:localhost"), &made.matrix);
    // Nobody is left through whom it could get in.
    let nobody = status(StatusCode::NOT_FOUND);
    world.requests_suffer(Method::POST, "/join", nobody, Stage::Before, 1);
    let (status, portal) = create(&world, "tidepool/pier").await;
    assert_eq!(status, 201, "{portal}");
    let again = room_of(&portal);
    assert_ne!(again.matrix, made.matrix);
    assert_eq!(world.homeserver.membership(&again.matrix, bot()), "join");
    world.close().await;
}

async fn an_alias_behind_a_command_makes_no_room(database: Database) {
    let options = Options {
        permissions: json!({ "@ana:localhost": "user" }),
        ..Options::default()
    };
    let world = World::with(database, options).await;
    on_gitter(&world, "tidepool/pier");
    let room = rooms(&world, "cove").await;
    let bo = newcomer(&world, &room.matrix, "bo");
    for (user, refusal) in [
        (&bo, "has not allowed you"),
        (&world.ana.clone(), "No room has the alias"),
    ] {
        let command = "!gitter status #gitter_tidepool_pier:localhost";
        let answer = ask(&world, &room.matrix, user, command).await;
        assert!(answer.contains(refusal), "{answer}");
    }
    assert_eq!(world.admin().portals().await.unwrap(), Vec::<Value>::new());
    // It is there for who joins it.
    let alias = "#gitter_tidepool_pier:localhost";
    assert!(world.homeserver.join_alias(alias, &world.ana).await.is_ok());
    world.close().await;
}
