//! Gitter throws away what the account posts, and answers as always (gitter-api 5.8).

use gitter_sandbox::{FrameEffect, UserChange};
use reqwest::Method;
use serde_json::Value;

use crate::world::{
    Room, World,
    admin::answer,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    an_account_that_is_banned_silently_is_paused_until_an_operator_resumes_it,
    a_message_that_is_not_there_though_it_was_answered_as_stored_fails_after_all,
    a_message_whose_echo_is_lost_is_looked_for_and_is_fine,
    removals_by_others_are_warned_of,
];

/// How many messages wait for their echoes.
const AWAITED: &str = "SELECT COUNT(*) FROM awaited_echo WHERE gitter_room_id = $1";

/// Lets the echoes of all messages be overdue.
const OVERDUE: &str = "UPDATE awaited_echo SET posted_at = 1";

fn ban(world: &World, silent_ban: bool) {
    let change = UserChange {
        silent_ban: Some(silent_ban),
        ..UserChange::default()
    };
    world.gitter.alter_user("bridge_bot", &change).unwrap();
}

/// The state of the only account.
async fn account(world: &World) -> Value {
    let request = world.admin().authorized(Method::GET, "accounts");
    let (status, mut body) = answer(request).await.unwrap();
    assert_eq!(status, 200, "{body}");
    body["accounts"][0].take()
}

async fn resume(world: &World) {
    let request = world
        .admin()
        .authorized(Method::POST, "accounts/bridge_bot/resume");
    let (status, body) = answer(request).await.unwrap();
    assert_eq!((status, &body["state"]), (200, &Value::from("active")), "{body}");
}

/// Waits until the account is paused and one item has failed for it; gives the item's id.
async fn is_paused(world: &World) -> String {
    until("the account to be paused", async || {
        Ok((account(world).await["state"] == "paused").then_some(()))
    })
    .await;
    let (_, failed) = world.admin().items("state=failed").await;
    assert_eq!(failed["items"].as_array().unwrap().len(), 1, "{failed}");
    assert_eq!(failed["items"][0]["reason"], "silent_ban", "{failed}");
    failed["items"][0]["id"].as_str().unwrap().to_owned()
}

fn count(log: &str, what: &str) -> usize {
    log.lines().filter(|line| line.contains(what)).count()
}

async fn an_account_that_is_banned_silently_is_paused_until_an_operator_resumes_it(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    ban(&world, true);
    for text in ["one", "two", "three"] {
        world.ana_says(&room, text);
    }
    let failed = is_paused(&world).await;
    // What others say still crosses, and a restart changes nothing.
    world.bridge.stop().await;
    world.bridge.start().await;
    world.wren_says(&room, "hello");
    world.arrives_on_matrix(&room, "hello").await;
    assert_eq!(is_paused(&world).await, failed);
    assert_eq!(
        world.tries_to_gitter(&room).await,
        1,
        "nothing was sent after the first"
    );
    let metrics = world.admin().metrics().await.unwrap();
    let stopped = r#"gitter_bridge_accounts_stopped{reason="silent_ban"} 1"#;
    assert!(metrics.iter().any(|line| line == stopped), "{metrics:?}");
    let found = account(&world).await;
    assert!(
        found["mend"].as_str().unwrap().contains("account resume"),
        "{found}"
    );
    assert!(found["since"].is_string(), "{found}");

    ban(&world, false);
    resume(&world).await;
    assert_eq!(world.admin().retry(&failed).await.0, 202);
    world.arrives_on_gitter(&room, "one").await;
    world.arrives_on_gitter(&room, "three").await;
    assert_eq!(count(&world.bridge.whole_log(), "it is banned silently"), 1);
    world.drained().await;
    assert_eq!(world.gitter.messages(room.gitter).len(), 4);
    world.close().await;
}

/// Ana says something of which the bridge hears nothing more.
async fn says_unheard(world: &World, room: &Room, text: &str, frames: u32) -> gitter_sandbox::ObjectId {
    world.frames_suffer(room, FrameEffect::Drop, frames);
    world.ana_says(room, text);
    let message = world.arrives_on_gitter(room, text).await.id;
    until("the echo to be awaited", async || {
        let awaited = world.database.number(AWAITED, &room.gitter.to_string()).await;
        Ok((awaited == 1).then_some(()))
    })
    .await;
    message
}

async fn a_message_that_is_not_there_though_it_was_answered_as_stored_fails_after_all(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let message = says_unheard(&world, &room, "one", 2).await;
    world.drained().await;
    assert_eq!(world.items("bridged ").await, 1);
    // It goes as it would with a ban that answers with `v`: nobody is told of anything.
    world.gitter.delete("bridge_bot", room.gitter, message).unwrap();
    world.bridge.stop().await;
    world.database.change(OVERDUE).await;
    world.bridge.start().await;
    let failed = is_paused(&world).await;
    assert_eq!(world.database.number(AWAITED, &room.gitter.to_string()).await, 0);
    world.ana_says(&room, "two");
    resume(&world).await;
    assert_eq!(world.admin().retry(&failed).await.0, 202);
    world.arrives_on_gitter(&room, "one").await;
    world.arrives_on_gitter(&room, "two").await;
    world.drained().await;
    assert_eq!(world.gitter.messages(room.gitter).len(), 2);
    world.close().await;
}

async fn a_message_whose_echo_is_lost_is_looked_for_and_is_fine(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    says_unheard(&world, &room, "one", 1).await;
    world.bridge.stop().await;
    world.database.change(OVERDUE).await;
    world.bridge.start().await;
    until("the message to be looked for", async || {
        let awaited = world.database.number(AWAITED, &room.gitter.to_string()).await;
        Ok((awaited == 0).then_some(()))
    })
    .await;
    assert_eq!(account(&world).await["state"], "active");
    world.finish().await;
}

async fn removals_by_others_are_warned_of(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    for text in ["one", "two"] {
        world.ana_says(&room, text);
        let message = world.arrives_on_gitter(&room, text).await.id;
        world.drained().await;
        world.gitter.delete("wren", room.gitter, message).unwrap();
    }
    // The bot may not redact in this Matrix room; that Gitter removed them is known all the same.
    until("both removals to be known", async || {
        Ok((world.items("failed forbidden").await == 2).then_some(()))
    })
    .await;
    // It looks when it starts, and then once a minute.
    world.bridge.stop().await;
    world.bridge.start().await;
    until("a warning", async || {
        let log = world.bridge.whole_log();
        Ok((count(&log, "Others have removed messages of Matrix people") == 1).then_some(()))
    })
    .await;
    let metrics = world.admin().metrics().await.unwrap();
    let near = r#"gitter_bridge_silent_ban_nearness_ratio{trigger="removals"} 0.66"#;
    assert!(metrics.iter().any(|line| line == near), "{metrics:?}");
    world.close().await;
}
