//! Linking and unlinking by chat, and with a code of an admin of the Gitter room.

use gitter_sandbox::RoomChange;
use reqwest::Method;
use ruma::OwnedEventId;
use serde_json::{Value, json};

use super::{BOT, answered, ask, room_with_admin, said};
use crate::{
    homeserver::RoomOptions,
    world::{
        Options, Room, World,
        admin::answer,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    a_code_that_an_admin_posts_links_the_rooms_and_both_are_told_once,
    an_admin_of_the_bridge_links_at_once_from_a_direct_chat,
    what_cannot_be_linked_is_refused_before_there_is_a_code,
    moderation_needs_the_gitter_room_too,
];

/// The code that the bot gave in answer to a command.
pub(super) async fn code(world: &World, room: &Room, event: &OwnedEventId) -> String {
    let text = answered(world, &room.matrix, event).await;
    let code = text.split('`').nth(1);
    code.unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// Invites the bot, and waits until it has come.
async fn invite(world: &World, room: &Room) {
    world
        .homeserver
        .invite(&room.matrix, &world.ana, BOT.try_into().unwrap());
    until("the bot to come", async || {
        Ok((!said(world, &room.matrix).is_empty()).then_some(()))
    })
    .await;
}

pub(super) async fn rooms(world: &World, name: &str) -> Room {
    let uri = format!("tidepool/{name}");
    let room = Room {
        gitter: room_with_admin(world, &uri, "kelp").await,
        uri,
        matrix: world.homeserver.make_room(&world.ana, &RoomOptions::default()),
    };
    invite(world, &room).await;
    room
}

pub(super) fn announcements(world: &World, room: &Room) -> usize {
    let on_matrix = said(world, &room.matrix);
    let on_matrix = on_matrix
        .iter()
        .filter(|event| event["content"]["im.gitter.announcement"] == true);
    on_matrix.count()
}

async fn a_code_that_an_admin_posts_links_the_rooms_and_both_are_told_once(database: Database) {
    let mut world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let asked = world.ana_says(&room, &format!("!gitter link {}", room.uri));
    let code = code(&world, &room, &asked).await;

    // Of somebody who is no admin it is nothing, and neither in another's name.
    world.wren_says(&room, &code);
    until("wren to be refused", async || {
        let said = said(&world, &room.matrix);
        let refused = said.iter().any(|event| {
            let text = event["content"]["body"].as_str().unwrap();
            text.contains("wren posted the code") && text.contains("admin")
        });
        Ok(refused.then_some(()))
    })
    .await;
    let virtual_user = json!({ "type": "matrix", "externalId": "eve:localhost", "displayName": "Eve" });
    let body = json!({ "text": code, "virtualUser": virtual_user });
    let url = format!("{}/rooms/{}/chatMessages", world.gitter_api(), room.gitter);
    let request = reqwest::Client::new()
        .request(Method::POST, url)
        .bearer_auth(world.gitter_token())
        .json(&body);
    assert_eq!(answer(request).await.unwrap().0, 200);
    // What was asked for lives on through a kill.
    world.bridge.kill().await;
    world.bridge.start().await;
    assert_eq!(world.admin().portal(room.matrix.as_str()).await.0, 404);

    world.gitter.post("kelp", room.gitter, &code).unwrap();
    until("the rooms to be linked", async || {
        let (status, _) = world.admin().portal(room.matrix.as_str()).await;
        Ok((status == 200).then_some(()))
    })
    .await;
    let told = until("Gitter to be told", async || {
        let mut messages = world.gitter.messages(room.gitter);
        messages.retain(|message| message.text.contains("linked now"));
        Ok(messages.pop())
    })
    .await;
    assert_eq!(
        (told.author.as_str(), told.virtual_user.is_none()),
        ("bridge_bot", true)
    );
    assert!(told.text.contains("@ana:localhost"), "{}", told.text);
    world.ana_says(&room, "ahoy");
    world.arrives_on_gitter(&room, "ahoy").await;
    world.wren_says(&room, "ahoy, Ana");
    world.arrives_on_matrix(&room, "ahoy, Ana").await;
    world.drained().await;
    assert_eq!(announcements(&world, &room), 1);

    unlinking_asks_first_and_a_link_that_is_made_again_is_no_news(&world, &room).await;
    world.close().await;
}

async fn unlinking_asks_first_and_a_link_that_is_made_again_is_no_news(world: &World, room: &Room) {
    let ana = world.ana.clone();
    let asks = ask(world, &room.matrix, &ana, "!gitter unlink").await;
    assert!(asks.contains("`!gitter unlink tidepool/pier`"), "{asks}");
    assert_eq!(world.admin().portal(room.matrix.as_str()).await.0, 200);
    let unlinked = ask(world, &room.matrix, &ana, "!gitter unlink tidepool/pier").await;
    assert!(unlinked.contains("ended"), "{unlinked}");
    assert_eq!(world.admin().portal(room.matrix.as_str()).await.0, 404);
    assert_eq!(world.admin().link(room).await.0, 201);
    world.ana_says(room, "again");
    world.arrives_on_gitter(room, "again").await;
    world.drained().await;
    assert_eq!(announcements(world, room), 1);
    let told = world.gitter.messages(room.gitter);
    let told = told.iter().filter(|message| message.text.contains("linked now"));
    assert_eq!(told.count(), 1);
}

async fn an_admin_of_the_bridge_links_at_once_from_a_direct_chat(database: Database) {
    let options = Options {
        permissions: json!({ "@ana:localhost": "admin", "localhost": "user" }),
        ..Options::default()
    };
    let world = World::with(database, options).await;
    let room = rooms(&world, "pier").await;
    let chat = rooms(&world, "chat").await;
    let ana = world.ana.clone();
    let command = format!("!gitter link tidepool/pier {}", room.matrix);
    let linked = ask(&world, &chat.matrix, &ana, &command).await;
    assert!(linked.contains("Linked: tidepool/pier"), "{linked}");
    until("the room to be told", async || {
        Ok((announcements(&world, &room) == 1).then_some(()))
    })
    .await;
    let status = ask(
        &world,
        &chat.matrix,
        &ana,
        &format!("!gitter status {}", room.matrix),
    )
    .await;
    assert!(status.contains("tidepool/pier"), "{status}");
    let again = ask(&world, &room.matrix, &ana, "!gitter link tidepool/pier").await;
    assert!(again.contains("Linked already"), "{again}");

    // Who is not there hears nothing of it.
    let bo = world.homeserver.make_user("bo", "Bo");
    let own = world.homeserver.make_room(&bo, &RoomOptions::default());
    world.homeserver.invite(&own, &bo, BOT.try_into().unwrap());
    let refused = ask(&world, &own, &bo, &format!("!gitter status {}", room.matrix)).await;
    assert!(refused.contains("not both in"), "{refused}");
    world.close().await;
}

async fn what_cannot_be_linked_is_refused_before_there_is_a_code(database: Database) {
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let ana = world.ana.clone();
    for (words, mend) in [
        ("", "such as `!gitter link tidepool/harbour`"),
        ("tidepool/nowhere", "check the spelling"),
        ("tidepool/locked", "only public rooms"),
        ("wren", "group/room"),
    ] {
        let refusal = ask(&world, &room.matrix, &ana, &format!("!gitter link {words}")).await;
        assert!(refusal.contains(mend), "{words}: {refusal}");
    }
    assert_eq!(
        world
            .database
            .number("SELECT COUNT(*) FROM code WHERE code <> $1", "")
            .await,
        0
    );
    world.close().await;
}

async fn moderation_needs_the_gitter_room_too(database: Database) {
    let world = World::start(database).await;
    let room = rooms(&world, "pier").await;
    let without_the_account = RoomChange {
        admins: Some(vec!["kelp".to_owned()]),
        ..RoomChange::default()
    };
    world
        .gitter
        .alter_room(room.gitter, &without_the_account)
        .unwrap();
    assert_eq!(world.admin().link(&room).await.0, 201);
    let administer = |admins: &[&str]| {
        let change = RoomChange {
            admins: Some(admins.iter().map(ToString::to_string).collect()),
            ..RoomChange::default()
        };
        world.gitter.alter_room(room.gitter, &change).unwrap();
    };
    administer(&["kelp"]);
    let asked = world.ana_says(&room, "!gitter settings moderation on");
    // No code is given that would be of no use.
    let refused = answered(&world, &room.matrix, &asked).await;
    assert!(refused.contains("is no admin of tidepool/pier"), "{refused}");
    administer(&["kelp", "bridge_bot"]);
    let asked = world.ana_says(&room, "!gitter settings moderation on");
    let code = code(&world, &room, &asked).await;
    let settings = async || {
        let path = format!("rooms/{}/settings", room.gitter);
        let (_, settings) = answer(world.admin().authorized(Method::GET, &path))
            .await
            .unwrap();
        settings["moderation"].clone()
    };
    assert_eq!(settings().await, Value::Bool(false));
    world.gitter.post("kelp", room.gitter, &code).unwrap();
    until("moderation to be allowed", async || {
        Ok((settings().await == Value::Bool(true)).then_some(()))
    })
    .await;
    let off = ask(
        &world,
        &room.matrix,
        &world.ana.clone(),
        "!gitter settings moderation off",
    )
    .await;
    assert!(off.contains("moderation is off"), "{off}");
    world.close().await;
}
