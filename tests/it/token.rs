//! Gitter refuses the account's token: the bridge waits, says so once, and goes on with the next token.

use gitter_sandbox::{RequestEffect, UserChange, When};
use reqwest::Method;
use serde_json::Value;

use crate::world::{
    Options, World,
    admin::answer,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    a_revoked_token_stops_both_ways_until_the_file_holds_another,
    only_a_token_of_the_same_account_is_taken,
    a_token_that_is_refused_once_is_asked_about_again,
    a_bridge_that_starts_with_a_refused_token_waits_for_another,
];

const ALARM: &str = "Gitter refuses the account's token";

fn with_token_file() -> Options {
    Options {
        token_file: true,
        ..Options::default()
    }
}

/// Ends the tokens of the bridge's account, and gives the one that it is to use next.
fn renew(world: &World) -> String {
    let change = UserChange {
        new_tokens: Some(true),
        ..UserChange::default()
    };
    world.gitter.alter_user("bridge_bot", &change).unwrap();
    token_of(world, "bridge_bot")
}

fn token_of(world: &World, username: &str) -> String {
    let users = world.gitter.state().users;
    let user = users.into_iter().find(|user| user.username == username).unwrap();
    let tokens = user.tokens.iter();
    let for_bridges = tokens.clone().find(|token| token.client == "matrix-bridge");
    for_bridges.or(tokens.clone().next()).unwrap().token.clone()
}

/// Waits until the account is in a state.
async fn is(world: &World, state: &str) {
    until(&format!("the account to be {state}"), async || {
        let request = world.admin().authorized(Method::GET, "accounts");
        let (_, body) = answer(request).await?;
        if body["accounts"][0]["state"] == *state {
            return Ok(Some(()));
        }
        anyhow::bail!("{body}")
    })
    .await;
}

fn count(log: &str, what: &str) -> usize {
    log.lines().filter(|line| line.contains(what)).count()
}

async fn a_revoked_token_stops_both_ways_until_the_file_holds_another(database: Database) {
    let mut world = World::with(database, with_token_file()).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 1);
    world.crossed().await;
    let (old, new) = (world.gitter_token().to_owned(), renew(&world));
    for number in 0..5 {
        world.ana_says(&room, &format!("during {number}"));
    }
    world.wren_says(&room, "unheard");
    is(&world, "token_refused").await;
    until("the realtime side to be refused, too", async || {
        let log = world.bridge.whole_log();
        Ok((count(&log, "realtime server refused the handshake") > 0).then_some(()))
    })
    .await;
    let metrics = world.admin().metrics().await.unwrap();
    let stopped = r#"gitter_bridge_accounts_stopped{reason="token_refused"} 1"#;
    assert!(metrics.iter().any(|line| line == stopped), "{metrics:?}");
    let (_, failed) = world.admin().items("state=failed").await;
    assert_eq!(
        failed["items"],
        Value::Array(Vec::new()),
        "nothing has failed for it"
    );
    assert!(
        world.tries_to_gitter(&room).await <= 2,
        "it was not tried again and again"
    );

    std::fs::write(world.token_file(), format!("{new}\n")).unwrap();
    world.crossed().await;
    is(&world, "active").await;
    let log = world.bridge.whole_log();
    assert_eq!(count(&log, ALARM), 1);
    assert!(
        !log.contains(&old) && !log.contains(&new),
        "a token is in the log"
    );
    world.finish().await;
}

async fn only_a_token_of_the_same_account_is_taken(database: Database) {
    let mut world = World::with(database, with_token_file()).await;
    let room = world.link("pier").await;
    let new = renew(&world);
    world.ana_says(&room, "one");
    is(&world, "token_refused").await;
    for (token, says) in [
        ("0123456789".to_owned(), "Gitter refuses the new token, too"),
        (token_of(&world, "wren"), "The new token is another account's"),
    ] {
        std::fs::write(world.token_file(), &token).unwrap();
        until(says, async || {
            Ok((count(&world.bridge.whole_log(), says) == 1).then_some(()))
        })
        .await;
    }
    is(&world, "token_refused").await;
    assert!(world.gitter.messages(room.gitter).is_empty());
    std::fs::write(world.token_file(), &new).unwrap();
    world.finish().await;
}

async fn a_token_that_is_refused_once_is_asked_about_again(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Status(401), When::Before, 1);
    world.ana_says(&room, "one");
    is(&world, "token_refused").await;
    world.finish().await;
}

async fn a_bridge_that_starts_with_a_refused_token_waits_for_another(database: Database) {
    let mut world = World::with(database, with_token_file()).await;
    let room = world.link("pier").await;
    world.bridge.stop().await;
    let new = renew(&world);
    world.bridge.launch();
    until("the bridge to say what it waits for", async || {
        let log = world.bridge.whole_log();
        Ok((count(&log, "put a valid one of the bridge's account there") == 1).then_some(()))
    })
    .await;
    // What is said meanwhile is not lost.
    world.ana_says(&room, "one");
    std::fs::write(world.token_file(), &new).unwrap();
    world.arrives_on_gitter(&room, "one").await;
    world.finish().await;
}
