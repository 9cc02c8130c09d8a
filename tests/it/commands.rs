//! What people of Matrix ask the bot for: commands, and invites.

mod codes;
mod limits;
mod links;
mod people;

use gitter_sandbox::{NewRoom, RequestEffect, When};
use reqwest::{Method, StatusCode};
use ruma::{OwnedEventId, RoomId, UserId};
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
    without_power_one_may_read_and_change_nothing,
    settings_hold_for_one_room_over_chat_and_the_api,
    what_has_failed_is_explained_listed_and_tried_again,
    commands_are_answered_once_and_where_they_were_said,
    who_asks_for_too_much_is_told_so_once,
    a_paused_room_waits_and_goes_on,
];

/// The bot of every world.
pub(crate) const BOT: &str = "@gitterbot:localhost";

/// What the bot said in a room, in order.
pub(super) fn said(world: &World, room: &RoomId) -> Vec<Value> {
    let mut events = world.homeserver.events(room);
    events.retain(|event| event["sender"] == BOT && event["content"]["msgtype"] == "m.notice");
    events
}

/// Waits for the bot's answer to an event, and gives its text.
pub(super) async fn answered(world: &World, room: &RoomId, event: &OwnedEventId) -> String {
    until(&format!("an answer to {event}"), async || {
        let mut said = said(world, room);
        said.retain(|said| said["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == event.as_str());
        Ok(said
            .pop()
            .map(|said| said["content"]["body"].as_str().unwrap().to_owned()))
    })
    .await
}

/// Says something, and gives the bot's answer.
pub(super) async fn ask(world: &World, room: &RoomId, user: &UserId, text: &str) -> String {
    let event = world.homeserver.send_text(room, user, text);
    answered(world, room, &event).await
}

/// Waits until all that was asked for is done.
pub(super) async fn done(world: &World) {
    until("everything that was asked to be done", async || {
        const OPEN: &str = "SELECT COUNT(*) FROM command WHERE NOT done AND user_id <> $1";
        Ok((world.database.number(OPEN, "").await == 0).then_some(()))
    })
    .await;
}

/// Makes somebody who is in a room and has no power there.
pub(super) fn newcomer(world: &World, room: &RoomId, name: &str) -> ruma::OwnedUserId {
    let user = world.homeserver.make_user(name, name);
    world.homeserver.join(room, &user);
    user
}

async fn without_power_one_may_read_and_change_nothing(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let bo = newcomer(&world, &room.matrix, "bo");
    let hello = world.homeserver.send_text(&room.matrix, &bo, "hello");
    world.arrives_on_gitter(&room, "hello").await;

    let help = ask(&world, &room.matrix, &bo, "!gitter help").await;
    for shown in ["tidepool/pier", "!gitter status", "!gitter why", "!gitter optout"] {
        assert!(help.contains(shown), "{help}");
    }
    for hidden in ["settings", "pause", "retry", "unlink", "!gitter link"] {
        assert!(!help.contains(hidden), "{help}");
    }
    let status = ask(&world, &room.matrix, &bo, "!gitter status").await;
    assert!(
        status.contains("tidepool/pier") && status.contains("All works"),
        "{status}"
    );
    let ping = ask(&world, &room.matrix, &bo, "!gitter ping").await;
    assert!(ping.contains("Gitter answered after"), "{ping}");
    let why = ask(&world, &room.matrix, &bo, &format!("!gitter why {hello}")).await;
    assert!(why.contains("crossed to Gitter") && why.contains("?at="), "{why}");

    // Of two people, so that neither asks for too much.
    let cy = newcomer(&world, &room.matrix, "cy");
    for command in [
        "settings",
        "settings threads reply",
        "pause",
        "resume",
        "failed",
        "retry",
        "unlink tidepool/pier",
        "link tidepool/cove",
    ] {
        let refusal = ask(&world, &room.matrix, &cy, &format!("!gitter {command}")).await;
        assert!(
            refusal.contains("power to change this room's state"),
            "{command}: {refusal}"
        );
    }
    let unknown = ask(&world, &room.matrix, &cy, "!gitter staus").await;
    assert!(unknown.contains("`!gitter status`"), "{unknown}");
    let (_, settings) = settings_of(&world, &room, Method::GET, &Value::Null).await;
    assert_eq!(settings["threads"], "thread");
    assert_eq!(settings["set"], json!([]));
    let (status, _) = world.admin().portal(room.matrix.as_str()).await;
    assert_eq!(status, 200, "the room is still linked");

    world.drained().await;
    let on_gitter = world.gitter.messages(room.gitter);
    assert_eq!(
        on_gitter.len(),
        1,
        "neither commands nor answers cross: {on_gitter:?}"
    );
    assert_eq!(world.items("skipped not_translated").await, 13);
    world.close().await;
}

async fn settings_of(world: &World, room: &Room, method: Method, body: &Value) -> (u16, Value) {
    let path = format!("rooms/{}/settings", room.gitter);
    let mut request = world.admin().authorized(method, &path);
    if !body.is_null() {
        request = request.json(body);
    }
    answer(request).await.unwrap()
}

async fn settings_hold_for_one_room_over_chat_and_the_api(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let ana = world.ana.clone();
    let shown = ask(&world, &room.matrix, &ana, "!gitter settings").await;
    assert!(shown.contains("threads thread (as configured)"), "{shown}");
    let set = ask(&world, &room.matrix, &ana, "!gitter settings threads reply").await;
    assert!(set.contains("threads is reply"), "{set}");
    let root = world.wren_says(&room, "root");
    world.arrives_on_matrix(&room, "root").await;
    world
        .gitter
        .reply("wren", room.gitter, root, "in the thread")
        .unwrap();
    let reply = world.arrives_on_matrix(&room, "in the thread").await;
    assert_eq!(
        reply["content"]["m.relates_to"]["rel_type"],
        Value::Null,
        "{reply}"
    );
    for (words, error) in [
        ("threads", "one setting and its value"),
        ("threads sideways", "thread or reply"),
        ("colour red", "no setting"),
    ] {
        let refusal = ask(&world, &room.matrix, &ana, &format!("!gitter settings {words}")).await;
        assert!(refusal.contains(error), "{words}: {refusal}");
    }
    let (status, settings) = settings_of(&world, &room, Method::GET, &Value::Null).await;
    assert_eq!(
        (status, settings),
        (
            200,
            json!({ "threads": "reply", "membership": "lazy", "notices": true, "metadata": false,
                "moderation": false, "set": ["threads"] })
        )
    );
    let change = json!({ "threads": null, "notices": false });
    let (status, settings) = settings_of(&world, &room, Method::PUT, &change).await;
    assert_eq!((status, &settings["set"]), (200, &json!(["notices"])));
    assert_eq!(settings["threads"], "thread");
    for (body, code) in [
        (
            json!({ "threads": "sideways", "metadata": true }),
            "M_INVALID_PARAM",
        ),
        (json!(["threads"]), "M_BAD_JSON"),
    ] {
        let (status, refusal) = settings_of(&world, &room, Method::PUT, &body).await;
        assert_eq!((status, refusal["errcode"].as_str()), (400, Some(code)), "{body}");
    }
    let (_, settings) = settings_of(&world, &room, Method::GET, &Value::Null).await;
    assert_eq!(
        settings["set"],
        json!(["notices"]),
        "a refused change changes nothing"
    );
    world.close().await;
}

async fn what_has_failed_is_explained_listed_and_tried_again(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let other = world.link("cove").await;
    let ana = world.ana.clone();
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    let lost = world.ana_says(&room, "lost");
    until("the message to fail", async || {
        Ok((world.items("failed forbidden").await == 1).then_some(()))
    })
    .await;
    // As a reply to it.
    let why = world.ana_sends(
        &room,
        json!({ "msgtype": "m.text", "body": "!gitter why",
            "m.relates_to": { "m.in_reply_to": { "event_id": lost } } }),
    );
    let why = answered(&world, &room.matrix, &why).await;
    assert!(why.contains("did not reach Gitter"), "{why}");
    // What was said elsewhere is told there alone.
    let elsewhere = ask(&world, &other.matrix, &ana, &format!("!gitter why {lost}")).await;
    assert!(elsewhere.contains("Nothing is known here"), "{elsewhere}");
    let there = format!("!gitter why {lost} {}", room.matrix);
    let there = ask(&world, &other.matrix, &ana, &there).await;
    assert!(there.contains("did not reach Gitter"), "{there}");

    let nothing = ask(&world, &other.matrix, &ana, "!gitter failed").await;
    assert!(nothing.contains("Nothing has failed here"), "{nothing}");
    let failed = ask(&world, &room.matrix, &ana, "!gitter failed").await;
    let id = failed.split_whitespace().next().unwrap();
    let wrong = ask(&world, &other.matrix, &ana, &format!("!gitter retry {id}")).await;
    assert!(wrong.contains("Nothing with this id"), "{wrong}");
    let retried = ask(&world, &room.matrix, &ana, &format!("!gitter retry {id}")).await;
    assert_eq!(retried, "It is tried again.");
    world.arrives_on_gitter(&room, "lost").await;
    world.drained().await;
    world.close().await;
}

async fn commands_are_answered_once_and_where_they_were_said(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    // The answer cannot be said, and then the bridge is killed.
    let away = status(StatusCode::BAD_GATEWAY);
    world.sends_suffer(away.clone(), Stage::Before, 1);
    let first = world.ana_says(&room, "!gitter status");
    until("the first try to answer", async || {
        Ok((world.homeserver.faults_left() == 0).then_some(()))
    })
    .await;
    world.sends_suffer(away, Stage::After, 1);
    until("the second try to answer", async || {
        Ok((world.homeserver.faults_left() == 0).then_some(()))
    })
    .await;
    world.bridge.kill().await;
    world.bridge.start().await;
    answered(&world, &room.matrix, &first).await;
    let root = world.ana_says(&room, "root");
    let in_thread = world.ana_sends(
        &room,
        json!({ "msgtype": "m.text", "body": "!gitter ping", "m.relates_to": { "rel_type": "m.thread",
            "event_id": root, "is_falling_back": true, "m.in_reply_to": { "event_id": root } } }),
    );
    answered(&world, &room.matrix, &in_thread).await;
    let answers = said(&world, &room.matrix);
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(answers[0]["content"]["m.relates_to"]["rel_type"], Value::Null);
    assert_eq!(answers[1]["content"]["m.relates_to"]["event_id"], root.as_str());
    // In a room that is not linked, too; but nobody hears an answer to what is no command.
    let elsewhere = world.homeserver.make_room(&world.ana, &RoomOptions::default());
    world
        .homeserver
        .invite(&elsewhere, &world.ana, BOT.try_into().unwrap());
    until("the bot to come", async || {
        Ok((said(&world, &elsewhere).len() == 1).then_some(()))
    })
    .await;
    world.homeserver.send_text(&elsewhere, &world.ana, "nice weather");
    let status = ask(&world, &elsewhere, &world.ana.clone(), "!gitter status").await;
    assert!(status.contains("not linked"), "{status}");
    assert_eq!(said(&world, &elsewhere).len(), 2);
    world.close().await;
}

async fn who_asks_for_too_much_is_told_so_once(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let bo = newcomer(&world, &room.matrix, "bo");
    let many: Vec<OwnedEventId> = (0..14)
        .map(|_| world.homeserver.send_text(&room.matrix, &bo, "!gitter help"))
        .collect();
    let refusal = answered(&world, &room.matrix, &many[10]).await;
    assert!(refusal.contains("Wait a minute"), "{refusal}");
    // Ana is another person.
    ask(&world, &room.matrix, &world.ana.clone(), "!gitter status").await;
    done(&world).await;
    assert_eq!(said(&world, &room.matrix).len(), 12);
    world.close().await;
}

async fn a_paused_room_waits_and_goes_on(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let ana = world.ana.clone();
    let paused = ask(&world, &room.matrix, &ana, "!gitter pause").await;
    assert!(paused.contains("what is said waits"), "{paused}");
    world.ana_says(&room, "patience");
    world.wren_says(&room, "is a virtue");
    // Commands do not wait.
    let status = ask(&world, &room.matrix, &ana, "!gitter status").await;
    assert!(status.contains("It is paused"), "{status}");
    assert_eq!(world.gitter.messages(room.gitter).len(), 1);
    let resumed = ask(&world, &room.matrix, &ana, "!gitter resume").await;
    assert!(resumed.contains("goes on"), "{resumed}");
    world.arrives_on_gitter(&room, "patience").await;
    world.arrives_on_matrix(&room, "is a virtue").await;
    world.drained().await;
    world.close().await;
}

/// Makes a Gitter room of which somebody is an admin and a member.
pub(super) async fn room_with_admin(world: &World, uri: &str, admin: &str) -> gitter_sandbox::ObjectId {
    let new = NewRoom {
        // The account is one, too: only then may it moderate.
        admins: vec![admin.to_owned(), "bridge_bot".to_owned()],
        ..NewRoom::public(uri)
    };
    let room = world.gitter.add_room(&new).unwrap();
    let users = world.gitter.state().users;
    let user = users.into_iter().find(|user| user.username == admin).unwrap();
    let url = format!("{}/user/me/rooms", world.gitter_api());
    let request = reqwest::Client::new()
        .post(url)
        .bearer_auth(&user.tokens[0].token)
        .json(&json!({ "id": room }));
    let (status, joined) = answer(request).await.unwrap();
    assert_eq!(status, 200, "{joined}");
    room
}
