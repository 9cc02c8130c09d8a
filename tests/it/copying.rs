//! The database is copied to the other kind and back, and the bridge goes on with it as if nothing were.

use std::fs;

use serde_json::Value;
use xtask::process;

use crate::world::{
    World,
    bridge::PROGRAM,
    database::{Database, TestDatabase, on_both_databases},
};

on_both_databases![
    the_bridge_goes_on_with_a_copy_of_its_database,
    nothing_is_copied_from_or_to_what_is_in_use,
];

/// What `database copy` says, and its exit code.
async fn copy(world: &World, from: &str, to: &str) -> (Option<i32>, String) {
    let mut command = process::command(PROGRAM);
    command.arg("-c").arg(world.bridge.config_file());
    let output = command
        .args(["database", "copy", from, to])
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// The other kind of database, where there is one.
async fn other(world: &World, database: Database) -> TestDatabase {
    let other = match database {
        Database::Sqlite => Database::postgres().unwrap_or(Database::Sqlite),
        Database::Postgres => Database::Sqlite,
    };
    let folder = world.bridge.config_file().with_file_name("other");
    fs::create_dir_all(&folder).unwrap();
    TestDatabase::make(other, None, &folder).await
}

fn use_database(world: &World, url: &str) {
    let file = world.bridge.config_file();
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    config["database"]["url"] = url.into();
    fs::write(&file, config.to_string()).unwrap();
}

async fn the_bridge_goes_on_with_a_copy_of_its_database(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 20);
    let edited = world.ana_says(&room, "first");
    world.arrives_on_gitter(&room, "first").await;
    world.drained().await;
    world.bridge.stop().await;
    // Said while it is stopped, by one edit of what only the map knows.
    world.ana_edits(&room, &edited, "second");
    let there = other(&world, database).await;
    let (code, said) = copy(&world, "config", &there.url()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("inbox") && said.contains("Copied"), "{said}");

    use_database(&world, &there.url());
    world.bridge.start().await;
    world.arrives_on_gitter(&room, "second").await;
    world.both_say(&room, "after", 5);
    world.arrives_on_gitter(&room, "after 4 of ana").await;
    world.drained().await;
    let messages = world.gitter.messages(room.gitter).len();
    assert_eq!(messages, 51, "nothing came twice");

    // And back, into the same place, once that is empty.
    world.bridge.stop().await;
    let (code, said) = copy(&world, "config", &world.database.url()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("holds something already"), "{said}");
    use_database(&world, &world.database.url());
    world.bridge.start().await;
    there.remove().await;
    world.close().await;
}

async fn nothing_is_copied_from_or_to_what_is_in_use(database: Database) {
    let mut world = World::start(database).await;
    world.link("pier").await;
    let there = other(&world, database).await;
    let (code, said) = copy(&world, "config", &there.url()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("stop it first"), "{said}");
    world.bridge.stop().await;
    let (code, said) = copy(&world, &there.url(), "config").await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nothing of the bridge's"), "{said}");
    let (code, said) = copy(&world, "config", "config").await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("holds something already"), "{said}");
    let (code, said) = copy(&world, "config", "mysql://ana:secret@db/x").await;
    assert_eq!(code, Some(2), "{said}");
    assert!(!said.contains("secret"), "{said}");
    there.remove().await;
    world.bridge.start().await;
    world.close().await;
}
