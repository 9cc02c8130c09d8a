//! A link that is only checked: each fault is named, with what mends it.

use gitter_sandbox::{NewRoom, ObjectId};
use ruma::OwnedRoomId;
use serde_json::{Value, json};

use crate::{
    commands::BOT,
    homeserver::RoomOptions,
    world::{
        World,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    each_fault_is_named_with_its_mend,
    what_could_be_better_is_advice_and_no_fault,
];

/// Makes a Matrix room with some state that the bot is in.
async fn room_with(world: &World, options: RoomOptions, state: &[(&str, &str, Value)]) -> OwnedRoomId {
    let room = world.homeserver.make_room(&world.ana, &options);
    world
        .homeserver
        .invite(&room, &world.ana, BOT.try_into().unwrap());
    until("the bot to come", async || {
        let events = world.homeserver.events(&room);
        let said = events
            .iter()
            .any(|event| event["sender"] == BOT && event["type"] == "m.room.message");
        Ok(said.then_some(()))
    })
    .await;
    for (event_type, key, content) in state {
        world
            .homeserver
            .set_state(&room, &world.ana, event_type, key, content.clone());
    }
    room
}

/// The checks of a dry run.
async fn checks(world: &World, uri: &str, matrix: &str) -> Vec<Value> {
    let body = json!({ "gitter_uri": uri, "matrix_room": matrix, "dry_run": true });
    let (status, answer) = world.admin().post_room(&body).await;
    assert_eq!(status, 200, "{answer}");
    answer["checks"].as_array().unwrap().clone()
}

fn free_room(world: &World, name: &str) -> ObjectId {
    world
        .gitter
        .add_room(&NewRoom::public(&format!("tidepool/{name}")))
        .unwrap()
}

/// Makes a Matrix room with each fault: encrypted, where the bot may not speak, where ghosts may not, where they do not
/// get in, and bridged.
async fn faulty_rooms(world: &World) -> [OwnedRoomId; 5] {
    let open = RoomOptions::default;
    let closed = RoomOptions {
        private: true,
        ..open()
    };
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let silent = json!({ "users": { BOT: -1 } });
    let muted = json!({ "users": { BOT: 50 }, "events_default": 50 });
    let no_guests = json!({ "users": {}, "invite": 50 });
    let other = json!({ "bridgebot": "@old:localhost", "protocol": { "id": "gitter" },
        "channel": { "id": "tidepool/elsewhere" } });
    [
        room_with(world, open(), &[("m.room.encryption", "", algorithm)]).await,
        room_with(world, open(), &[("m.room.power_levels", "", silent)]).await,
        room_with(world, open(), &[("m.room.power_levels", "", muted)]).await,
        room_with(world, closed, &[("m.room.power_levels", "", no_guests)]).await,
        room_with(world, open(), &[("uk.half-shot.bridge", "old://gitter", other)]).await,
    ]
}

async fn each_fault_is_named_with_its_mend(database: Database) {
    let mut world = World::start(database).await;
    let linked = world.link("pier").await;
    free_room(&world, "dock");
    let plain = room_with(&world, RoomOptions::default(), &[]).await;
    let [encrypted, silent, muted, closed, bridged] = faulty_rooms(&world).await;
    let (dock, locked) = ("tidepool/dock", "tidepool/locked");
    for (uri, matrix, check, mend) in [
        (
            locked,
            plain.as_str(),
            "gitter_room_exists",
            "only public rooms can be linked",
        ),
        (
            dock,
            "#nowhere:localhost",
            "matrix_room_exists",
            "check the alias",
        ),
        (
            dock,
            encrypted.as_str(),
            "matrix_room_unencrypted",
            "without encryption",
        ),
        (dock, silent.as_str(), "matrix_room_send", "power level 50"),
        (dock, muted.as_str(), "matrix_room_ghosts_send", "events_default"),
        (dock, closed.as_str(), "matrix_room_ghosts", "power to invite"),
        (dock, bridged.as_str(), "no_other_bridge", "uk.half-shot.bridge"),
        (dock, linked.matrix.as_str(), "not_linked", "room unlink"),
    ] {
        let checks = checks(&world, uri, matrix).await;
        let failed: Vec<&Value> = checks.iter().filter(|check| check["ok"] == false).collect();
        assert_eq!(failed.len(), 1, "{uri} {matrix}: {failed:?}");
        assert_eq!(failed[0]["check"], check, "{failed:?}");
        assert!(failed[0]["mend"].as_str().unwrap().contains(mend), "{failed:?}");
    }
    // Several at once are all named.
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    world
        .homeserver
        .set_state(&silent, &world.ana, "m.room.encryption", "", algorithm);
    let many = checks(&world, locked, silent.as_str()).await;
    let failed = many.iter().filter(|check| check["ok"] == false);
    let failed: Vec<&str> = failed.map(|check| check["check"].as_str().unwrap()).collect();
    assert_eq!(
        failed,
        [
            "gitter_room_exists",
            "matrix_room_unencrypted",
            "matrix_room_send"
        ]
    );
    world.close().await;
}

async fn what_could_be_better_is_advice_and_no_fault(database: Database) {
    let world = World::start(database).await;
    let dock = free_room(&world, "dock");
    let plain = room_with(&world, RoomOptions::default(), &[]).await;
    let virtual_user = json!({ "type": "matrix", "externalId": "eve:elsewhere", "displayName": "Eve" });
    let url = format!("{}/rooms/{dock}/chatMessages", world.gitter_api());
    let request = reqwest::Client::new()
        .post(url)
        .bearer_auth(world.gitter_token())
        .json(&json!({ "text": "ahoy", "virtualUser": virtual_user }));
    assert_eq!(crate::world::admin::answer(request).await.unwrap().0, 200);
    let checks = checks(&world, "tidepool/dock", plain.as_str()).await;
    assert!(checks.iter().all(|check| check["ok"] == true), "{checks:?}");
    let advised = |name: &str| {
        let check = checks.iter().find(|check| check["check"] == name).unwrap();
        check["mend"].as_str().unwrap().to_owned()
    };
    assert!(advised("matrix_room_power").contains("power level 50"));
    assert!(advised("gitter_account_admin").contains("bridge_bot an admin"));
    assert!(advised("gitter_room_other_bridge").contains("go round"));
    // One that the bot is not in is asked for an invite.
    let far = world.homeserver.make_room(&world.ana, &RoomOptions::default());
    let checks = self::checks(&world, "tidepool/dock", far.as_str()).await;
    let joined = checks
        .iter()
        .find(|check| check["check"] == "matrix_room_joined")
        .unwrap();
    assert!(
        joined["mend"]
            .as_str()
            .unwrap()
            .contains("invite @gitterbot:localhost"),
        "{joined}"
    );
    // A link that is made tells of it, too.
    let body = json!({ "gitter_uri": "tidepool/dock", "matrix_room": plain });
    let (status, link) = world.admin().post_room(&body).await;
    assert_eq!(status, 201, "{link}");
    assert_eq!(link["gitter_uri"], "tidepool/dock");
    let notes = link["notes"].as_array().unwrap();
    let names: Vec<&str> = notes.iter().map(|note| note["check"].as_str().unwrap()).collect();
    assert_eq!(names, ["matrix_room_power"]);
    world.close().await;
}
