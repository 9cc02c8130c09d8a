//! The Gitter room: public or not, renamed, deleted.

use gitter_sandbox::{Fault as GitterFault, NewRoom, RequestEffect, RequestFault, RoomChange, When};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{ask, becomes, bot_says, has_crossed, matrix_room::set_bot, said_by_bot, watchful};
use crate::{
    homeserver::Stage,
    media::crossing::{link_of_message, open},
    rooms_made::{create, on_gitter, room_of, states},
    world::{
        Room, World,
        admin::answer,
        database::{Database, on_both_databases},
        faults::status,
        until,
    },
};

on_both_databases![
    a_room_that_turns_private_stops_until_it_is_public_and_resumed,
    what_another_process_takes_of_a_private_room_does_not_cross,
    an_edit_made_while_a_room_was_private_does_not_cross,
    a_room_that_turned_private_while_paused_does_not_go_on,
    what_is_said_in_a_room_that_nobody_confirms_waits,
    a_renamed_room_keeps_its_portal,
    a_deleted_room_stops_and_its_matrix_room_is_free,
    what_is_said_in_private_while_the_bot_is_out_does_not_cross,
    a_bot_that_is_invited_asks_first_whether_the_room_is_public,
    a_room_that_seemed_to_be_gone_gets_its_aliases_back,
    what_a_new_link_could_not_set_is_set_by_the_next_look,
    a_portal_that_works_makes_no_way_for_another,
];

fn set_public(world: &World, room: &Room, public: bool) {
    let change = RoomChange {
        public: Some(public),
        ..RoomChange::default()
    };
    world.gitter.alter_room(room.gitter, &change).unwrap();
}

/// Links a Gitter room that has members, who may read it when it is private.
async fn link_with_members(world: &mut World, members: &[&str]) -> Room {
    let mut room = world.make_rooms("pier-of-others");
    room.uri = "tidepool/pier".to_owned();
    let new = NewRoom {
        members: members.iter().map(|&name| name.to_owned()).collect(),
        ..NewRoom::public(&room.uri)
    };
    room.gitter = world.gitter.add_room(&new).unwrap();
    world.link_rooms(room.clone()).await;
    room
}

async fn a_room_that_turns_private_stops_until_it_is_public_and_resumed(database: Database) {
    let mut world = watchful(database).await;
    let room = link_with_members(&mut world, &["wren"]).await;
    world.both_say(&room, "before", 1);
    world.crossed().await;
    let mxc = world.homeserver.add_media("text/plain", b"two oars".to_vec());
    world.ana_sends(
        &room,
        json!({ "msgtype": "m.file", "body": "oars.txt", "url": mxc }),
    );
    let link = link_of_message(&world, &room, 3).await;
    assert_eq!(open(&world, &link).await.status(), StatusCode::OK);

    set_public(&world, &room, false);
    let portal = becomes(&world, &room, "private").await;
    assert!(portal["state_detail"].as_str().unwrap().contains("private"));
    bot_says(&world, &room, "not public any more").await;
    assert_ne!(open(&world, &link).await.status(), StatusCode::OK);
    world.wren_says(&room, "between us");
    world.ana_says(&room, "can you hear me?");
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 400);
    world.bridge.stop().await;
    world.bridge.start().await;
    world.homeserver.wait_until_pushed().await;
    becomes(&world, &room, "private").await;

    set_public(&world, &room, true);
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    becomes(&world, &room, "active").await;
    world.arrives_on_gitter(&room, "can you hear me?").await;
    world.wren_says(&room, "all ears");
    world.arrives_on_matrix(&room, "all ears").await;
    assert!(!has_crossed(&world, &room, "between us"));
    assert_eq!(open(&world, &link).await.status(), StatusCode::OK);
    assert_eq!(said_by_bot(&world, &room).len(), 1);
    world.close().await;
}

async fn a_room_that_turned_private_while_paused_does_not_go_on(database: Database) {
    let mut world = World::start(database).await;
    let room = link_with_members(&mut world, &["bridge_bot", "wren"]).await;
    world.both_say(&room, "before", 1);
    world.crossed().await;
    assert_eq!(ask(&world, room.matrix.as_str(), "pause").await.0, 202);
    // Nobody is told of it, and the next look is up to a minute away.
    set_public(&world, &room, false);
    world.wren_says(&room, "between us");
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 400);
    becomes(&world, &room, "private").await;
    // It stays private, whatever else is asked for.
    assert_eq!(ask(&world, room.matrix.as_str(), "pause").await.0, 202);
    becomes(&world, &room, "private").await;
    set_public(&world, &room, true);
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    becomes(&world, &room, "active").await;
    world.wren_says(&room, "all ears");
    world.arrives_on_matrix(&room, "all ears").await;
    assert!(!has_crossed(&world, &room, "between us"));
    world.close().await;
}

/// As if another process had noticed: this one still follows the room.
const NOTICED: &str = "UPDATE portal SET state = 'private', stopped_by = 'private'";

const TAKEN: &str = "SELECT COUNT(*) FROM inbox WHERE direction = 'to_matrix' AND body LIKE $1";

async fn what_another_process_takes_of_a_private_room_does_not_cross(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 1);
    world.crossed().await;
    world.database.change(NOTICED).await;
    world.wren_says(&room, "between us");
    until("the message to be taken", async || {
        let taken = world.database.number(TAKEN, "%between us%").await;
        Ok((taken == 1).then_some(()))
    })
    .await;
    // A snapshot of the room comes in as well.
    let other = world.link("cove").await;
    world.gitter.add_fault(GitterFault::CutSockets);
    world.wren_says(&room, "between ourselves");
    world.wren_says(&other, "elsewhere");
    world.arrives_on_matrix(&other, "elsewhere").await;
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    becomes(&world, &room, "active").await;
    world.wren_says(&room, "all ears");
    world.arrives_on_matrix(&room, "all ears").await;
    assert!(!has_crossed(&world, &room, "between us"));
    assert!(!has_crossed(&world, &room, "between ourselves"));
    world.close().await;
}

async fn an_edit_made_while_a_room_was_private_does_not_cross(database: Database) {
    let mut world = watchful(database).await;
    let room = link_with_members(&mut world, &["wren"]).await;
    let message = world.wren_says(&room, "two oars");
    world.crossed().await;
    set_public(&world, &room, false);
    becomes(&world, &room, "private").await;
    let edit = |text| world.gitter.edit("wren", room.gitter, message, text).unwrap();
    edit("two oars, between us");
    set_public(&world, &room, true);
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    becomes(&world, &room, "active").await;
    world.wren_says(&room, "all ears");
    world.arrives_on_matrix(&room, "all ears").await;
    assert_eq!(world.edits_on_matrix(&room), Vec::<Value>::new());
    edit("three oars");
    world.arrives_as_edit(&room, "* three oars").await;
    world.close().await;
}

async fn what_is_said_in_a_room_that_nobody_confirms_waits(database: Database) {
    let mut world = watchful(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 2);
    world.crossed().await;
    world.gitter.add_fault(GitterFault::EmptySnapshots(true));
    until("the hold to be told", async || {
        let log = world.bridge.whole_log();
        Ok(log
            .contains("does not confirm that a room is public")
            .then_some(()))
    })
    .await;
    let metrics = world.admin().metrics().await.unwrap();
    assert!(
        metrics.contains(&"gitter_bridge_portals_unconfirmed 1".to_owned()),
        "{metrics:?}"
    );
    world.wren_says(&room, "is this on?");
    world.ana_says(&room, "to Gitter all goes on");
    world.arrives_on_gitter(&room, "to Gitter all goes on").await;
    assert!(!has_crossed(&world, &room, "is this on?"));
    world.gitter.add_fault(GitterFault::EmptySnapshots(false));
    world.arrives_on_matrix(&room, "is this on?").await;
    world.finish().await;
}

async fn a_renamed_room_keeps_its_portal(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let first = world.ana_says(&room, "here");
    world.crossed().await;
    let change = RoomChange {
        uri: Some("tidepool/jetty".to_owned()),
        ..RoomChange::default()
    };
    world.gitter.alter_room(room.gitter, &change).unwrap();
    until("the new name to be known", async || {
        let (_, portal) = world.admin().portal(&room.gitter.to_string()).await;
        Ok((portal["gitter_uri"] == "tidepool/jetty").then_some(()))
    })
    .await;
    // Links to messages lead to where they are now.
    let link = format!("https://matrix.to/#/{}/{first}", room.matrix);
    world.ana_says(&room, &link);
    until("the link on Gitter", async || {
        let messages = world.gitter.messages(room.gitter);
        let texts: Vec<_> = messages.iter().map(|message| &message.text).collect();
        if texts.iter().any(|text| text.contains("/tidepool/jetty?at=")) {
            return Ok(Some(()));
        }
        anyhow::bail!("{texts:?}")
    })
    .await;
    world.close().await;
}

async fn a_deleted_room_stops_and_its_matrix_room_is_free(database: Database) {
    let mut world = watchful(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    world.both_say(&room, "before", 2);
    world.crossed().await;
    let users = world.gitter.state().users;
    let wren = users.into_iter().find(|user| user.username == "wren").unwrap();
    let url = format!("{}/rooms/{}", world.gitter_api(), room.gitter);
    let request = reqwest::Client::new()
        .request(Method::DELETE, url)
        .bearer_auth(&wren.tokens[0].token);
    assert!(answer(request).await.unwrap().0 < 300);
    let portal = becomes(&world, &room, "broken").await;
    assert!(
        portal["state_detail"].as_str().unwrap().contains("deleted"),
        "{portal}"
    );
    bot_says(&world, &room, "was deleted").await;
    world.bridge.stop().await;
    world.bridge.start().await;
    becomes(&world, &room, "broken").await;
    for what in ["resume", "sync"] {
        assert_eq!(ask(&world, room.matrix.as_str(), what).await.0, 400);
    }
    becomes(&world, &room, "broken").await;

    // Made anew at the same address it is another room, which the old link does not stand in the way of.
    let again = Room {
        gitter: world.gitter.add_room(&NewRoom::public(&room.uri)).unwrap(),
        ..room.clone()
    };
    let (status, linked) = world.admin().link(&again).await;
    assert_eq!(status, 201, "{linked}");
    world.wren_says(&again, "here we are again");
    world.arrives_on_matrix(&again, "here we are again").await;
    assert_eq!(world.admin().portals().await.unwrap().len(), 1);
    assert_eq!(said_by_bot(&world, &room).len(), 1);
    world.close().await;
}

async fn what_is_said_in_private_while_the_bot_is_out_does_not_cross(database: Database) {
    let mut world = watchful(database).await;
    let room = link_with_members(&mut world, &["wren"]).await;
    world.both_say(&room, "before", 1);
    world.crossed().await;
    set_bot(&world, &room, "leave");
    becomes(&world, &room, "broken").await;
    world.bridge.stop().await;
    world.bridge.start().await;
    set_public(&world, &room, false);
    becomes(&world, &room, "private").await;
    world.wren_says(&room, "between us");
    set_public(&world, &room, true);
    set_bot(&world, &room, "invite");
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    becomes(&world, &room, "active").await;
    world.wren_says(&room, "all ears");
    world.arrives_on_matrix(&room, "all ears").await;
    assert!(!has_crossed(&world, &room, "between us"));
    world.close().await;
}

async fn a_bot_that_is_invited_asks_first_whether_the_room_is_public(database: Database) {
    let mut world = World::start(database).await;
    let room = link_with_members(&mut world, &["bridge_bot", "wren"]).await;
    world.both_say(&room, "before", 1);
    world.crossed().await;
    set_bot(&world, &room, "leave");
    becomes(&world, &room, "broken").await;
    // Nobody is told of it, and no look shows it.
    world.gitter.add_fault(GitterFault::EmptySnapshots(true));
    set_public(&world, &room, false);
    world.wren_says(&room, "between us");
    set_bot(&world, &room, "invite");
    becomes(&world, &room, "private").await;
    world.gitter.add_fault(GitterFault::EmptySnapshots(false));
    set_public(&world, &room, true);
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    becomes(&world, &room, "active").await;
    world.wren_says(&room, "all ears");
    world.arrives_on_matrix(&room, "all ears").await;
    assert!(!has_crossed(&world, &room, "between us"));
    world.close().await;
}

/// Nothing can be noted of a room that is private.
const FILL_UP: &str = "CREATE TRIGGER full BEFORE UPDATE OF state ON portal WHEN NEW.state = 'private'
    BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";

const MAKE_ROOM: &str = "DROP TRIGGER full";

/// On SQLite, nobody but this process would follow the room anew.
#[tokio::test]
async fn a_change_to_private_that_could_not_be_noted_is_noted_later() {
    let mut world = watchful(Database::Sqlite).await;
    let room = link_with_members(&mut world, &["wren"]).await;
    world.both_say(&room, "before", 1);
    world.crossed().await;
    world.database.change(FILL_UP).await;
    set_public(&world, &room, false);
    until("the change to be heard of", async || {
        let log = world.bridge.whole_log();
        Ok(log.contains("could not be dealt with yet").then_some(()))
    })
    .await;
    world.database.change(MAKE_ROOM).await;
    becomes(&world, &room, "private").await;
    world.close().await;
}

/// Gitter says of a room that there is none, whoever asks.
fn deny(world: &World, room: &Room) {
    for method in ["SUBSCRIBE", "GET"] {
        world.gitter.add_fault(GitterFault::Request(RequestFault {
            effect: RequestEffect::Status(404),
            when: When::Before,
            times: u32::MAX,
            method: Some(method.to_owned()),
            path: format!("/rooms/{}", room.gitter),
        }));
    }
}

async fn a_room_that_seemed_to_be_gone_gets_its_aliases_back(database: Database) {
    let world = watchful(database).await;
    let room = made_and_renamed(&world).await;
    deny(&world, &room);
    becomes(&world, &room, "broken").await;
    until("the alias to be free", async || {
        Ok(world.homeserver.room_of(JETTY).is_none().then_some(()))
    })
    .await;
    world.gitter.clear_faults();
    assert_eq!(ask(&world, room.matrix.as_str(), "resume").await.0, 202);
    until("the alias to lead to the room again", async || {
        Ok((world.homeserver.room_of(JETTY).as_ref() == Some(&room.matrix)).then_some(()))
    })
    .await;
    world.close().await;
}

/// A room that the bridge made and brought in step since: its Gitter room was renamed.
async fn made_and_renamed(world: &World) -> Room {
    on_gitter(world, "tidepool/pier");
    let room = room_of(&create(world, "tidepool/pier").await.1);
    let change = RoomChange {
        uri: Some("tidepool/jetty".to_owned()),
        ..RoomChange::default()
    };
    world.gitter.alter_room(room.gitter, &change).unwrap();
    until("the room to have the new alias", async || {
        Ok(world.homeserver.room_of(JETTY).is_some().then_some(()))
    })
    .await;
    Room {
        uri: "tidepool/jetty".to_owned(),
        ..room
    }
}

const JETTY: &str = "#gitter_tidepool_jetty:localhost";

async fn what_a_new_link_could_not_set_is_set_by_the_next_look(database: Database) {
    let world = watchful(database).await;
    let room = made_and_renamed(&world).await;
    assert_eq!(world.admin().unlink(room.matrix.as_str()).await.0, 204);
    assert_eq!(states(&world, &room, "m.bridge").last(), Some(&json!({})));
    let failure = status(StatusCode::BAD_GATEWAY);
    world.requests_suffer(Method::PUT, "/state/m.bridge", failure, Stage::Before, 1);
    assert_eq!(world.admin().link(&room).await.0, 201);
    until("the room to say what it is bridged to", async || {
        let last = states(&world, &room, "m.bridge").pop().unwrap();
        Ok((last != json!({})).then_some(()))
    })
    .await;
    world.close().await;
}

/// What stopped a portal once may still be noted.
const WAS_GONE: &str = "UPDATE portal SET stopped_by = 'gone'";

async fn a_portal_that_works_makes_no_way_for_another(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.database.change(WAS_GONE).await;
    let other = Room {
        matrix: room.matrix.clone(),
        ..world.make_rooms("cove")
    };
    let (status, refusal) = world.admin().link(&other).await;
    assert_eq!(status, 409, "{refusal}");
    world.both_say(&room, "still here", 1);
    world.finish().await;
}
