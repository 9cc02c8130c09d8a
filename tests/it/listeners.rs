//! Many connections at one listener: they end there, and the other one answers.

use std::time::Duration;

use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use url::Url;

use crate::world::{
    World,
    admin::answer,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    idle_connections_of_one_listener_stop_neither,
    what_a_listener_refuses_is_in_matrix_s_form,
];

/// More than a listener takes, and than a process may have files open by default.
const MANY: usize = 1100;

async fn connect(address: &Url) -> TcpStream {
    let address = (address.host_str().unwrap(), address.port().unwrap());
    TcpStream::connect(address).await.unwrap()
}

async fn idle_connections_of_one_listener_stop_neither(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let mut idle = Vec::new();
    for _ in 0..MANY {
        idle.push(connect(world.bridge.appservice()).await);
    }
    until("the listener to say that it is full", async || {
        let log = world.bridge.whole_log();
        Ok(log
            .contains("All connections of a listener are in use")
            .then_some(()))
    })
    .await;
    // The admin listener is not the one that is full.
    timeout(Duration::from_secs(5), world.admin().portals())
        .await
        .expect("the admin listener answers at once")
        .unwrap();
    // And what the homeserver has to say finds a place behind them.
    world.both_say(&room, "meanwhile", 3);
    world.crossed().await;
    for stream in &mut idle {
        let closed = timeout(Duration::from_mins(1), stream.read(&mut [0])).await;
        assert!(closed.is_ok(), "a connection that says nothing is kept");
    }
    world.finish().await;
}

async fn what_a_listener_refuses_is_in_matrix_s_form(database: Database) {
    let world = World::start(database).await;
    for (path, status) in [("items/%FF", 400), ("nowhere", 404), ("doctor", 405)] {
        let request = world.admin().authorized(Method::DELETE, path);
        let (got, body) = answer(request).await.unwrap();
        assert_eq!(got, status, "{body}");
        assert!(body["errcode"].is_string() && body["error"].is_string(), "{body}");
    }
    let mut stream = connect(world.bridge.appservice()).await;
    let asked = "PATCH /_matrix/app/v1/ping HTTP/1.1\r\nx-request-id: from-it\r\nconnection: close\r\n\r\n";
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 4"), "{told}");
    assert!(told.contains("x-request-id: from-it"), "{told}");
    assert!(told.contains(r#""errcode":"M_"#), "{told}");
    world.finish().await;
}
