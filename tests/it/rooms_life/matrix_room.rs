//! The Matrix room: upgraded, encrypted, left by the bot.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ask, becomes, bot_says, has_crossed, watchful};
use crate::{
    homeserver::{Effect, RoomOptions, Stage},
    rooms_made::{create, on_gitter, room_of},
    world::{
        Room, World,
        database::{Database, on_both_databases},
        faults::status,
        id_of, until,
    },
};

on_both_databases![
    a_portal_follows_its_room_to_version_12,
    a_portal_follows_its_room_from_version_12_to_12,
    what_was_said_in_the_old_room_is_deleted_there,
    a_successor_that_does_not_point_back_is_not_followed,
    a_tombstone_takes_the_bot_from_no_room_that_it_was_in,
    what_is_refused_in_a_room_that_the_portal_has_left_stops_nothing,
    a_portal_that_the_bridge_made_needs_power_in_its_successor,
    what_follows_a_move_is_tried_until_it_is_done,
    a_room_that_cannot_be_joined_holds_up_no_other,
    a_portal_whose_bot_cannot_join_the_successor_waits_for_it,
    a_room_that_gets_encrypted_stops,
    a_bot_that_was_removed_comes_back_when_it_is_invited,
    a_removal_before_a_resume_is_old_news,
];

const BOT: &str = "@gitterbot:localhost";

pub(super) fn set_bot(world: &World, room: &Room, membership: &str) {
    let content = json!({ "membership": membership });
    world
        .homeserver
        .set_state(&room.matrix, &world.ana, "m.room.member", BOT, content);
}

/// A room of some version, linked, in which something was said.
async fn talking(world: &mut World, version: &'static str) -> Room {
    let options = RoomOptions {
        version: Some(version),
        ..RoomOptions::default()
    };
    let room = Room {
        matrix: world.homeserver.make_room(&world.ana, &options),
        ..world.make_rooms("pier")
    };
    world.link_rooms(room.clone()).await;
    world.both_say(&room, "before", 3);
    world.crossed().await;
    room
}

/// Waits until a portal is in another Matrix room.
async fn moves_to(world: &World, room: &Room) {
    until("the portal to move", async || {
        let (_, portal) = world.admin().portal(&room.gitter.to_string()).await;
        if portal["matrix_room_id"] == room.matrix.as_str() && portal["state"] == "active" {
            return Ok(Some(()));
        }
        anyhow::bail!("{portal}")
    })
    .await;
}

async fn follows(database: Database, version: &'static str) {
    let mut world = World::start(database).await;
    let old = talking(&mut world, version).await;
    let root = world.wren_says(&old, "who is in?");
    world.crossed().await;
    let new = Room {
        matrix: world.homeserver.upgrade(&old.matrix, &world.ana, "12"),
        ..old.clone()
    };
    // Right behind the tombstone, on both sides.
    world.wren_says(&new, "just upgraded");
    world.ana_says(&new, "welcome");
    moves_to(&world, &new).await;
    bot_says(&world, &new, "from here on").await;
    world.arrives_on_matrix(&new, "just upgraded").await;
    world.ana_says(&new, "so this is it");
    world.arrives_on_gitter(&new, "so this is it").await;
    world.wren_says(&new, "nice");
    world.arrives_on_matrix(&new, "nice").await;
    // What was said in the old room is not there; an answer to it crosses all the same, and once.
    world.gitter.reply("wren", new.gitter, root, "me").unwrap();
    world.arrives_on_matrix(&new, "me").await;
    world.drained().await;
    let texts = |room: &Room| -> Vec<String> {
        let messages = world.messages_on_matrix(room);
        messages
            .iter()
            .filter_map(|event| event["content"]["body"].as_str().map(str::to_owned))
            .collect()
    };
    let said = texts(&new);
    assert_eq!(
        said.iter().filter(|text| *text == "just upgraded").count(),
        1,
        "{said:?}"
    );
    assert!(
        !said
            .iter()
            .any(|text| text.starts_with("before") || text == "who is in?"),
        "{said:?}"
    );
    assert!(!texts(&old).iter().any(|text| text == "nice"));
    let (_, failed) = world.admin().items("state=failed").await;
    assert_eq!(failed["items"], json!([]));
    world.close().await;
}

async fn a_portal_follows_its_room_to_version_12(database: Database) {
    follows(database, "10").await;
}

async fn a_portal_follows_its_room_from_version_12_to_12(database: Database) {
    follows(database, "12").await;
}

async fn what_was_said_in_the_old_room_is_deleted_there(database: Database) {
    let mut world = World::start(database).await;
    let old = talking(&mut world, "10").await;
    let by_ana = world.ana_says(&old, "the tide is at ten");
    let by_wren = world.wren_says(&old, "no, at eleven");
    let event = world.arrives_on_matrix(&old, "no, at eleven").await;
    world.arrives_on_gitter(&old, "the tide is at ten").await;
    let levels = json!({ "users": { world.ana.as_str(): 100, BOT: 50 } });
    world
        .homeserver
        .set_state(&old.matrix, &world.ana, "m.room.power_levels", "", levels);
    let new = Room {
        matrix: world.homeserver.make_room(
            &world.ana,
            &RoomOptions {
                creation: json!({ "predecessor": { "room_id": old.matrix } }),
                ..RoomOptions::default()
            },
        ),
        ..old.clone()
    };
    let tombstone = json!({ "body": "on", "replacement_room": new.matrix });
    world
        .homeserver
        .set_state(&old.matrix, &world.ana, "m.room.tombstone", "", tombstone);
    moves_to(&world, &new).await;
    world.homeserver.redact(&old.matrix, &world.ana, &by_ana);
    world.gitter.delete("wren", old.gitter, by_wren).unwrap();
    let event: ruma::OwnedEventId = id_of(&event);
    until("both to be deleted", async || {
        let messages = world.gitter.messages(old.gitter);
        let is_there = messages
            .iter()
            .any(|message| message.text == "the tide is at ten");
        Ok((!is_there && world.is_redacted(&old, &event)).then_some(()))
    })
    .await;
    // What is said in the old room stays there.
    world.ana_says(&old, "anybody here?");
    world.ana_says(&new, "here we are");
    world.arrives_on_gitter(&new, "here we are").await;
    assert!(!has_crossed(&world, &old, "anybody here?"));
    let (_, failed) = world.admin().items("state=failed").await;
    assert_eq!(failed["items"], json!([]));
    world.close().await;
}

async fn a_successor_that_does_not_point_back_is_not_followed(database: Database) {
    let mut world = World::start(database).await;
    let room = talking(&mut world, "12").await;
    let stranger = world.homeserver.make_room(&world.ana, &RoomOptions::default());
    world.homeserver.entomb(&room.matrix, &world.ana, &stranger);
    let portal = becomes(&world, &room, "paused").await;
    assert!(
        portal["state_detail"].as_str().unwrap().contains("does not say"),
        "{portal}"
    );
    assert_eq!(portal["matrix_room_id"], room.matrix.as_str());
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 400);
    let members = world.homeserver.events(&stranger);
    let of_bot = members.iter().rfind(|event| event["state_key"] == BOT).unwrap();
    assert_eq!(of_bot["content"]["membership"], "leave");
    world.close().await;
}

async fn a_tombstone_takes_the_bot_from_no_room_that_it_was_in(database: Database) {
    let mut world = World::start(database).await;
    let room = talking(&mut world, "12").await;
    let space = Room {
        matrix: world.homeserver.make_room(&world.ana, &RoomOptions::default()),
        ..room.clone()
    };
    set_bot(&world, &space, "join");
    world.homeserver.entomb(&room.matrix, &world.ana, &space.matrix);
    becomes(&world, &room, "paused").await;
    let events = world.homeserver.events(&space.matrix);
    let of_bot = events.iter().rfind(|event| event["state_key"] == BOT).unwrap();
    assert_eq!(of_bot["content"]["membership"], "join");
    world.close().await;
}

async fn what_is_refused_in_a_room_that_the_portal_has_left_stops_nothing(database: Database) {
    let mut world = World::start(database).await;
    let old = talking(&mut world, "11").await;
    let late = Effect::Latency(Duration::from_secs(8));
    world.sends_suffer(late, Stage::Before, 1);
    world.wren_says(&old, "on its way");
    until("the message to be under way", async || {
        let waits = world.homeserver.faults_left() == 0;
        Ok(waits.then_some(()))
    })
    .await;
    let new = Room {
        matrix: world.homeserver.upgrade(&old.matrix, &world.ana, "12"),
        ..old.clone()
    };
    moves_to(&world, &new).await;
    set_bot(&world, &old, "leave");
    world.arrives_on_matrix(&new, "on its way").await;
    world.both_say(&new, "after", 2);
    world.arrives_on_gitter(&new, "after 1 of ana").await;
    world.arrives_on_matrix(&new, "after 1 of wren").await;
    moves_to(&world, &new).await;
    world.close().await;
}

async fn a_portal_that_the_bridge_made_needs_power_in_its_successor(database: Database) {
    let world = World::start(database).await;
    on_gitter(&world, "tidepool/pier");
    let (status, portal) = create(&world, "tidepool/pier").await;
    assert_eq!(status, 201, "{portal}");
    let old = room_of(&portal);
    // Somebody else makes the successor, and gives the bot nothing.
    let options = RoomOptions {
        version: Some("12"),
        creation: json!({ "predecessor": { "room_id": old.matrix } }),
        ..RoomOptions::default()
    };
    let new = Room {
        matrix: world.homeserver.make_room(&world.ana, &options),
        ..old.clone()
    };
    let bot = ruma::UserId::parse(BOT).unwrap();
    world.homeserver.entomb(&old.matrix, &bot, &new.matrix);
    let portal = becomes(&world, &old, "paused").await;
    assert!(
        portal["state_detail"].as_str().unwrap().contains("power"),
        "{portal}"
    );
    let levels = json!({ "users": { BOT: 50 } });
    world
        .homeserver
        .set_state(&new.matrix, &world.ana, "m.room.power_levels", "", levels);
    assert_eq!(ask(&world, &old.gitter.to_string(), "resume").await.0, 202);
    moves_to(&world, &new).await;
    world.close().await;
}

const TO_DO: &str = "SELECT COUNT(*) FROM leaving WHERE gitter_room_id = $1 AND claimed_at = 0";

async fn what_follows_a_move_is_tried_until_it_is_done(database: Database) {
    let mut world = World::start(database).await;
    on_gitter(&world, "tidepool/pier");
    let old = room_of(&create(&world, "tidepool/pier").await.1);
    let space = world.homeserver.room_of("#gitter_tidepool:localhost").unwrap();
    let failure = status(StatusCode::BAD_GATEWAY);
    world.requests_suffer(Method::PUT, "/state/m.space.child", failure, Stage::Before, 1);
    let bot = ruma::UserId::parse(BOT).unwrap();
    let new = Room {
        matrix: world.homeserver.upgrade(&old.matrix, &bot, "12"),
        ..old.clone()
    };
    moves_to(&world, &new).await;
    let id = old.gitter.to_string();
    until("it to be tried once", async || {
        let tried = world.homeserver.faults_left() == 0;
        Ok((tried && world.database.number(TO_DO, &id).await == 1).then_some(()))
    })
    .await;
    world.bridge.kill().await;
    world.bridge.start().await;
    let child = |room: &Room| {
        let mut events = world.homeserver.events(&space);
        events.retain(|event| event["type"] == "m.space.child" && event["state_key"] == room.matrix.as_str());
        events.pop().map(|mut event| event["content"].take())
    };
    until("the Space to have the new room in place of the old", async || {
        let (old, new) = (child(&old), child(&new));
        let moved = old == Some(json!({})) && new.is_some_and(|new| new["order"] == "pier");
        Ok(moved.then_some(()))
    })
    .await;
    let alias = world.homeserver.room_of("#gitter_tidepool_pier:localhost");
    assert_eq!(alias, Some(new.matrix.clone()));
    world.close().await;
}

const CONFIRMED_AT: &str = "SELECT confirmed_at FROM portal WHERE gitter_room_id = $1";

async fn a_room_that_cannot_be_joined_holds_up_no_other(database: Database) {
    let mut world = watchful(database).await;
    let (hanging, removed, other) = (
        world.link("cove").await,
        world.link("pier").await,
        world.link("quay").await,
    );
    for room in [&hanging, &removed] {
        set_bot(&world, room, "leave");
        becomes(&world, room, "broken").await;
    }
    let localpart = hanging.matrix.as_str().trim_start_matches('!');
    let localpart = localpart.split(':').next().unwrap().to_owned();
    let late = Effect::Latency(Duration::from_mins(5));
    world.requests_suffer(Method::POST, localpart.leak(), late, Stage::Before, 100);
    set_bot(&world, &hanging, "invite");
    until("the join to hang", async || {
        Ok((world.homeserver.faults_left() < 100).then_some(()))
    })
    .await;
    // What others do after the invitation does not hide it.
    set_bot(&world, &removed, "invite");
    for number in 0..101 {
        let content = json!({ "membership": "invite" });
        let who = format!("@guest{number}:localhost");
        world
            .homeserver
            .set_state(&removed.matrix, &world.ana, "m.room.member", &who, content);
    }
    becomes(&world, &removed, "active").await;
    let id = other.gitter.to_string();
    let confirmed_at = async || world.database.number(CONFIRMED_AT, &id).await;
    let before = confirmed_at().await;
    until("rooms to be looked at", async || {
        Ok((confirmed_at().await > before + 6_000).then_some(()))
    })
    .await;
    world.wren_says(&other, "still here");
    world.arrives_on_matrix(&other, "still here").await;
    world.homeserver.clear_faults();
    world.close().await;
}

async fn a_portal_whose_bot_cannot_join_the_successor_waits_for_it(database: Database) {
    let mut world = World::start(database).await;
    let old = talking(&mut world, "11").await;
    let options = RoomOptions {
        private: true,
        creation: json!({ "predecessor": { "room_id": old.matrix } }),
        ..RoomOptions::default()
    };
    let new = Room {
        matrix: world.homeserver.make_room(&world.ana, &options),
        ..old.clone()
    };
    world.homeserver.entomb(&old.matrix, &world.ana, &new.matrix);
    let portal = becomes(&world, &old, "paused").await;
    assert!(
        portal["state_detail"].as_str().unwrap().contains("invite it"),
        "{portal}"
    );
    world.wren_says(&old, "meanwhile");
    assert_eq!(ask(&world, &old.gitter.to_string(), "resume").await.0, 400);
    let bot = ruma::UserId::parse(BOT).unwrap();
    world.homeserver.invite(&new.matrix, &world.ana, &bot);
    assert_eq!(ask(&world, &old.gitter.to_string(), "resume").await.0, 202);
    moves_to(&world, &new).await;
    world.arrives_on_matrix(&new, "meanwhile").await;
    world.close().await;
}

async fn a_room_that_gets_encrypted_stops(database: Database) {
    let mut world = World::start(database).await;
    let room = talking(&mut world, "12").await;
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    world
        .homeserver
        .set_state(&room.matrix, &world.ana, "m.room.encryption", "", algorithm);
    let portal = becomes(&world, &room, "paused").await;
    assert!(
        portal["state_detail"].as_str().unwrap().contains("encrypted"),
        "{portal}"
    );
    bot_says(&world, &room, "is encrypted now").await;
    world.wren_says(&room, "for nobody");
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 400);
    world.bridge.stop().await;
    world.bridge.start().await;
    becomes(&world, &room, "paused").await;
    assert!(!has_crossed(&world, &room, "for nobody"));
    bot_says(&world, &room, "is encrypted now").await;
    world.close().await;
}

async fn a_bot_that_was_removed_comes_back_when_it_is_invited(database: Database) {
    let mut world = World::start(database).await;
    let room = talking(&mut world, "12").await;
    for (membership, restart) in [("leave", false), ("ban", true)] {
        set_bot(&world, &room, membership);
        let portal = becomes(&world, &room, "broken").await;
        assert!(
            portal["state_detail"]
                .as_str()
                .unwrap()
                .contains("invite it again"),
            "{portal}"
        );
        world.both_say(&room, &format!("after the {membership}"), 2);
        assert_eq!(ask(&world, room.matrix.as_str(), "sync").await.0, 400);
        if membership == "ban" {
            set_bot(&world, &room, "leave");
        }
        if restart {
            world.bridge.stop().await;
            world.bridge.start().await;
            becomes(&world, &room, "broken").await;
        }
        set_bot(&world, &room, "invite");
        becomes(&world, &room, "active").await;
        world.crossed().await;
    }
    world.finish().await;
}

async fn a_removal_before_a_resume_is_old_news(database: Database) {
    let mut world = World::start(database).await;
    let room = talking(&mut world, "12").await;
    assert_eq!(ask(&world, room.matrix.as_str(), "pause").await.0, 202);
    set_bot(&world, &room, "leave");
    world.ana_says(&room, "where is it?");
    set_bot(&world, &room, "invite");
    world.homeserver.wait_until_pushed().await;
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    world.arrives_on_gitter(&room, "where is it?").await;
    let states: Vec<Value> = world.admin().portals().await.unwrap();
    assert_eq!(states[0]["state"], "active");
    world.finish().await;
}
