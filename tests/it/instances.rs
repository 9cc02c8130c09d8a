//! Two installations with the same tokens: each says so. One that was moved is no second one.

use std::fs;

use serde_json::Value;
use xtask::process;

use crate::world::{
    World,
    admin::Admin,
    bridge::PROGRAM,
    database::{Database, TestDatabase, on_both_databases},
    until,
};

on_both_databases![
    a_second_installation_is_noticed_by_both,
    a_moved_database_is_no_second_installation_but_its_original_is,
];

const ALARM: &str = "Another bridge, with another database, uses the same tokens";

/// A database of its own for another bridge.
async fn elsewhere(world: &World, database: Database) -> TestDatabase {
    let folder = world.bridge.config_file().with_file_name("elsewhere");
    fs::create_dir_all(&folder).unwrap();
    TestDatabase::make(database, None, &folder).await
}

/// Waits until a bridge warns of another one. It is ready all the same.
async fn warns(name: &str, admin: &Admin) {
    until(&format!("{name} to warn"), async || {
        let (status, body) = admin.health("ready").await?;
        let warning = body["warnings"][0].as_str().unwrap_or_default();
        anyhow::ensure!(warning.contains("uses the same tokens"), "{body}");
        assert_eq!((status, &body["ready"]), (200, &Value::Bool(true)), "{body}");
        let metrics = admin.metrics().await?;
        assert!(
            metrics
                .iter()
                .any(|line| line == "gitter_bridge_other_instance 1")
        );
        Ok(Some(()))
    })
    .await;
}

/// What the bot left on the homeserver.
fn mark(world: &World) -> Option<Value> {
    world.homeserver.account_data_of_bot("im.gitter.bridge.instance")
}

/// What the program says, whether it fails or not.
async fn says(world: &World, arguments: &[&str]) -> String {
    let mut command = process::command(PROGRAM);
    command.arg("-c").arg(world.bridge.config_file());
    let output = command.args(arguments).output().await.unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

async fn a_second_installation_is_noticed_by_both(database: Database) {
    let world = World::start(database).await;
    let there = elsewhere(&world, database).await;
    let mut other = world.start_beside("other", &there).await;
    warns("the first", world.admin()).await;
    warns("the second", other.admin()).await;
    let said = says(&world, &["doctor"]).await;
    assert!(
        said.contains("second_instance") && said.contains("stop one of the two"),
        "{said}"
    );
    for log in [world.bridge.whole_log(), other.whole_log()] {
        let told = log.lines().filter(|line| line.contains(ALARM));
        assert_eq!(told.count(), 1, "it is said once");
        let mark = mark(&world).unwrap()["mark"].as_str().unwrap().to_owned();
        assert!(!log.contains(&mark), "a mark is nobody's business");
    }
    other.stop().await;
    there.remove().await;
    world.close().await;
}

async fn a_moved_database_is_no_second_installation_but_its_original_is(database: Database) {
    let mut world = World::start(database).await;
    until("the first mark", async || Ok(mark(&world))).await;
    world.bridge.stop().await;
    let there = elsewhere(&world, database).await;
    let said = says(&world, &["database", "copy", "config", &there.url()]).await;
    assert!(said.contains("Copied"), "{said}");

    let mut moved = world.start_beside("moved", &there).await;
    let mut last = mark(&world);
    for _ in 0..2 {
        until("the moved one to renew its mark", async || {
            Ok((mark(&world) != last).then_some(()))
        })
        .await;
        last = mark(&world);
    }
    let (_, body) = moved.admin().health("ready").await.unwrap();
    assert_eq!(body["warnings"], Value::Array(Vec::new()), "{body}");

    // By mistake, with what it knew when it was stopped.
    world.bridge.start().await;
    warns("the moved one", moved.admin()).await;
    warns("the original", world.admin()).await;
    moved.stop().await;
    there.remove().await;
    world.close().await;
}

#[tokio::test]
async fn processes_of_one_database_are_one_installation() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let world = World::start(database).await;
    let mut replica = world.start_replica().await;
    let mut last = mark(&world);
    for _ in 0..3 {
        until("one of them to renew the mark", async || {
            Ok((mark(&world) != last).then_some(()))
        })
        .await;
        last = mark(&world);
    }
    for bridge in [&world.bridge, &replica] {
        let (_, body) = bridge.admin().health("ready").await.unwrap();
        assert_eq!(body["warnings"], Value::Array(Vec::new()), "{body}");
        assert!(!bridge.whole_log().contains(ALARM));
    }
    replica.stop().await;
    world.close().await;
}
