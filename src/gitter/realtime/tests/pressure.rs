//! A receiver that is slower than Gitter.

use super::{fake::data, *};

fn created(numbers: std::ops::RangeInclusive<usize>) -> Vec<String> {
    numbers.map(|number| format!("create a {number}")).collect()
}

#[tokio::test]
async fn pings_are_answered_while_nobody_reads_and_nothing_is_lost() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    for number in 1..=1000 {
        connection.data("a", number).await;
    }
    connection.ping().await;
    connection.data("a", 1001).await;
    assert_eq!(bridge.told(1001).await, created(1..=1001));
}

#[tokio::test]
async fn a_flood_waits_on_the_network_and_nothing_is_lost() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    let long = "x".repeat(1024 * 1024);
    let flood = tokio::spawn(async move {
        for number in 1..=48 {
            connection.send(data("a", number, &long)).await;
        }
        connection
    });
    assert_eq!(bridge.told(48).await, created(1..=48));
    flood.await.unwrap().ping().await;
}

#[tokio::test]
async fn what_waits_is_told_before_the_interruption() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    for number in 1..=100 {
        connection.data("a", number).await;
    }
    connection.ping().await;
    drop(connection);
    assert_eq!(bridge.told(100).await, created(1..=100));
    assert_eq!(bridge.told(1).await, ["interrupted a"]);
}

#[tokio::test]
async fn a_room_let_go_leaves_nothing_waiting() {
    let gitter = Gitter::start().await;
    let (mut bridge, mut connection) = Bridge::with_room(&gitter).await;
    for number in 1..=100 {
        connection.data("a", number).await;
    }
    connection.ping().await;
    bridge.realtime.unsubscribe(room("a"));
    connection.expect("/meta/unsubscribe").await;
    bridge.realtime.subscribe(room("a"));
    let mut connection = gitter.accept().await;
    connection.greet().await;
    connection.grant().await;
    let in_channel = bridge.told(CHANNEL).await;
    assert_eq!(in_channel, created(1..=CHANNEL));
    assert_eq!(bridge.told(2).await, ["connected", "subscribed a 1"]);
}
