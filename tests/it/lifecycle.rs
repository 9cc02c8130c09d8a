//! Starting and stopping: what `serve` refuses, what it waits for, and an end in order.

use std::time::Duration;

use gitter_matrix_bridge::{config::Config, registration::Registration};
use gitter_sandbox::{RequestEffect, When};
use serde_json::Value;

use crate::{
    homeserver::{Effect, Stage},
    world::{
        World,
        bridge::Bridge,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    stopped_under_traffic_it_ends_in_time_and_loses_nothing,
    a_database_of_another_homeserver_is_refused,
    a_homeserver_that_is_not_up_yet_is_waited_for,
    refused_tokens_are_told_at_the_start,
];

/// How long what is under way may take once the bridge is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

async fn stopped_under_traffic_it_ends_in_time_and_loses_nothing(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    for (round, late) in [(1, 0), (2, 300)] {
        world.posts_suffer(&room, RequestEffect::LatencyMs(late), When::After, 5);
        world.sends_suffer(Effect::Latency(Duration::from_millis(late)), Stage::After, 5);
        world.both_say(&room, &format!("round {round}"), 30);
        let first = format!("round {round} 0 of ana");
        world.arrives_on_gitter(&room, &first).await;
        let stopped = tokio::time::timeout(DRAIN, world.bridge.stop()).await;
        assert!(stopped.is_ok(), "it did not stop in {DRAIN:?}");
        world.bridge.start().await;
        world.crossed().await;
    }
    let repeated = world.not_sent_once(&room).await;
    assert_eq!(repeated, 0, "what was under way was not waited for");
    world.finish().await;
}

/// Starts the program with a changed configuration, beside the running one or instead of it.
async fn refused(world: &World, name: &str, change: impl FnOnce(&mut Value)) -> String {
    let file = world.bridge.config_file();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    change(&mut config);
    let changed = file.with_file_name(format!("{name}.yaml"));
    std::fs::write(&changed, config.to_string()).unwrap();
    let config = Config::load(&changed).unwrap();
    let registration = &config.appservice.registration;
    if !registration.exists() {
        Registration::new(&config).write(registration).unwrap();
    }
    let ended = Bridge::serve_in_vain(&changed).await;
    assert_eq!(ended.code, Some(1), "{}", ended.complaint);
    ended.complaint
}

async fn a_database_of_another_homeserver_is_refused(database: Database) {
    let mut world = World::start(database).await;
    world.bridge.stop().await;
    let complaint = refused(&world, "other", |config| {
        config["homeserver"]["server_name"] = "example.org".into();
        config["appservice"]["registration"] = "other-registration.yaml".into();
    })
    .await;
    for word in [
        "localhost",
        "example.org",
        "homeserver.server_name",
        "database.url",
    ] {
        assert!(complaint.contains(word), "{word} in {complaint}");
    }
    world.bridge.start().await;
    world.close().await;
}

#[tokio::test]
async fn a_second_bridge_on_the_folder_of_a_sqlite_database_is_refused() {
    let mut world = World::start(Database::Sqlite).await;
    let room = world.link("pier").await;
    let complaint = refused(&world, "second", |_| {}).await;
    assert!(
        complaint.contains("another bridge runs") && complaint.contains("PostgreSQL"),
        "{complaint}"
    );
    world.both_say(&room, "still there", 2);
    world.finish().await;
}

async fn a_homeserver_that_is_not_up_yet_is_waited_for(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.bridge.stop().await;
    world.homeserver.stop().await;
    world.both_say(&room, "unheard", 5);
    world.bridge.launch();
    until("the bridge to wait", async || {
        let log = world.bridge.whole_log();
        Ok(log.contains("Waiting for a side to answer").then_some(()))
    })
    .await;
    world.homeserver.restart().await;
    world.finish().await;
}

async fn refused_tokens_are_told_at_the_start(database: Database) {
    let mut world = World::start(database).await;
    world.bridge.stop().await;
    let complaint = refused(&world, "gitter", |config| {
        config["gitter"]["token"] = "0000000000000000000000000000000000000000".into();
    })
    .await;
    assert!(complaint.contains("Gitter refuses the bridge"), "{complaint}");
    assert!(complaint.contains("gitter.token_file"), "{complaint}");

    let mut registration = world.registration.clone();
    let as_token = "not-the-token-of-the-homeserver";
    registration.as_token = as_token.to_owned().into();
    let file = world.bridge.config().appservice.registration;
    registration.write(&file.with_file_name("wrong.yaml")).unwrap();
    let complaint = refused(&world, "homeserver", |config| {
        config["appservice"]["registration"] = "wrong.yaml".into();
    })
    .await;
    assert!(
        complaint.contains("the homeserver refuses the bridge"),
        "{complaint}"
    );
    assert!(!complaint.contains(as_token), "it tells the token");
    world.bridge.start().await;
    world.close().await;
}
