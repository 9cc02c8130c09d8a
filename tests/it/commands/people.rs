//! Who is bridged, and where the bot comes and goes.

use ruma::UserId;
use serde_json::{Value, json};

use super::{BOT, ask, said};
use crate::{
    homeserver::RoomOptions,
    world::{
        Options, World,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    who_opts_out_stays_on_matrix_until_they_opt_in,
    what_was_said_while_out_does_not_cross_later,
    permissions_say_who_is_bridged_and_whose_invites_count,
    the_bot_comes_says_what_it_can_do_and_leaves_where_it_is_of_no_use,
];

/// The bot's membership of a room.
fn membership(world: &World, room: &ruma::RoomId) -> String {
    let mut events = world.homeserver.events(room);
    events.retain(|event| event["type"] == "m.room.member" && event["state_key"] == BOT);
    let newest = events.pop().unwrap_or_default();
    newest["content"]["membership"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn becomes(world: &World, room: &ruma::RoomId, wanted: &str) {
    until(&format!("the bot to be {wanted}"), async || {
        Ok((membership(world, room) == wanted).then_some(()))
    })
    .await;
}

async fn who_opts_out_stays_on_matrix_until_they_opt_in(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let ana = world.ana.clone();
    let before = world.ana_says(&room, "before");
    world.arrives_on_gitter(&room, "before").await;
    let out = ask(&world, &room.matrix, &ana, "!gitter optout").await;
    assert!(out.contains("nothing that you say goes to Gitter"), "{out}");
    world.ana_says(&room, "between us");
    world.ana_edits(&room, &before, "changed");
    world.drained().await;
    assert_eq!(world.items("skipped not_allowed").await, 2);
    // What they take back is taken back; and that they want so is kept when all else of them is forgotten.
    world.homeserver.redact(&room.matrix, &ana, &before);
    until("the message to be deleted on Gitter", async || {
        Ok(world.gitter.messages(room.gitter).is_empty().then_some(()))
    })
    .await;
    assert_eq!(world.admin().forget("@ana:localhost").await.0, 200);
    world.ana_says(&room, "still between us");
    world.drained().await;
    ask(&world, &room.matrix, &ana, "!gitter optin").await;
    world.ana_says(&room, "after");
    world.arrives_on_gitter(&room, "after").await;
    world.drained().await;
    assert_eq!(world.items("skipped not_allowed").await, 3);
    assert_eq!(world.gitter.messages(room.gitter).len(), 1);
    world.close().await;
}

async fn what_was_said_while_out_does_not_cross_later(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let ana = world.ana.clone();
    ask(&world, &room.matrix, &ana, "!gitter pause").await;
    world.ana_says(&room, "before");
    for text in ["between us", "again between us"] {
        ask(&world, &room.matrix, &ana, "!gitter optout").await;
        world.ana_says(&room, text);
        ask(&world, &room.matrix, &ana, "!gitter optin").await;
        world.ana_says(&room, &format!("after {text:?}"));
    }
    ask(&world, &room.matrix, &ana, "!gitter resume").await;
    world.drained().await;
    let texts = world
        .gitter
        .messages(room.gitter)
        .into_iter()
        .map(|message| message.text);
    let texts: Vec<String> = texts.collect();
    assert_eq!(
        texts,
        ["before", "after \"between us\"", "after \"again between us\""]
    );
    assert_eq!(world.items("skipped not_allowed").await, 2);
    world.close().await;
}

async fn permissions_say_who_is_bridged_and_whose_invites_count(database: Database) {
    let options = Options {
        permissions: json!({ "@ana:localhost": "user" }),
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    let bo = world.homeserver.make_user("bo", "Bo");
    world.homeserver.join(&room.matrix, &bo);
    world.homeserver.send_text(&room.matrix, &bo, "of bo");
    world.ana_says(&room, "of ana");
    world.arrives_on_gitter(&room, "of ana").await;
    world.drained().await;
    assert_eq!(world.items("skipped not_allowed").await, 1);
    assert_eq!(world.gitter.messages(room.gitter).len(), 1);
    let help = ask(&world, &room.matrix, &bo, "!gitter help").await;
    assert!(
        help.contains("You may not use the bridge") && !help.contains("!gitter"),
        "{help}"
    );
    let refused = ask(&world, &room.matrix, &bo, "!gitter status").await;
    assert!(refused.contains("bridge.permissions"), "{refused}");

    let own = world.homeserver.make_room(&bo, &RoomOptions::default());
    world.homeserver.invite(&own, &bo, BOT.try_into().unwrap());
    becomes(&world, &own, "leave").await;
    assert!(said(&world, &own).is_empty());
    world.close().await;
}

async fn the_bot_comes_says_what_it_can_do_and_leaves_where_it_is_of_no_use(database: Database) {
    let world = World::start(database).await;
    let bot: &UserId = BOT.try_into().unwrap();
    let make = || world.homeserver.make_room(&world.ana, &RoomOptions::default());
    let plain = make();
    world.homeserver.invite(&plain, &world.ana, bot);
    until("the bot to say what it can do", async || {
        Ok((!said(&world, &plain).is_empty()).then_some(()))
    })
    .await;
    let text = said(&world, &plain)[0]["content"]["body"].clone();
    assert!(text.as_str().unwrap().contains("`!gitter help`"), "{text}");

    let encrypted = make();
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    world
        .homeserver
        .set_state(&encrypted, &world.ana, "m.room.encryption", "", algorithm);
    world.homeserver.invite(&encrypted, &world.ana, bot);
    becomes(&world, &encrypted, "leave").await;
    let words: Vec<Value> = said(&world, &encrypted);
    assert_eq!(words.len(), 1);
    assert!(
        words[0]["content"]["body"]
            .as_str()
            .unwrap()
            .contains("encrypted")
    );

    // The last one turns off the light.
    let bo = world.homeserver.make_user("bo", "Bo");
    world.homeserver.join(&plain, &bo);
    world.homeserver.leave(&plain, &bo);
    ask(&world, &plain, &world.ana.clone(), "!gitter status").await;
    assert_eq!(membership(&world, &plain), "join");
    world.homeserver.leave(&plain, &world.ana);
    becomes(&world, &plain, "leave").await;
    assert_eq!(said(&world, &plain).len(), 2);
    world.close().await;
}
