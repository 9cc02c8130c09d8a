//! Two bridges on one PostgreSQL database, with one registration; the homeserver pushes to one of them.

use gitter_sandbox::{NewRoom, RequestEffect, RequestFault, When};
use serde_json::json;

use crate::world::{Room, World, bridge::Bridge, database::Database, until};

/// Two bridges and a linked room; `None` without PostgreSQL.
async fn two_bridges() -> Option<(World, Bridge, Room)> {
    let mut world = World::start(Database::postgres()?).await;
    let room = world.link("pier").await;
    let replica = world.start_replica().await;
    Some((world, replica, room))
}

#[tokio::test]
async fn two_bridges_carry_everything_once_and_in_order() {
    let Some((world, mut replica, room)) = two_bridges().await else {
        return;
    };
    for number in 0..5 {
        world.both_say(&room, &format!("round {number}"), 20);
        // It may push to either.
        let target = if number % 2 == 0 { &replica } else { &world.bridge };
        world.homeserver.set_appservice(target.appservice());
    }
    world.crossed().await;
    replica.stop().await;
    world.homeserver.set_appservice(world.bridge.appservice());
    world.finish().await;
}

#[tokio::test]
async fn when_one_bridge_is_killed_the_other_takes_over() {
    let Some((mut world, mut replica, room)) = two_bridges().await else {
        return;
    };
    world.posts_suffer(&room, RequestEffect::LatencyMs(300), When::After, 20);
    world.both_say(&room, "before", 40);
    world.arrives_on_gitter(&room, "before 2 of ana").await;
    world.bridge.kill().await;
    world.both_say(&room, "after", 20);
    world.homeserver.set_appservice(replica.appservice());
    // From here on the world's bridge is the one that is left.
    std::mem::swap(&mut world.bridge, &mut replica);
    world.finish().await;
}

#[tokio::test]
async fn a_bridge_killed_while_it_catches_up_holds_nothing_up() {
    let Some(mut world) = start_on_postgresql().await else {
        return;
    };
    let room = world.link("pier").await;
    world.both_say(&room, "before", 2);
    world.crossed().await;
    // The second bridge has to list messages, and gets no answer.
    world
        .gitter
        .add_fault(gitter_sandbox::Fault::EmptySnapshots(true));
    world
        .gitter
        .add_fault(gitter_sandbox::Fault::Request(RequestFault {
            effect: RequestEffect::LatencyMs(20_000),
            when: When::Before,
            times: 1,
            method: Some("GET".to_owned()),
            path: "/chatMessages".to_owned(),
        }));
    let mut replica = world.start_replica().await;
    until("it to catch up", async || {
        let (_, portal) = world.admin().portal(room.matrix.as_str()).await;
        Ok((portal["state"] == "catching_up").then_some(()))
    })
    .await;
    replica.kill().await;
    world.gitter.clear_faults();
    world
        .gitter
        .add_fault(gitter_sandbox::Fault::EmptySnapshots(false));
    world.both_say(&room, "after", 2);
    world.finish().await;
}

#[tokio::test]
async fn a_room_linked_by_one_bridge_is_followed_by_the_other() {
    let Some((mut world, mut replica, _)) = two_bridges().await else {
        return;
    };
    let cove = world.link("cove").await;
    world.both_say(&cove, "before", 2);
    world.crossed().await;
    world.homeserver.set_appservice(replica.appservice());
    world.bridge.kill().await;
    std::mem::swap(&mut world.bridge, &mut replica);
    world.both_say(&cove, "after", 2);
    world.finish().await;
}

#[tokio::test]
async fn a_dry_run_of_one_bridge_makes_no_room_on_the_other() {
    let Some((world, mut replica, _room)) = two_bridges().await else {
        return;
    };
    let id = world.gitter.add_room(&NewRoom::public("tidepool/quay")).unwrap();
    world.homeserver.set_appservice(replica.appservice());
    let body = json!({ "gitter_uri": "tidepool/quay", "dry_run": true });
    let (status, checks) = world.admin().post_room(&body).await;
    assert_eq!(status, 200, "{checks}");
    let alias = format!("#gitter_{id}:localhost");
    assert_eq!(world.homeserver.room_of(&alias), None);
    // People may join by it at once.
    let joined = world.homeserver.join_alias(&alias, &world.ana).await;
    assert!(joined.is_ok(), "{joined:?}");
    replica.stop().await;
}

#[tokio::test]
async fn a_room_unlinked_by_one_bridge_is_let_go_by_the_other() {
    let Some((world, mut replica, room)) = two_bridges().await else {
        return;
    };
    let (status, _) = world.admin().unlink(room.matrix.as_str()).await;
    assert_eq!(status, 204);
    until("the other to let it go", async || {
        let log = replica.whole_log();
        Ok(log.contains("A room was unlinked or is private").then_some(()))
    })
    .await;
    world.wren_says(&room, "unheard");
    replica.stop().await;
    assert!(world.messages_on_matrix(&room).is_empty());
    world.close().await;
}

async fn start_on_postgresql() -> Option<World> {
    Some(World::start(Database::postgres()?).await)
}
