//! What Matrix people see of what becomes of their messages: notices and read receipts.

use gitter_sandbox::{RequestEffect, When};
use ruma::OwnedEventId;
use serde_json::{Value, json};

use crate::world::{
    Room, World,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    a_sender_is_told_once_in_the_thread_of_what_failed,
    the_read_receipt_stays_before_what_has_failed,
    after_a_kill_nobody_is_told_twice,
];

/// What the bot said in a room.
fn notices(world: &World, room: &Room) -> Vec<Value> {
    let mut events = world.homeserver.events(&room.matrix);
    events.retain(|event| {
        event["sender"] == "@gitterbot:localhost" && event["content"]["msgtype"] == "m.notice"
    });
    events
}

/// Waits for so many notices, and gives them.
async fn told(world: &World, room: &Room, count: usize) -> Vec<Value> {
    until(&format!("{count} notices"), async || {
        let notices = notices(world, room);
        Ok((notices.len() == count).then_some(notices))
    })
    .await
}

/// Waits until the bot has acknowledged an event as the latest.
async fn acknowledged(world: &World, room: &Room, event: &OwnedEventId) {
    until(&format!("{event} to be acknowledged"), async || {
        let receipts = world.homeserver.receipts(&room.matrix);
        if receipts.last().is_some_and(|last| last == event.as_str()) {
            return Ok(Some(()));
        }
        anyhow::bail!("{receipts:?}")
    })
    .await;
}

async fn a_sender_is_told_once_in_the_thread_of_what_failed(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let bo = world.homeserver.make_user("bo", "Bo");
    world.homeserver.join(&room.matrix, &bo);
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    let root = world.ana_says(&room, "one");
    let first = told(&world, &room, 1).await.remove(0);
    let content = &first["content"];
    assert_eq!(
        content["m.relates_to"],
        json!({ "rel_type": "m.thread", "event_id": root, "is_falling_back": true,
            "m.in_reply_to": { "event_id": root } })
    );
    assert_eq!(content["m.mentions"], json!({ "user_ids": ["@ana:localhost"] }));
    let text = content["body"].as_str().unwrap();
    assert!(
        text.contains("did not reach Gitter") && text.contains("ask an admin"),
        "{text}"
    );

    // Ana is told no more for a while; somebody else is, with what helps against that.
    world.posts_suffer(&room, RequestEffect::Status(413), When::Before, 2);
    world.ana_says(&room, "two");
    let of_bo = world.homeserver.send_text(&room.matrix, &bo, "three");
    let second = told(&world, &room, 2).await.remove(1);
    assert_eq!(second["content"]["m.relates_to"]["event_id"], of_bo.as_str());
    assert!(
        second["content"]["body"]
            .as_str()
            .unwrap()
            .contains("smaller pieces"),
        "{second}"
    );
    world.ana_says(&room, "four");
    world.arrives_on_gitter(&room, "four").await;
    world.drained().await;
    assert_eq!(world.items("failed forbidden").await, 1);
    assert_eq!(world.items("failed too_large").await, 2);
    // Neither is what the bot said a message to anybody on Gitter.
    assert_eq!(world.gitter.messages(room.gitter).len(), 1);
    assert_eq!(notices(&world, &room).len(), 2);
    world.close().await;
}

async fn the_read_receipt_stays_before_what_has_failed(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let one = world.ana_says(&room, "one");
    acknowledged(&world, &room, &one).await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    world.ana_says(&room, "two");
    let three = world.ana_says(&room, "three");
    world.arrives_on_gitter(&room, "three").await;
    told(&world, &room, 1).await;
    world.drained().await;
    // The look that told of the failure saw all of this.
    assert_eq!(world.homeserver.receipts(&room.matrix), [one.as_str()]);
    let (_, failed) = world.admin().items("state=failed").await;
    let id = failed["items"][0]["id"].as_str().unwrap();
    assert_eq!(world.admin().retry(id).await.0, 202);
    acknowledged(&world, &room, &three).await;
    world.drained().await;
    // A restart repeats none.
    let receipts = world.homeserver.receipts(&room.matrix).len();
    world.bridge.stop().await;
    world.bridge.start().await;
    let four = world.ana_says(&room, "four");
    acknowledged(&world, &room, &four).await;
    assert_eq!(world.homeserver.receipts(&room.matrix).len(), receipts + 1);
    world.close().await;
}

async fn after_a_kill_nobody_is_told_twice(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    world.ana_says(&room, "one");
    told(&world, &room, 1).await;
    world.bridge.kill().await;
    world.homeserver.restart().await;
    world.bridge.start().await;
    // Its receipts come from the same looks as notices.
    let (_, failed) = world.admin().items("state=failed").await;
    let id = failed["items"][0]["id"].as_str().unwrap();
    assert_eq!(world.admin().drop_item(id).await.0, 204);
    let two = world.ana_says(&room, "two");
    acknowledged(&world, &room, &two).await;
    assert_eq!(notices(&world, &room).len(), 1);
    world.close().await;
}
