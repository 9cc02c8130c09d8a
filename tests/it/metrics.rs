//! What monitoring sees.

use gitter_sandbox::{RequestEffect, When};

use crate::world::{
    World,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![what_crosses_waits_and_fails_is_measured];

/// Waits until all these lines are among the metrics.
async fn measured(world: &World, expected: &[&str]) {
    until(&format!("{expected:?}"), async || {
        let found = world.admin().metrics().await?;
        let is_there = |line: &&str| found.iter().any(|found| found == line);
        if expected.iter().all(is_there) {
            return Ok(Some(()));
        }
        anyhow::bail!("{}", found.join("\n"))
    })
    .await;
}

async fn what_crosses_waits_and_fails_is_measured(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "message", 2);
    world.crossed().await;
    measured(
        &world,
        &[
            r#"gitter_bridge_items_total{direction="to_gitter",outcome="bridged",reason=""} 2"#,
            r#"gitter_bridge_items_total{direction="to_matrix",outcome="bridged",reason=""} 2"#,
            r#"gitter_bridge_items_total{direction="to_matrix",outcome="skipped",reason="own_echo"} 2"#,
            r#"gitter_bridge_items_waiting{direction="to_gitter"} 0"#,
            r#"gitter_bridge_oldest_waiting_age_seconds{direction="to_gitter"} 0"#,
            r#"gitter_bridge_portals{state="active"} 1"#,
            r#"gitter_bridge_portals{state="broken"} 0"#,
        ],
    )
    .await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    world.posts_suffer(&room, RequestEffect::Status(500), When::Before, 1);
    world.ana_says(&room, "one");
    world.ana_says(&room, "two");
    world.ana_says(&room, "three");
    measured(
        &world,
        &[
            r#"gitter_bridge_items_total{direction="to_gitter",outcome="failed",reason="forbidden"} 1"#,
            r#"gitter_bridge_items_failed{direction="to_gitter"} 1"#,
            r#"gitter_bridge_items_waiting{direction="to_gitter"} 2"#,
        ],
    )
    .await;
    let metrics = world.admin().metrics().await.unwrap().join("\n");
    let no_age = r#"gitter_bridge_oldest_waiting_age_seconds{direction="to_gitter"} 0"#;
    assert!(!metrics.lines().any(|line| line == no_age), "{metrics}");
    for id in [
        room.gitter.to_string(),
        room.matrix.to_string(),
        world.ana.to_string(),
    ] {
        assert!(!metrics.contains(&id), "{id} in {metrics}");
    }
    world.close().await;
}
