//! The bridge dies after each step of both flows, and after a restart everything is there, once. And tests that can
//! fail: without what the promise rests on, they do.

use futures_util::{StreamExt as _, stream};
use gitter_sandbox::ObjectId;
use ruma::OwnedEventId;

use crate::world::{
    Room, World,
    database::{Database, on_both_databases},
    id_of, until,
};

on_both_databases![
    whatever_step_to_gitter_it_dies_after_nothing_is_lost_or_doubled,
    whatever_step_to_matrix_it_dies_after_nothing_is_lost_or_doubled,
    without_the_look_for_what_arrived_messages_are_doubled,
    with_an_answer_before_the_commit_messages_are_lost,
];

/// How many worlds there are at a time; most of them only wait.
const AT_ONCE: usize = 6;

/// Steps of which one may be for all.
const STEPS_TOGETHER: [&str; 3] = ["taken", "accepted", "claimed"];

/// Steps that each message, change and deletion goes through by itself.
const STEPS: [&str; 6] = ["translated", "frozen", "opened", "answered", "settled", "arrived"];

/// Steps that only some go through.
const STEPS_OF_DELETIONS: [&str; 1] = ["deletion_noted"];
const STEPS_OF_GHOSTS: [&str; 4] = ["registered", "shown", "device_made", "joined"];

/// How many times a step is passed before the bridge dies there: a message, its change and a deletion are three.
const PASSED: [usize; 3] = [0, 1, 2];

async fn whatever_step_to_gitter_it_dies_after_nothing_is_lost_or_doubled(database: Database) {
    die_everywhere(database, "to_gitter", &STEPS_OF_DELETIONS).await;
}

async fn whatever_step_to_matrix_it_dies_after_nothing_is_lost_or_doubled(database: Database) {
    die_everywhere(database, "to_matrix", &STEPS_OF_GHOSTS).await;
}

async fn die_everywhere(database: Database, direction: &str, steps_of_some: &[&str]) {
    let each = STEPS
        .iter()
        .flat_map(|step| PASSED.map(|passed| format!("{direction}.{step}={passed}*off->return")));
    let some = STEPS_TOGETHER
        .iter()
        .chain(steps_of_some)
        .map(|step| format!("{direction}.{step}=return"));
    let points: Vec<String> = each.chain(some).collect();
    stream::iter(points)
        .for_each_concurrent(AT_ONCE, |point| async move { die_at(database, &point).await })
        .await;
}

/// What crossed before the bridge dies.
struct Before {
    changed_on_matrix: OwnedEventId,
    gone_on_matrix: OwnedEventId,
    changed_on_gitter: ObjectId,
    gone_on_gitter: ObjectId,
}

async fn die_at(database: Database, point: &str) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let before = begin(&world, &room).await;
    world.bridge.stop().await;
    world.bridge.launch_to_fail(point);
    world.bridge.wait_until_ready().await;
    go_on(&world, &room, &before);
    world.bridge.dies(point).await;
    world.bridge.start().await;
    is_whole(&world, &room, point).await;
    world.drained().await;
    assert_eq!(
        differences(&world, &room),
        "",
        "after everything was settled, {point}"
    );
    world.close().await;
}

async fn begin(world: &World, room: &Room) -> Before {
    let changed_on_matrix = world.ana_says(room, "first of ana");
    let gone_on_matrix = world.ana_says(room, "gone of ana");
    let changed_on_gitter = world.wren_says(room, "first of wren");
    let gone_on_gitter = world.wren_says(room, "gone of wren");
    world.crossed().await;
    Before {
        changed_on_matrix,
        gone_on_matrix,
        changed_on_gitter,
        gone_on_gitter,
    }
}

/// A message, a change and a deletion on each side, in an order that does not fold; Kelp's ghost is new.
fn go_on(world: &World, room: &Room, before: &Before) {
    world.ana_edits(room, &before.changed_on_matrix, "changed of ana");
    world.ana_says(room, "last of ana");
    world
        .homeserver
        .redact(&room.matrix, &world.ana, &before.gone_on_matrix);
    world.gitter.post("kelp", room.gitter, "last of kelp").unwrap();
    world
        .gitter
        .edit("wren", room.gitter, before.changed_on_gitter, "changed of wren")
        .unwrap();
    world
        .gitter
        .delete("wren", room.gitter, before.gone_on_gitter)
        .unwrap();
}

async fn is_whole(world: &World, room: &Room, point: &str) {
    until(
        &format!("all to be there after {point}"),
        async || match differences(world, room) {
            differences if differences.is_empty() => Ok(Some(())),
            differences => anyhow::bail!("{differences}"),
        },
    )
    .await;
}

/// How the rooms differ from what was said.
fn differences(world: &World, room: &Room) -> String {
    let messages = world.gitter.messages(room.gitter);
    let bridged = messages
        .iter()
        .filter(|message| message.virtual_user.is_some())
        .map(|message| message.text.as_str());
    let bridged: Vec<&str> = bridged.collect();
    let events = world.messages_on_matrix(room);
    let of_ghosts: Vec<&str> = events
        .iter()
        .filter(|event| event["sender"] != world.ana.as_str())
        .filter_map(|event| event["content"]["body"].as_str())
        .collect();
    let edits = world.edits_on_matrix(room);
    let edits: Vec<&str> = edits
        .iter()
        .filter(|event| event["sender"] != world.ana.as_str())
        .filter_map(|event| event["content"]["m.new_content"]["body"].as_str())
        .collect();
    let kept = |event: &&serde_json::Value| !world.is_redacted(room, &id_of(event));
    let of_ana = events
        .iter()
        .filter(|event| event["sender"] == world.ana.as_str())
        .filter(kept)
        .count();
    let found = (bridged, of_ghosts, edits, of_ana);
    let expected = (
        vec!["changed of ana", "last of ana"],
        vec!["first of wren", "last of kelp"],
        vec!["changed of wren"],
        2,
    );
    if found == expected {
        String::new()
    } else {
        format!("{found:?} instead of {expected:?}")
    }
}

/// Says something, and lets the bridge die once Gitter has it and before that is noted.
async fn die_with_an_answer(world: &mut World, room: &Room, failpoints: &str) {
    world.bridge.stop().await;
    world.bridge.launch_to_fail(failpoints);
    world.bridge.wait_until_ready().await;
    world.ana_says(room, "once");
}

async fn without_the_look_for_what_arrived_messages_are_doubled(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    die_with_an_answer(&mut world, &room, "to_gitter.answered=return").await;
    world.bridge.dies("the step").await;
    world.bridge.launch_to_fail("without_recovery=return");
    world.bridge.wait_until_ready().await;
    until("the message to be there twice", async || {
        let messages = world.gitter.messages(room.gitter);
        let count = messages.iter().filter(|message| message.text == "once").count();
        Ok((count == 2).then_some(()))
    })
    .await;
    world.close().await;
}

async fn with_an_answer_before_the_commit_messages_are_lost(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    die_with_an_answer(&mut world, &room, "answer_first=return;to_gitter.taken=return").await;
    world.bridge.dies("the step").await;
    world.bridge.start().await;
    world.ana_says(&room, "after");
    world.arrives_on_gitter(&room, "after").await;
    world.drained().await;
    let messages = world.gitter.messages(room.gitter);
    assert!(
        messages.iter().all(|message| message.text != "once"),
        "{messages:?}"
    );
    world.close().await;
}
