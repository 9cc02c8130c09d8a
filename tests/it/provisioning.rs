//! Linking and unlinking rooms over the admin API: every answer, and what each leaves behind.

use gitter_sandbox::{Fault as GitterFault, NewRoom, RequestEffect, RequestFault, When};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    homeserver::{RoomOptions, Stage},
    world::{
        Room, World,
        admin::answer,
        database::{Database, on_both_databases},
        faults::status,
        until,
    },
};

on_both_databases![
    linking_a_pair_again_gives_the_same_portal,
    a_room_is_in_one_portal_only,
    rooms_that_cannot_be_linked_are_refused_with_the_failed_check,
    requests_that_cannot_be_read_are_refused,
    a_side_that_cannot_be_asked_leaves_nothing_behind,
    a_dry_run_leaves_nothing_behind,
    only_the_token_opens_the_admin_api,
    what_is_not_there_is_not_found,
    unlinking_takes_the_ghosts_and_what_waits_along_and_keeps_the_map,
    messages_from_before_the_link_do_not_cross,
];

/// A failed answer's status and code.
fn refusal(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["errcode"].as_str().unwrap_or_default())
}

async fn linking_a_pair_again_gives_the_same_portal(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let (status, portal) = world.admin().link(&room).await;
    assert_eq!(status, 200);
    for (key, value) in [
        ("gitter_room_id", json!(room.gitter)),
        ("gitter_uri", json!(room.uri)),
        ("matrix_room_id", json!(room.matrix)),
        ("kind", json!("linked")),
        ("state", json!("active")),
        ("last_bridged_at", Value::Null),
    ] {
        assert_eq!(portal[key], value, "{key}: {portal}");
    }
    world.homeserver.plant_alias("#pier:localhost", &room.matrix);
    for name in [
        &room.gitter.to_string(),
        room.matrix.as_str(),
        &room.uri.to_uppercase(),
        "#pier:localhost",
    ] {
        assert_eq!(world.admin().portal(name).await, (200, portal.clone()), "{name}");
    }
    let query = format!("room={}", room.uri);
    assert_eq!(
        world.admin().items(&query).await,
        (200, json!({ "items": [], "next": null }))
    );
    let (_, status) = answer(world.admin().authorized(Method::GET, "status"))
        .await
        .unwrap();
    assert_eq!(status["running"]["rooms"], json!([portal]), "{status}");
    assert_eq!(status["running"]["rooms_followed"], 1, "{status}");
    world.finish().await;
}

async fn a_room_is_in_one_portal_only(database: Database) {
    let mut world = World::start(database).await;
    let [one, other] = [world.link("pier").await, world.link("cove").await];
    let free = world.make_rooms("dock");
    for (uri, matrix) in [
        (&one.uri, &free.matrix),
        (&free.uri, &one.matrix),
        (&one.uri, &other.matrix),
    ] {
        let body = json!({ "gitter_uri": uri, "matrix_room": matrix });
        let answer = world.admin().post_room(&body).await;
        assert_eq!(refusal(&answer), (409, "GITTER_ALREADY_LINKED"), "{body}");
        assert!(answer.1["mend"].as_str().unwrap().contains("room unlink"));
    }
    world.finish().await;
}

async fn rooms_that_cannot_be_linked_are_refused_with_the_failed_check(database: Database) {
    let world = World::start(database).await;
    let free = world.make_rooms("dock");
    let matrix = free.matrix.as_str();
    let private = RoomOptions {
        private: true,
        ..RoomOptions::default()
    };
    let private = world.homeserver.make_room(&world.ana, &private);
    let make_room = || world.homeserver.make_room(&world.ana, &RoomOptions::default());
    let encrypted = make_room();
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let silent = make_room();
    let levels = json!({ "users": { "@gitterbot:localhost": -1 } });
    for (room, event_type, content) in [
        (&encrypted, "m.room.encryption", algorithm),
        (&silent, "m.room.power_levels", levels),
    ] {
        world
            .homeserver
            .set_state(room, &world.ana, event_type, "", content);
    }
    for (uri, matrix, check) in [
        ("tidepool/nowhere", matrix, "gitter_room_exists"),
        ("wren", matrix, "gitter_room_exists"),
        ("tidepool", matrix, "gitter_room_exists"),
        ("tidepool/locked", matrix, "gitter_room_exists"),
        (&free.uri, "#nowhere:localhost", "matrix_room_exists"),
        (&free.uri, "!nowhere:localhost", "matrix_room_joined"),
        (&free.uri, private.as_str(), "matrix_room_joined"),
        (&free.uri, encrypted.as_str(), "matrix_room_unencrypted"),
        (&free.uri, silent.as_str(), "matrix_room_send"),
    ] {
        let body = json!({ "gitter_uri": uri, "matrix_room": matrix });
        let answer = world.admin().post_room(&body).await;
        assert_eq!(
            refusal(&answer),
            (422, "GITTER_CHECK_FAILED"),
            "{body}: {}",
            answer.1
        );
        let checks = answer.1["checks"].as_array().unwrap();
        let failed: Vec<_> = checks.iter().filter(|check| check["ok"] == false).collect();
        assert_eq!(failed.len(), 1, "{body}: {failed:?}");
        assert_eq!(failed[0]["check"], check, "{body}");
        assert_ne!(failed[0]["mend"], "", "{body}");
    }
    assert_eq!(world.admin().portals().await.unwrap(), Vec::<Value>::new());
    let rooms = world.gitter.state().rooms;
    assert!(
        rooms.iter().all(|room| room.uri.is_some()),
        "a one-to-one room was made"
    );
    world.close().await;
}

async fn requests_that_cannot_be_read_are_refused(database: Database) {
    let world = World::start(database).await;
    let post = async |body: &str| {
        let request = world
            .admin()
            .authorized(Method::POST, "rooms")
            .body(body.to_owned());
        answer(request).await.unwrap()
    };
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"gitter_uri": 7}"#,
        r#"{"gitter_uri": "a/b", "oops": 1}"#,
        r#"{"gitter_uri": "a/b", "requester": "ana"}"#,
    ] {
        assert_eq!(refusal(&post(body).await), (400, "M_BAD_JSON"), "{body}");
    }
    let answer = post(r#"{"gitter_uri": "tidepool/harbour", "matrix_room": "harbour"}"#).await;
    assert_eq!(refusal(&answer), (400, "M_INVALID_PARAM"));
    assert!(answer.1["mend"].is_string());
    world.close().await;
}

async fn a_side_that_cannot_be_asked_leaves_nothing_behind(database: Database) {
    let mut world = World::start(database).await;
    let room = world.make_rooms("pier");
    world.gitter.add_fault(GitterFault::Request(RequestFault {
        effect: RequestEffect::Status(503),
        when: When::Before,
        times: 1,
        method: Some("POST".to_owned()),
        path: "/rooms".to_owned(),
    }));
    let answer = world.admin().link(&room).await;
    assert_eq!(refusal(&answer), (502, "GITTER_UNREACHABLE"), "{}", answer.1);
    let failure = status(StatusCode::BAD_GATEWAY);
    world.requests_suffer(Method::GET, "/state/", failure, Stage::Before, 1);
    let answer = world.admin().link(&room).await;
    assert_eq!(refusal(&answer), (502, "MATRIX_UNREACHABLE"), "{}", answer.1);
    assert_eq!(world.admin().portals().await.unwrap(), Vec::<Value>::new());
    world.link_rooms(room).await;
    world.finish().await;
}

async fn a_dry_run_leaves_nothing_behind(database: Database) {
    let mut world = World::start(database).await;
    let room = world.make_rooms("pier");
    let matrix = room.matrix.clone();
    let events = world.homeserver.events(&room.matrix).len();
    let body = json!({ "gitter_uri": room.uri, "matrix_room": room.matrix, "dry_run": true });
    let (status, answer) = world.admin().post_room(&body).await;
    assert_eq!(status, 200, "{answer}");
    let checks = answer["checks"].as_array().unwrap();
    assert!(!checks.is_empty());
    for check in checks {
        for key in ["check", "detail", "mend"] {
            assert!(check[key].is_string(), "{check}");
        }
        // Beside `ok` it is advice.
        assert!(check["ok"] == true || check["mend"] != "", "{check}");
    }
    assert_eq!(
        world.homeserver.events(&room.matrix).len(),
        events,
        "the bot joined"
    );
    assert_eq!(world.admin().portals().await.unwrap(), Vec::<Value>::new());
    world.link_rooms(room).await;
    // Of linked rooms it tells what could be better by now.
    let (status, answer) = world.admin().post_room(&body).await;
    assert_eq!(status, 200, "{answer}");
    let checks = answer["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["ok"] == true), "{answer}");
    for name in ["not_linked", "matrix_room_power", "no_other_bridge"] {
        assert!(
            checks.iter().any(|check| check["check"] == name),
            "{name} in {answer}"
        );
    }
    world
        .homeserver
        .leave(&matrix, crate::commands::BOT.try_into().unwrap());
    let (_, answer) = world.admin().post_room(&body).await;
    let checks = answer["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["ok"] == false).unwrap();
    assert_eq!(failed["check"], "matrix_room_joined", "{answer}");
    assert!(failed["mend"].as_str().unwrap().contains("invite"), "{failed}");
    world.close().await;
}

/// Every call of the admin API; tests/openapi.rs sees to it that none is missing there.
fn admin_calls() -> Vec<(Method, String)> {
    let mut calls = Vec::new();
    let mut path = None;
    for line in include_str!("../../openapi.yaml").lines() {
        if let Some(named) = line.strip_prefix("  /") {
            path = named.trim_end_matches(':').strip_prefix("_matrix/provision/v1/");
        } else if let (Some(path), Some(method)) = (path, line.strip_prefix("    "))
            && let Ok(method) = method.trim_end_matches(':').to_uppercase().parse::<Method>()
            && [Method::GET, Method::POST, Method::PUT, Method::DELETE].contains(&method)
        {
            calls.push((method, path.replace(['{', '}'], "x")));
        }
    }
    calls
}

async fn only_the_token_opens_the_admin_api(database: Database) {
    let world = World::start(database).await;
    let calls = admin_calls();
    assert!(calls.len() > 15, "{calls:?}");
    for (method, path) in calls {
        let request = || world.admin().request(method.clone(), &path);
        let missing = answer(request()).await.unwrap();
        assert_eq!(refusal(&missing), (401, "M_MISSING_TOKEN"), "{method} {path}");
        let wrong = answer(request().bearer_auth("wrong")).await.unwrap();
        assert_eq!(refusal(&wrong), (401, "M_UNKNOWN_TOKEN"), "{method} {path}");
    }
    world.close().await;
}

async fn what_is_not_there_is_not_found(database: Database) {
    let world = World::start(database).await;
    for room in [
        "5f0000000000000000000a01",
        "!nowhere:localhost",
        "!nowhere",
        "a b",
        "tidepool/nowhere",
        "#nowhere:localhost",
        "#",
    ] {
        let (shown, unlinked) = (world.admin().portal(room).await, world.admin().unlink(room).await);
        assert_eq!(refusal(&shown), (404, "M_NOT_FOUND"), "{room}");
        assert_eq!(refusal(&unlinked), (404, "M_NOT_FOUND"), "{room}");
    }
    let nothing = answer(world.admin().authorized(Method::GET, "nothing"))
        .await
        .unwrap();
    assert_eq!(refusal(&nothing), (404, "M_UNRECOGNIZED"));
    world.close().await;
}

async fn unlinking_takes_the_ghosts_and_what_waits_along_and_keeps_the_map(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 3);
    world.crossed().await;
    // Something is being tried in vain when the rooms are parted.
    world.posts_suffer(&room, RequestEffect::Status(500), When::Before, 1);
    world.ana_says(&room, "stuck");
    until("a try to fail", async || {
        Ok((world.tries_to_gitter(&room).await == 4).then_some(()))
    })
    .await;
    assert_eq!(
        world.admin().unlink(room.matrix.as_str()).await,
        (204, Value::Null)
    );
    assert_eq!(world.admin().portal(&room.gitter.to_string()).await.0, 404);
    until("the ghost to leave", async || {
        Ok(joined_ghosts(&world, &room).is_empty().then_some(()))
    })
    .await;
    assert_eq!(world.waiting(&room).await, 0);

    // Said while nobody listens; it stays on its side.
    world.ana_says(&room, "unheard");
    world.wren_says(&room, "unheard");
    world.homeserver.wait_until_pushed().await;
    let (status, answer) = world.admin().link(&room).await;
    assert_eq!(status, 201, "{answer}");
    world.ana_says(&room, "again");
    world.wren_says(&room, "again");
    world.arrives_on_gitter(&room, "again").await;
    world.arrives_on_matrix(&room, "again").await;
    world.drained().await;
    let crossed = |texts: Vec<String>, text: &str| texts.iter().filter(|found| *found == text).count();
    let on_gitter = || {
        world
            .gitter
            .messages(room.gitter)
            .into_iter()
            .map(|message| message.text)
    };
    let on_matrix = || {
        let events = world.messages_on_matrix(&room).into_iter();
        events.map(|event| event["content"]["body"].as_str().unwrap().to_owned())
    };
    for (text, there) in [
        ("before 0 of ana", 1),
        ("before 2 of wren", 1),
        ("unheard", 1),
        ("again", 2),
    ] {
        assert_eq!(crossed(on_gitter().collect(), text), there, "{text} on Gitter");
        assert_eq!(crossed(on_matrix().collect(), text), there, "{text} on Matrix");
    }
    world.close().await;
}

/// Who of Gitter is in the Matrix room.
fn joined_ghosts(world: &World, room: &Room) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for event in world.homeserver.events(&room.matrix) {
        let member = event["state_key"].as_str().unwrap_or_default();
        if event["type"] == "m.room.member" && member.starts_with("@gitter_") {
            joined.retain(|other| other != member);
            if event["content"]["membership"] == "join" {
                joined.push(member.to_owned());
            }
        }
    }
    joined
}

async fn messages_from_before_the_link_do_not_cross(database: Database) {
    let mut world = World::start(database).await;
    let uri = "tidepool/pier";
    let gitter = world.gitter.add_room(&NewRoom::public(uri)).unwrap();
    world.gitter.post("wren", gitter, "long ago").unwrap();
    let matrix = world.homeserver.make_room(&world.ana, &RoomOptions::default());
    world.homeserver.send_text(&matrix, &world.ana, "long ago");
    let room = Room {
        uri: uri.to_owned(),
        gitter,
        matrix,
    };
    assert_eq!(world.admin().link(&room).await.0, 201);
    world.both_say(&room, "new", 2);
    world.arrives_on_gitter(&room, "new 1 of ana").await;
    world.arrives_on_matrix(&room, "new 1 of wren").await;
    world.drained().await;
    assert_eq!(world.gitter.messages(gitter).len(), 5);
    assert_eq!(world.messages_on_matrix(&room).len(), 5);
    world.bridge.stop().await;
    world.bridge.start().await;
    world.both_say(&room, "newer", 1);
    world.arrives_on_matrix(&room, "newer 0 of wren").await;
    world.drained().await;
    assert_eq!(world.messages_on_matrix(&room).len(), 7);
    world.close().await;
}
