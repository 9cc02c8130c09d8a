//! A disk that fills up.

use std::{env, fs::File, io::Write as _, path::Path};

use crate::world::{Options, World, database::Database, until};

/// Names a folder on a small disk of its own.
const SMALL_DISK: &str = "SMALL_DISK";

/// Nothing that was said while SQLite's disk was full is lost.
#[tokio::test]
#[ignore = "needs a small disk of its own, which SMALL_DISK names; docs/reliability.md says how"]
async fn a_disk_that_fills_up_and_is_freed_again_loses_nothing() {
    let disk = env::var_os(SMALL_DISK).expect("SMALL_DISK names a folder on a small disk");
    let disk = Path::new(&disk);
    // What a run before left is no database of this one.
    for left in ["bridge.db", "bridge.db-wal", "bridge.db-shm", "filler"] {
        std::fs::remove_file(disk.join(left)).ok();
    }
    let options = Options {
        database_folder: Some(disk.to_owned()),
        ..Options::default()
    };
    let mut world = World::with(Database::Sqlite, options).await;
    let room = world.link("pier").await;
    for round in 0..3 {
        let filler = disk.join("filler");
        world.both_say(&room, &format!("round {round}, while it fills up,"), 20);
        fill(&filler);
        let refusals = || {
            world
                .bridge
                .whole_log()
                .matches("A transaction could not be stored")
                .count()
        };
        let (before, mut said) = (refusals(), 0);
        // What SQLite has of the disk already it may write to for a while.
        until("the disk to be full", async || {
            said += 1;
            world.both_say(&room, &format!("round {round}, while it is full, {said}:"), 10);
            Ok((refusals() > before).then_some(()))
        })
        .await;
        std::fs::remove_file(&filler).unwrap();
        world.crossed().await;
    }
    world.finish().await;
}

/// Writes until no space is left.
fn fill(file: &Path) {
    let mut file = File::create(file).unwrap();
    for size in [64 * 1024, 4 * 1024, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
