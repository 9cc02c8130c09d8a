//! Rooms that the bridge makes, and what it writes into those that it is linked with.

use gitter_sandbox::{NewRoom, RoomChange};
use reqwest::Method;
use ruma::OwnedUserId;
use serde_json::{Value, json};

use crate::{
    homeserver::RoomOptions,
    world::{
        Room, World,
        admin::answer,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    a_linked_room_says_what_it_is_bridged_to_and_keeps_its_name,
    an_operator_has_a_room_made,
    admins_on_gitter_have_power_in_a_room_that_was_made,
    a_room_that_was_made_and_not_noted_is_taken_up,
    joining_an_alias_makes_the_room,
    two_who_join_one_alias_meet_in_one_room,
    aliases_that_stand_for_no_room_or_for_two_are_not_found,
    aliases_that_are_tried_spend_little_of_the_budget,
    a_room_that_is_made_anew_at_the_same_address_is_another,
    the_alias_of_a_former_address_stays,
    a_link_replaces_a_room_that_was_made,
    what_is_unlinked_leaves_nothing_behind_and_can_be_linked_again,
];

/// The contents of all events of a type in a Matrix room, in order.
pub(crate) fn states(world: &World, room: &Room, event_type: &str) -> Vec<Value> {
    let mut events = world.homeserver.events(&room.matrix);
    events.retain(|event| event["type"] == event_type && event.get("state_key").is_some());
    events.iter_mut().map(|event| event["content"].take()).collect()
}

/// Lets the bot set state.
pub(crate) fn give_power(world: &World, room: &Room) {
    let levels = json!({ "users": { "@gitterbot:localhost": 50 } });
    world
        .homeserver
        .set_state(&room.matrix, &world.ana, "m.room.power_levels", "", levels);
}

/// Has the bridge look through a room, and waits until it has.
pub(crate) async fn sync(world: &World, room: &Room) {
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
    let before = world.homeserver.events(&room.matrix);
    sync(&world, &room).await;
    assert_eq!(world.homeserver.events(&room.matrix), before);
    assert_eq!(states(&world, &room, "m.room.name"), Vec::<Value>::new());

    let (status, _) = world.admin().unlink(room.matrix.as_str()).await;
    assert_eq!(status, 204);
    for event_type in ["m.bridge", "uk.half-shot.bridge"] {
        assert_eq!(states(&world, &room, event_type).last(), Some(&json!({})));
    }
    world.close().await;
}

/// Makes a public room on Gitter.
pub(crate) fn on_gitter(world: &World, uri: &str) -> String {
    world.gitter.add_room(&NewRoom::public(uri)).unwrap().to_string()
}

/// What the admin API says of a room that it was asked to make.
pub(crate) async fn create(world: &World, uri: &str) -> (u16, Value) {
    world.admin().post_room(&json!({ "gitter_uri": uri })).await
}

/// The room of a portal.
pub(crate) fn room_of(portal: &Value) -> Room {
    Room {
        uri: portal["gitter_uri"].as_str().unwrap().to_owned(),
        gitter: portal["gitter_room_id"].as_str().unwrap().parse().unwrap(),
        matrix: portal["matrix_room_id"].as_str().unwrap().try_into().unwrap(),
    }
}

/// The room has all that the Gitter room has, each written once.
fn looks_like_on_gitter(world: &World, room: &Room) {
    for (event_type, key, value) in [
        ("m.room.name", "name", json!("Tidepool/Pier")),
        ("m.room.topic", "topic", json!("boats")),
        (
            "m.room.history_visibility",
            "history_visibility",
            json!("world_readable"),
        ),
        ("m.room.join_rules", "join_rule", json!("public")),
        ("m.room.create", "additional_creators", json!([world.ana])),
        (
            "m.room.canonical_alias",
            "alias",
            json!("#gitter_Tidepool_Pier:localhost"),
        ),
    ] {
        assert_eq!(states(world, room, event_type).last().unwrap()[key], value);
    }
    assert_eq!(states(world, room, "m.room.name").len(), 1);
    assert_eq!(states(world, room, "m.room.topic").len(), 1);
    let avatars = states(world, room, "m.room.avatar");
    assert!(
        world
            .homeserver
            .media(avatars[0]["url"].as_str().unwrap())
            .is_some()
    );
}

async fn an_operator_has_a_room_made(database: Database) {
    let world = World::start(database).await;
    let new = NewRoom {
        topic: "boats".to_owned(),
        ..NewRoom::public("Tidepool/Pier")
    };
    let id = world.gitter.add_room(&new).unwrap();
    let body = json!({ "gitter_uri": "tidepool/pier", "dry_run": true });
    let (status, checks) = world.admin().post_room(&body).await;
    assert_eq!(status, 200);
    let checks = checks["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["ok"] == true), "{checks:?}");
    assert!(checks.iter().any(|check| check["check"] == "matrix_alias_free"));
    assert_eq!(world.homeserver.room_of(&format!("#gitter_{id}:localhost")), None);

    let body = json!({ "gitter_uri": "tidepool/pier", "requester": world.ana });
    let (status, portal) = world.admin().post_room(&body).await;
    assert_eq!((status, &portal["kind"]), (201, &json!("created")), "{portal}");
    let room = room_of(&portal);
    looks_like_on_gitter(&world, &room);
    for alias in ["Tidepool_Pier", "tidepool_pier", &id.to_string()] {
        let alias = format!("#gitter_{alias}:localhost");
        assert_eq!(world.homeserver.room_of(&alias).as_ref(), Some(&room.matrix));
    }

    // Nothing is written twice, and no second room is made.
    let before = world.homeserver.events(&room.matrix);
    sync(&world, &room).await;
    let (status, again) = create(&world, "tidepool/pier").await;
    let of = |portal: &Value| portal["matrix_room_id"].clone();
    assert_eq!((status, of(&again)), (200, of(&portal)));
    assert_eq!(world.homeserver.events(&room.matrix), before);

    world.homeserver.join(&room.matrix, &world.ana);
    world.ana_says(&room, "hello");
    world.arrives_on_gitter(&room, "hello").await;
    world.wren_says(&room, "hello, too");
    world.arrives_on_matrix(&room, "hello, too").await;
    world.close().await;
}

async fn admins_on_gitter_have_power_in_a_room_that_was_made(database: Database) {
    let world = World::start(database).await;
    let new = NewRoom {
        admins: vec!["wren".to_owned()],
        ..NewRoom::public("tidepool/pier")
    };
    world.gitter.add_room(&new).unwrap();
    let (_, portal) = create(&world, "tidepool/pier").await;
    let room = room_of(&portal);
    let levels = states(&world, &room, "m.room.power_levels");
    let users = levels.last().unwrap()["users"].as_object().unwrap();
    let [(ghost, level)] = &users.iter().collect::<Vec<_>>()[..] else {
        panic!("one ghost has power, and the bot, which made the room, is not listed: {users:?}");
    };
    assert!(
        ghost.starts_with("@gitter_wren-") && **level == json!(50),
        "{users:?}"
    );
    sync(&world, &room).await;
    assert_eq!(states(&world, &room, "m.room.power_levels").len(), levels.len());
    world.close().await;
}

async fn a_room_that_was_made_and_not_noted_is_taken_up(database: Database) {
    let world = World::start(database).await;
    let id = on_gitter(&world, "tidepool/pier");
    let alias = format!("#gitter_{id}:localhost");
    let bot: OwnedUserId = "@gitterbot:localhost".try_into().unwrap();
    let made = world.homeserver.make_room(
        &bot,
        &RoomOptions {
            creation: json!({ "im.gitter.room_id": id }),
            ..RoomOptions::default()
        },
    );
    world.homeserver.plant_alias(&alias, &made);
    let (status, portal) = create(&world, "tidepool/pier").await;
    assert_eq!(
        (status, &portal["matrix_room_id"]),
        (201, &json!(made)),
        "{portal}"
    );
    assert_eq!(portal["kind"], "created");

    // One of somebody else is not.
    let id = on_gitter(&world, "tidepool/cove");
    let other = world.make_rooms("other").matrix;
    world
        .homeserver
        .plant_alias(&format!("#gitter_{id}:localhost"), &other);
    let (status, refusal) = create(&world, "tidepool/cove").await;
    assert_eq!(
        (status, &refusal["errcode"]),
        (422, &json!("GITTER_CHECK_FAILED"))
    );
    assert!(refusal["mend"].as_str().unwrap().contains("alias"), "{refusal}");
    world.close().await;
}

/// The bridge dies once the room is made and before that is noted.
#[cfg(feature = "kill-points")]
#[tokio::test]
async fn a_room_is_made_once_though_the_bridge_dies_in_between() {
    let mut world = World::start(Database::Sqlite).await;
    let id = on_gitter(&world, "tidepool/pier");
    let alias = "#gitter_tidepool_pier:localhost";
    world.bridge.stop().await;
    world.bridge.launch_to_fail("to_matrix.room_made=return");
    world.bridge.wait_until_ready().await;
    let asked = world
        .homeserver
        .try_ask(&format!("rooms/{alias}").replace('#', "%23"))
        .await;
    assert_eq!(asked, None, "it died instead of answering");
    world.bridge.dies("room_made").await;
    let made = world.homeserver.room_of(&format!("#gitter_{id}:localhost"));
    assert!(made.is_some());
    world.bridge.start().await;
    let joined = world.homeserver.join_alias(alias, &world.ana).await;
    assert_eq!(joined.ok(), made);
    world.close().await;
}

async fn joining_an_alias_makes_the_room(database: Database) {
    let world = World::start(database).await;
    for (uri, alias) in [
        ("tide_pool/pier", "#gitter_tide_pool_pier:localhost"),
        ("Tidepool/Cove", "#gitter_tidepool_cove:localhost"),
        ("tidepool/the_dock", "#gitter_tidepool/the_dock:localhost"),
    ] {
        let id = on_gitter(&world, uri);
        let joined = world.homeserver.join_alias(alias, &world.ana).await;
        let (status, portal) = world.admin().portal(&id).await;
        assert_eq!((status, &portal["kind"]), (200, &json!("created")));
        assert_eq!(json!(joined.unwrap()), portal["matrix_room_id"]);
        // The id's alias leads there as well.
        let by_id = world.homeserver.room_of(&format!("#gitter_{id}:localhost"));
        assert_eq!(json!(by_id), portal["matrix_room_id"]);
    }
    // So does one of a linked room, which its own room has.
    let id = on_gitter(&world, "tidepool/slip");
    let matrix = world.make_rooms("other").matrix;
    let room = Room {
        uri: "tidepool/slip".to_owned(),
        gitter: id.parse().unwrap(),
        matrix,
    };
    assert_eq!(world.admin().link(&room).await.0, 201);
    let spent = world.gitter.charged().requests;
    let alias = "#gitter_tidepool_slip:localhost";
    let joined = world.homeserver.join_alias(alias, &world.ana).await;
    assert_eq!(joined, Ok(room.matrix));
    assert_eq!(world.gitter.charged().requests, spent);
    world.close().await;
}

async fn two_who_join_one_alias_meet_in_one_room(database: Database) {
    let world = World::start(database).await;
    let id = on_gitter(&world, "tidepool/pier");
    let kim = world.homeserver.make_user("kim", "Kim");
    let by_id = format!("#gitter_{id}:localhost");
    let (one, other, third) = tokio::join!(
        world
            .homeserver
            .join_alias("#gitter_tidepool_pier:localhost", &world.ana),
        world
            .homeserver
            .join_alias("#gitter_tidepool_pier:localhost", &kim),
        world.homeserver.join_alias(&by_id, &kim),
    );
    assert_eq!(one, other);
    assert_eq!(one, third);
    assert_eq!(world.admin().portals().await.unwrap().len(), 1);
    world.close().await;
}

async fn aliases_that_stand_for_no_room_or_for_two_are_not_found(database: Database) {
    let world = World::start(database).await;
    let one = on_gitter(&world, "a_b/c");
    on_gitter(&world, "a/b_c");
    let join = async |name: &str| {
        let alias = format!("#gitter_{name}:localhost");
        world.homeserver.join_alias(&alias, &world.ana).await
    };
    // Nobody could say which is meant; each has its id's alias, and no other.
    assert_eq!(join("a_b_c").await, Err(404));
    let room = join(&one).await.unwrap();
    assert_eq!(world.homeserver.room_of("#gitter_a_b_c:localhost"), None);
    let room = Room {
        uri: "a_b/c".to_owned(),
        gitter: one.parse().unwrap(),
        matrix: room,
    };
    let shown = states(&world, &room, "m.room.canonical_alias");
    let by_id = json!(format!("#gitter_{one}:localhost"));
    assert_eq!(shown.last().unwrap()["alias"], by_id);
    // For a person's name Gitter would make a one-to-one room.
    for name in ["wren", "wren/", "_wren", "tidepool", "tidepool_locked"] {
        assert_eq!(join(name).await, Err(404), "{name}");
    }
    let rooms = world.gitter.state().rooms;
    assert!(rooms.iter().all(|room| room.uri.is_some()));
    world.close().await;
}

async fn aliases_that_are_tried_spend_little_of_the_budget(database: Database) {
    let world = World::start(database).await;
    let spent = world.gitter.charged().requests;
    let miss = async |name: &str| {
        let alias = format!("#gitter_{name}:localhost");
        world.homeserver.join_alias(&alias, &world.ana).await.unwrap_err()
    };
    assert_eq!(miss("tidepool_nowhere").await, 404);
    assert_eq!(miss("tidepool_nowhere").await, 404);
    assert_eq!(world.gitter.charged().requests, spent + 1, "a miss is remembered");
    let mut answers = Vec::new();
    for number in 0..20 {
        answers.push(miss(&format!("tidepool_x{number}")).await);
    }
    assert_eq!(answers.iter().filter(|status| **status == 404).count(), 4);
    assert_eq!(world.gitter.charged().requests, spent + 5);
    world.close().await;
}

async fn a_room_that_is_made_anew_at_the_same_address_is_another(database: Database) {
    let world = World::start(database).await;
    let new = NewRoom {
        admins: vec!["wren".to_owned()],
        ..NewRoom::public("tidepool/pier")
    };
    let old = world.gitter.add_room(&new).unwrap();
    let alias = "#gitter_tidepool_pier:localhost";
    let before = world.homeserver.join_alias(alias, &world.ana).await.unwrap();

    let users = world.gitter.state().users;
    let wren = users.iter().find(|user| user.username == "wren").unwrap();
    let url = format!("{}/rooms/{old}", world.gitter_api());
    let request = reqwest::Client::new().delete(url);
    let deleted = answer(request.bearer_auth(&wren.tokens[0].token)).await.unwrap();
    assert_eq!(deleted.0, 200);
    until("the aliases to be free", async || {
        Ok(world.homeserver.room_of(alias).is_none().then_some(()))
    })
    .await;

    let id = on_gitter(&world, "tidepool/pier");
    let after = world.homeserver.join_alias(alias, &world.ana).await.unwrap();
    assert_ne!(before, after);
    let (_, portal) = world.admin().portal(&id).await;
    assert_eq!(portal["matrix_room_id"], json!(after));
    world.close().await;
}

async fn the_alias_of_a_former_address_stays(database: Database) {
    let world = World::start(database).await;
    let id = on_gitter(&world, "tidepool/pier");
    let former = "#gitter_tidepool_pier:localhost";
    let matrix = world.homeserver.join_alias(former, &world.ana).await.unwrap();
    let room = Room {
        uri: "tidepool/jetty".to_owned(),
        gitter: id.parse().unwrap(),
        matrix,
    };
    let change = RoomChange {
        uri: Some(room.uri.clone()),
        ..RoomChange::default()
    };
    world.gitter.alter_room(room.gitter, &change).unwrap();
    sync(&world, &room).await;
    let present = "#gitter_tidepool_jetty:localhost";
    for alias in [former, present] {
        assert_eq!(world.homeserver.room_of(alias).as_ref(), Some(&room.matrix));
    }
    let shown = states(&world, &room, "m.room.canonical_alias");
    assert_eq!(shown.last().unwrap()["alias"], present);
    // Also where the homeserver has lost it.
    world.homeserver.lose_alias(former);
    let joined = world.homeserver.join_alias(former, &world.ana).await;
    assert_eq!(joined, Ok(room.matrix));
    world.close().await;
}

async fn a_link_replaces_a_room_that_was_made(database: Database) {
    let mut world = World::start(database).await;
    let other = world.make_rooms("other");
    let id = on_gitter(&world, "tidepool/pier");
    let alias = "#gitter_tidepool_pier:localhost";
    let made = world.homeserver.join_alias(alias, &world.ana).await.unwrap();
    let made = Room {
        uri: "tidepool/pier".to_owned(),
        gitter: id.parse().unwrap(),
        matrix: made,
    };
    world.wren_says(&made, "hello");
    world.arrives_on_matrix(&made, "hello").await;

    let room = Room {
        matrix: other.matrix,
        ..made.clone()
    };
    world.link_rooms(room.clone()).await;
    assert_eq!(world.admin().portal(made.matrix.as_str()).await.0, 404);
    let buried = states(&world, &made, "m.room.tombstone");
    assert_eq!(buried[0]["replacement_room"], json!(room.matrix));
    assert_eq!(states(&world, &made, "m.bridge").last(), Some(&json!({})));
    for alias in [alias, &format!("#gitter_{id}:localhost")] {
        assert_eq!(world.homeserver.room_of(alias).as_ref(), Some(&room.matrix));
    }
    let left = states(&world, &made, "m.room.member");
    assert!(left.iter().any(|member| member["membership"] == "leave"));
    world.ana_says(&room, "in here");
    world.arrives_on_gitter(&room, "in here").await;
    world.close().await;
}

async fn what_is_unlinked_leaves_nothing_behind_and_can_be_linked_again(database: Database) {
    let world = World::start(database).await;
    let id = on_gitter(&world, "tidepool/pier");
    let (_, portal) = create(&world, "tidepool/pier").await;
    let room = room_of(&portal);
    assert_eq!(world.admin().unlink(&id).await.0, 204);
    for alias in [
        "#gitter_tidepool_pier:localhost",
        &format!("#gitter_{id}:localhost"),
    ] {
        assert_eq!(world.homeserver.room_of(alias), None, "{alias}");
    }
    for event_type in ["m.bridge", "uk.half-shot.bridge", "m.room.canonical_alias"] {
        assert_eq!(states(&world, &room, event_type).last(), Some(&json!({})));
    }

    let (status, again) = world.admin().link(&room).await;
    assert_eq!((status, &again["kind"]), (201, &json!("created")), "{again}");
    let by_alias = world.homeserver.room_of("#gitter_tidepool_pier:localhost");
    assert_eq!(by_alias.as_ref(), Some(&room.matrix));
    world.homeserver.join(&room.matrix, &world.ana);
    world.ana_says(&room, "back again");
    world.arrives_on_gitter(&room, "back again").await;
    world.close().await;
}
