//! Proxies that let no WebSocket through and say nothing of it: polling is tried then.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Longer than a socket may take to open, or than the wait for the next try.
const LONG: Duration = Duration::from_secs(35);

async fn listen() -> (TcpListener, Bridge) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    let settings = RealtimeSettings {
        url: format!("http://{address}/bayeux").parse().unwrap(),
        token: SecretString::from("s3cret").into(),
        rooms_per_socket: 10,
    };
    let (realtime, events) = Realtime::start(settings, stop.clone(), &tracker);
    realtime.subscribe(room("a"));
    (
        listener,
        Bridge {
            realtime,
            events,
            stop,
            tracker,
        },
    )
}

/// The next connection that sends something, and the method of its first request.
async fn request(listener: &TcpListener) -> (TcpStream, String) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).await.unwrap();
    let method = line.split(' ').next().unwrap_or_default().to_owned();
    (reader.into_inner(), method)
}

#[tokio::test]
async fn a_proxy_that_swallows_the_upgrade_is_polled_through() {
    let (listener, bridge) = listen().await;
    let (_held, method) = request(&listener).await;
    assert_eq!(method, "GET");
    skip(LONG).await;
    polls_next(&listener).await;
    drop(bridge);
}

#[tokio::test]
async fn a_proxy_that_resets_the_upgrade_is_polled_through() {
    let (listener, bridge) = listen().await;
    let (stream, method) = request(&listener).await;
    assert_eq!(method, "GET");
    // It ends with a reset rather than in order.
    stream.set_zero_linger().unwrap();
    drop(stream);
    polls_next(&listener).await;
    drop(bridge);
}

/// The next try, after its delay, polls.
async fn polls_next(listener: &TcpListener) {
    let next = request(listener);
    let (_stream, method) = time::timeout(Duration::from_secs(20), next)
        .await
        .expect("another try");
    assert_eq!(method, "POST");
}
