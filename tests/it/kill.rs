//! SIGKILL in the middle of work: after a restart everything is there, once and in order.

use std::time::Duration;

use gitter_sandbox::{RequestEffect, When};

use crate::{
    homeserver::{Effect, Stage},
    world::{
        Options, World,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    killed_five_times_with_a_hundred_messages_waiting_it_loses_and_doubles_nothing,
    killed_again_and_again_among_messages_it_loses_and_doubles_nothing,
    killed_with_a_homeserver_without_devices_it_loses_and_doubles_nothing,
    killed_in_a_burst_it_loses_and_doubles_nothing,
];

/// How many messages wait on each side when the bridge is killed.
const WAITING: usize = 100;

/// Long enough to be killed in. Gitter carries out what it took in even so, late; the homeserver does not.
const LATE: Duration = Duration::from_secs(2);

/// One round: a request in each direction is under way, before or after it has its effect, and everything
/// else waits behind.
async fn kill_in_flight(world: &mut World, name: &str, arrived: bool) {
    let room = world.link(name).await;
    let milliseconds = u64::try_from(LATE.as_millis()).unwrap();
    let (when, stage) = if arrived {
        (When::After, Stage::After)
    } else {
        (When::Before, Stage::Before)
    };
    world.posts_suffer(&room, RequestEffect::LatencyMs(milliseconds), when, 1);
    world.sends_suffer(Effect::Latency(LATE), stage, 1);
    world.both_say(&room, name, WAITING);
    world.in_flight(&room, 2).await;
    if arrived {
        world.arrives_on_gitter(&room, &format!("{name} 0 of ana")).await;
        world.arrives_on_matrix(&room, &format!("{name} 0 of wren")).await;
    }
    world.bridge.kill().await;
    world.bridge.start().await;
}

async fn killed_five_times_with_a_hundred_messages_waiting_it_loses_and_doubles_nothing(database: Database) {
    let mut world = World::start(database).await;
    for round in 1..=5 {
        kill_in_flight(&mut world, &format!("round-{round}"), round % 2 == 0).await;
        world.crossed().await;
    }
    world.finish().await;
}

/// Without a durable memory of the homeserver's, what was under way is found by its marker.
async fn killed_with_a_homeserver_without_devices_it_loses_and_doubles_nothing(database: Database) {
    let options = Options {
        devices: false,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    for round in 1..=2 {
        kill_in_flight(&mut world, &format!("round-{round}"), round % 2 == 0).await;
        world.homeserver.restart().await;
        world.crossed().await;
    }
    world.finish().await;
}

/// Killed wherever it happens to be, sooner after the start each time.
async fn killed_again_and_again_among_messages_it_loses_and_doubles_nothing(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    for round in 0..6_usize {
        world.both_say(&room, &format!("round {round}"), 20);
        let more = world.gitter.messages(room.gitter).len() + 10 - round;
        until("some to cross", async || {
            Ok((world.gitter.messages(room.gitter).len() >= more).then_some(()))
        })
        .await;
        world.bridge.kill().await;
        world.bridge.start().await;
    }
    world.finish().await;
}

/// Killed 0.1 s after 1,200 messages were said at once.
async fn killed_in_a_burst_it_loses_and_doubles_nothing(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    for number in 0..1_200 {
        world.ana_says(&room, &format!("burst {number}"));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.bridge.kill().await;
    world.bridge.start().await;
    world.finish().await;
}
