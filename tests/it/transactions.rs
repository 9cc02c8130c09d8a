//! The application service API: what the homeserver may send, and what it is answered.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::{
    Room, World,
    admin::{Answer, answer},
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    an_event_counts_once_however_often_it_is_sent,
    a_transaction_id_used_for_other_events_loses_none,
    an_event_that_the_homeserver_leaves_out_keeps_its_place,
    what_was_said_before_the_link_stays_there,
    an_unreadable_event_fails_alone,
    an_unreadable_body_is_taken_and_kept,
    unknown_types_and_rooms_are_skipped,
    only_the_right_token_in_the_header_opens_the_door,
    unknown_paths_users_and_rooms_are_not_found,
];

const PREFIX: &str = "_matrix/app/v1";

/// A request as the homeserver makes it, without a token.
fn request(world: &World, method: Method, path: &str) -> RequestBuilder {
    Client::new().request(method, format!("{}{path}", world.bridge.appservice()))
}

fn authorized(world: &World, method: Method, path: &str) -> RequestBuilder {
    request(world, method, path).bearer_auth(&world.homeserver.settings().hs_token)
}

/// Pushes a transaction beside the homeserver's own, with a body as it is.
async fn push(world: &World, id: &str, body: impl Into<String>) -> Answer {
    let path = format!("{PREFIX}/transactions/{id}");
    answer(authorized(world, Method::PUT, &path).body(body.into()))
        .await
        .unwrap()
}

fn transaction(events: &[Value]) -> String {
    json!({ "events": events }).to_string()
}

/// A message of ana's that is only in a transaction.
fn event(world: &World, room: &Room, id: &str) -> Value {
    json!({
        "type": "m.room.message", "event_id": id, "room_id": room.matrix, "sender": world.ana,
        "origin_server_ts": 1_606_816_800_000_i64, "content": { "msgtype": "m.text", "body": id },
    })
}

/// Waits until the last of these texts is on Gitter, and makes sure that they are all that is.
async fn arrived(world: &World, room: &Room, texts: &[&str]) {
    let last = texts.last().unwrap();
    world.arrives_on_gitter(room, last).await;
    world.drained().await;
    let found = world.gitter.messages(room.gitter);
    let found: Vec<&str> = found.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(found, texts);
}

async fn an_event_counts_once_however_often_it_is_sent(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let [one, two] = ["$one", "$two"].map(|id| event(&world, &room, id));
    for id in ["t1", "t1", "t2"] {
        let body = transaction(&[one.clone(), two.clone(), one.clone()]);
        assert_eq!(push(&world, id, body).await, (200, json!({})));
    }
    let again = [two, one, event(&world, &room, "$three")];
    assert_eq!(push(&world, "t3", transaction(&again)).await.0, 200);
    arrived(&world, &room, &["$one", "$two", "$three"]).await;
    world.close().await;
}

async fn a_transaction_id_used_for_other_events_loses_none(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    for id in ["$one", "$two", "$three"] {
        let body = transaction(&[event(&world, &room, id)]);
        assert_eq!(push(&world, "1", body).await.0, 200);
    }
    arrived(&world, &room, &["$one", "$two", "$three"]).await;
    world.close().await;
}

/// Synapse does so with an event that it stores in the moment in which it ends its catching up.
async fn an_event_that_the_homeserver_leaves_out_keeps_its_place(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 3);
    world.crossed().await;
    world.bridge.kill().await;
    world.ana_says(&room, "while it was down");
    world.bridge.start().await;
    // Pushed by now, so that the failure is over and what is left out stays so.
    world.homeserver.wait_until_pushed().await;
    for number in 0..5 {
        world
            .homeserver
            .send_text_left_out(&room.matrix, &world.ana, &format!("left out {number}"));
        world.both_say(&room, &format!("after {number}"), 2);
    }
    world.crossed().await;
    world.finish().await;
}

/// Nothing tells then what was said before the rooms were linked, so it is not looked for.
async fn what_was_said_before_the_link_stays_there(database: Database) {
    let mut world = World::start(database).await;
    let room = world.make_rooms("pier");
    let before = world.ana_says(&room, "before the link");
    world.link_rooms(room.clone()).await;
    world.bridge.kill().await;
    world.bridge.start().await;
    world.ana_says(&room, "after the link");
    world.arrives_on_gitter(&room, "after the link").await;
    world.drained().await;
    assert_eq!(world.gitter.messages(room.gitter).len(), 1, "{before} crossed");
    world.close().await;
}

async fn an_unreadable_event_fails_alone(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let events = [
        event(&world, &room, "$one"),
        json!({ "event_id": "$broken", "type": 7, "room_id": room.matrix }),
        json!("no object at all"),
        json!({ "type": "m.room.message", "room_id": "no room", "event_id": "$also" }),
        event(&world, &room, "$two"),
    ];
    for _ in 0..2 {
        assert_eq!(push(&world, "t", transaction(&events)).await.0, 200);
    }
    arrived(&world, &room, &["$one", "$two"]).await;
    assert_eq!(world.items("failed bad_event").await, 3);

    // Readable enough for its lane, but no message that anybody could read.
    let odd = json!({
        "type": "m.room.message", "event_id": "$odd", "room_id": room.matrix, "sender": world.ana,
        "origin_server_ts": 1.5, "content": { "msgtype": ["m.text"], "body": 1 },
    });
    let body = transaction(&[odd, event(&world, &room, "$three")]);
    assert_eq!(push(&world, "t", body).await.0, 200);
    arrived(&world, &room, &["$one", "$two", "$three"]).await;
    assert_eq!(world.items("failed bad_event").await, 4);
    world.close().await;
}

async fn an_unreadable_body_is_taken_and_kept(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let cut = transaction(&[event(&world, &room, "$one")]);
    for body in [
        &cut[..cut.len() / 2],
        "",
        "7",
        r#"{"events": {}}"#,
        "\u{0}\u{fffd}",
    ] {
        assert_eq!(push(&world, "t", body).await, (200, json!({})), "{body:?}");
    }
    assert_eq!(world.items("failed bad_event").await, 5);
    // No events are no failure.
    for body in [
        "{}",
        r#"{"events": [], "ephemeral": [{}], "de.sorunome.msc2409.ephemeral": 1}"#,
    ] {
        assert_eq!(push(&world, "t", body).await.0, 200, "{body:?}");
    }
    assert_eq!(world.items("failed bad_event").await, 5);
    world.both_say(&room, "after", 2);
    world.finish().await;
}

async fn unknown_types_and_rooms_are_skipped(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let elsewhere = world.make_rooms("elsewhere");
    let mut odd = event(&world, &room, "$odd");
    odd["type"] = json!("org.example.tide");
    let mut state = event(&world, &room, "$state");
    state["state_key"] = json!("");
    let events = [
        odd,
        state,
        event(&world, &elsewhere, "$elsewhere"),
        event(&world, &room, "$one"),
    ];
    assert_eq!(push(&world, "t", transaction(&events)).await.0, 200);
    arrived(&world, &room, &["$one"]).await;
    until("both to be skipped", async || {
        Ok((world.items("skipped no_equivalent").await >= 2).then_some(()))
    })
    .await;
    assert!(world.gitter.messages(elsewhere.gitter).is_empty());
    world.close().await;
}

async fn only_the_right_token_in_the_header_opens_the_door(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let token = world.homeserver.settings().hs_token.clone();
    let path = format!("{PREFIX}/transactions/t");
    let body = transaction(&[event(&world, &room, "$one")]);
    let put = |path: &str| request(&world, Method::PUT, path).body(body.clone());
    let in_query = format!("{path}?access_token={token}");
    let twice = |one: &str, other: &str| {
        put(&path)
            .header("authorization", format!("Bearer {one}"))
            .header("authorization", format!("Bearer {other}"))
    };
    for (name, request, status, errcode) in [
        ("none", put(&path), 401, "M_MISSING_TOKEN"),
        ("in the query only", put(&in_query), 401, "M_MISSING_TOKEN"),
        ("wrong", put(&path).bearer_auth("wrong"), 403, "M_FORBIDDEN"),
        ("empty", put(&path).bearer_auth(""), 401, "M_MISSING_TOKEN"),
        ("a part", put(&path).bearer_auth(&token[1..]), 403, "M_FORBIDDEN"),
        (
            "another scheme",
            put(&path).basic_auth(&token, Some(&token)),
            401,
            "M_MISSING_TOKEN",
        ),
        (
            "wrong, and right in the query",
            put(&in_query).bearer_auth("wrong"),
            403,
            "M_FORBIDDEN",
        ),
        ("wrong and right", twice("wrong", &token), 403, "M_FORBIDDEN"),
        ("right and wrong", twice(&token, "wrong"), 403, "M_FORBIDDEN"),
    ] {
        let (found, body) = answer(request).await.unwrap();
        assert_eq!(
            (found, &body["errcode"]),
            (status, &json!(errcode)),
            "{name}: {body}"
        );
    }
    world.drained().await;
    assert!(world.gitter.messages(room.gitter).is_empty(), "something got in");
    let right = put(&in_query).bearer_auth(&token);
    assert_eq!(answer(right).await.unwrap().0, 200, "the query is not looked at");
    arrived(&world, &room, &["$one"]).await;
    world.close().await;
}

async fn unknown_paths_users_and_rooms_are_not_found(database: Database) {
    let world = World::start(database).await;
    for (method, path, status, errcode) in [
        (
            Method::GET,
            "_matrix/app/v1/users/@gitter_x:localhost",
            404,
            "M_NOT_FOUND",
        ),
        (
            Method::GET,
            "_matrix/app/v1/rooms/%23gitter_a_b:localhost",
            404,
            "M_NOT_FOUND",
        ),
        (
            Method::GET,
            "_matrix/app/v1/rooms/%23gitter_a/b:localhost",
            404,
            "M_NOT_FOUND",
        ),
        (
            Method::GET,
            "_matrix/app/v1/rooms/%23gitter_a%2Fb:localhost",
            404,
            "M_NOT_FOUND",
        ),
        (Method::GET, "_matrix/app/v1/nothing", 404, "M_UNRECOGNIZED"),
        (Method::GET, "nothing/at/all", 404, "M_UNRECOGNIZED"),
        (
            Method::POST,
            "_matrix/app/v1/transactions/1",
            405,
            "M_UNRECOGNIZED",
        ),
        (Method::PUT, "_matrix/app/v1/ping", 405, "M_UNRECOGNIZED"),
    ] {
        let (found, body) = answer(authorized(&world, method, path)).await.unwrap();
        assert_eq!(
            (found, &body["errcode"]),
            (status, &json!(errcode)),
            "{path}: {body}"
        );
        assert!(body["error"].is_string(), "{path}: {body}");
    }
    world.close().await;
}
