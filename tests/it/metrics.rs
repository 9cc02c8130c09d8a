//! What monitoring sees.

use std::collections::BTreeSet;

use gitter_matrix_bridge::metrics::METRICS;
use gitter_sandbox::{FrameEffect, RequestEffect, When};
use regex::Regex;

use crate::world::{
    Options, World,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    what_crosses_waits_and_fails_is_measured,
    all_that_is_declared_is_measured_and_nothing_else,
    troubles_are_counted,
];

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
            r#"gitter_bridge_delivery_seconds_count{direction="to_gitter"} 2"#,
            r#"gitter_bridge_delivery_seconds_count{direction="to_matrix"} 2"#,
            r#"gitter_bridge_requests_total{side="gitter",endpoint="create message",result="ok"} 2"#,
            r#"gitter_bridge_requests_total{side="matrix",endpoint="send",result="ok"} 2"#,
            r#"gitter_bridge_realtime_sockets{state="up"} 1"#,
            r#"gitter_bridge_realtime_sockets{state="down"} 0"#,
            r#"gitter_bridge_catch_ups_total{result="done"} 1"#,
            r#"gitter_bridge_lanes_waiting{direction="to_gitter"} 0"#,
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
            r#"gitter_bridge_lanes_waiting{direction="to_gitter"} 1"#,
            r#"gitter_bridge_deepest_lane_items{direction="to_gitter"} 2"#,
            r#"gitter_bridge_requests_total{side="gitter",endpoint="create message",result="refused"} 1"#,
            r#"gitter_bridge_requests_total{side="gitter",endpoint="create message",result="failed"} 1"#,
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

async fn all_that_is_declared_is_measured_and_nothing_else(database: Database) {
    let options = Options {
        rate_limit: 100,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    world.both_say(&room, "message", 1);
    world.crossed().await;
    let lines = world.admin().metrics().await.unwrap();
    let types = lines.iter().filter_map(|line| line.strip_prefix("# TYPE "));
    let found: BTreeSet<String> = types.map(str::to_owned).collect();
    let declared = METRICS
        .iter()
        .map(|metric| format!("{} {}", metric.name, metric.kind.as_str()));
    assert_eq!(found, declared.collect::<BTreeSet<_>>());

    let label = Regex::new(r#"([a-z_]+)="([^"]*)""#).unwrap();
    for line in lines
        .iter()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let metric = METRICS.iter().filter(|metric| line.starts_with(metric.name));
        let metric = metric.max_by_key(|metric| metric.name.len()).unwrap();
        for pair in label.captures_iter(line) {
            let (name, value) = (&pair[1], &pair[2]);
            assert!(
                metric.labels.contains(&name) || ["le", "quantile"].contains(&name),
                "{line}"
            );
            let is_word = value
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"_ ".contains(&byte));
            assert!(is_word || ["le", "quantile", "version"].contains(&name), "{line}");
        }
    }
    world.finish().await;
}

async fn troubles_are_counted(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("quay").await;
    // It arrives and nobody says so.
    world.posts_suffer(&room, RequestEffect::Status(500), When::After, 1);
    world.ana_says(&room, "did it arrive?");
    world.crossed().await;
    // It does not arrive.
    world.posts_suffer(&room, RequestEffect::Status(500), When::Before, 1);
    world.ana_says(&room, "it did not");
    world.crossed().await;
    world.frames_suffer(&room, FrameEffect::Drop, 1);
    world.wren_says(&room, "lost on the way");
    world.wren_says(&room, "and noticed");
    world.crossed().await;
    measured(
        &world,
        &[
            r#"gitter_bridge_attempts_recovered_total{direction="to_gitter",result="found"} 1"#,
            r#"gitter_bridge_attempts_recovered_total{direction="to_gitter",result="sent_again"} 1"#,
            "gitter_bridge_realtime_gaps_total 1",
        ],
    )
    .await;
    world.finish().await;
}
