//! Gitter's realtime channel fails in every way it has: what was missed is fetched, and the order kept.

use gitter_sandbox::{Fault, FrameEffect, RequestEffect, RequestFault, When};

use crate::world::{
    Room, World,
    database::{Database, on_both_databases},
};

on_both_databases![
    what_is_said_while_the_socket_is_cut_crosses_in_order,
    what_is_said_while_gitter_has_forgotten_the_client_crosses_in_order,
    a_number_left_out_loses_nothing,
    a_lost_frame_is_made_up_for,
    a_late_frame_keeps_its_place,
    a_second_gap_soon_after_the_first_is_made_up_for,
    a_frame_that_comes_twice_crosses_once,
    empty_snapshots_of_a_server_in_trouble_hide_nothing,
    more_messages_than_a_snapshot_holds_are_fetched_page_by_page,
    what_is_said_on_both_sides_while_the_bridge_is_down_crosses_in_order,
    where_no_websocket_gets_through_polling_loses_nothing,
];

async fn what_is_said_while_the_socket_is_cut_crosses_in_order(database: Database) {
    let (world, room) = talking(database).await;
    world.gitter.add_fault(Fault::CutSockets);
    world.both_say(&room, "after the cut", 10);
    world.finish().await;
}

async fn what_is_said_while_gitter_has_forgotten_the_client_crosses_in_order(database: Database) {
    let (mut world, room) = talking(database).await;
    world.gitter.add_fault(Fault::ForgetClients);
    world.both_say(&room, "unheard", 10);
    // The bridge learns of it by its next request.
    world.link("cove").await;
    world.finish().await;
}

async fn a_number_left_out_loses_nothing(database: Database) {
    frames(database, FrameEffect::SkipNumber).await;
}

async fn a_lost_frame_is_made_up_for(database: Database) {
    frames(database, FrameEffect::Drop).await;
}

async fn a_late_frame_keeps_its_place(database: Database) {
    frames(database, FrameEffect::DelayMs(300)).await;
}

async fn a_frame_that_comes_twice_crosses_once(database: Database) {
    frames(database, FrameEffect::Double).await;
}

/// Something happens to the first frame of some.
async fn frames(database: Database, effect: FrameEffect) {
    let (world, room) = talking(database).await;
    world.frames_suffer(&room, effect, 1);
    for number in 0..10 {
        world.wren_says(&room, &format!("message {number}"));
    }
    world.finish().await;
}

/// Gitter must not be asked for a new client more than every five minutes (gitter-api 7.4): what is missed
/// in between comes without one, and long before.
async fn a_second_gap_soon_after_the_first_is_made_up_for(database: Database) {
    let (world, room) = talking(database).await;
    for gap in ["first", "second", "third"] {
        world.frames_suffer(&room, FrameEffect::Drop, 1);
        world.both_say(&room, gap, 5);
        world.crossed().await;
    }
    world.finish().await;
}

async fn empty_snapshots_of_a_server_in_trouble_hide_nothing(database: Database) {
    let (mut world, room) = talking(database).await;
    world.bridge.stop().await;
    world.gitter.add_fault(Fault::EmptySnapshots(true));
    world.both_say(&room, "unheard", 20);
    world.bridge.start().await;
    world.crossed().await;
    world.gitter.add_fault(Fault::EmptySnapshots(false));
    world.finish().await;
}

async fn more_messages_than_a_snapshot_holds_are_fetched_page_by_page(database: Database) {
    let (mut world, room) = talking(database).await;
    world.bridge.kill().await;
    for number in 0..230 {
        world.wren_says(&room, &format!("message {number}"));
    }
    world.bridge.start().await;
    // Said while those are fetched, and to come behind them.
    world.wren_says(&room, "Finally.");
    world.finish().await;
}

async fn what_is_said_on_both_sides_while_the_bridge_is_down_crosses_in_order(database: Database) {
    let (mut world, room) = talking(database).await;
    world.bridge.stop().await;
    world.both_say(&room, "unheard", 50);
    world.bridge.start().await;
    world.both_say(&room, "heard", 5);
    world.finish().await;
}

/// As behind a proxy that refuses to upgrade: everything goes by long-polling, and is as safe.
async fn where_no_websocket_gets_through_polling_loses_nothing(database: Database) {
    let (mut world, room) = talking(database).await;
    world.bridge.stop().await;
    world.gitter.add_fault(Fault::Request(RequestFault {
        effect: RequestEffect::Status(426),
        when: When::Before,
        times: u32::MAX,
        method: Some("GET".to_owned()),
        path: "/bayeux".to_owned(),
    }));
    world.both_say(&room, "while it was down", 5);
    world.bridge.start().await;
    world.crossed().await;
    for number in 0..4 {
        world.wren_says(&room, &format!("message {number}"));
        world.arrives_on_matrix(&room, &format!("message {number}")).await;
    }
    world.gitter.add_fault(Fault::CutSockets);
    world.both_say(&room, "after the cut", 10);
    world.crossed().await;
    world.gitter.add_fault(Fault::ForgetClients);
    world.both_say(&room, "after it was forgotten", 10);
    world.link("cove").await;
    world.crossed().await;
    world.frames_suffer(&room, FrameEffect::Drop, 1);
    world.both_say(&room, "with a gap", 10);
    world.finish().await;
}

/// A world with a room in which things have crossed.
async fn talking(database: Database) -> (World, Room) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.both_say(&room, "before", 2);
    world.crossed().await;
    (world, room)
}
