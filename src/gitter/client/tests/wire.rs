//! What goes over the socket, and what happens when the socket breaks.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{MESSAGE, client, hello, room};
use crate::gitter::{Class, GitterError};

#[tokio::test]
async fn a_body_has_a_length_and_is_not_chunked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&listener);
    let posting = tokio::spawn(async move {
        client
            .create(client.permit(Class::Live).await, &room(), &hello())
            .await
    });
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        assert_ne!(socket.read_buf(&mut bytes).await.unwrap(), 0);
    }
    let request = String::from_utf8(bytes).unwrap().to_lowercase();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("content-length: {}", body.len())),
        "{head}"
    );
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(!head.lines().next().unwrap().contains("s3cret"), "{head}");
    socket
        .write_all(
            format!("HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n{{\"id\":\"{MESSAGE}\"}}").as_bytes(),
        )
        .await
        .unwrap();
    posting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_refused_connection_was_surely_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&listener);
    drop(listener);
    let error = client
        .create(client.permit(Class::Live).await, &room(), &hello())
        .await
        .unwrap_err();
    assert!(matches!(error, GitterError::Unreachable { .. }), "{error:?}");
    assert!(!error.outcome_unknown());
}

#[tokio::test]
async fn a_cut_connection_leaves_the_outcome_open_and_nothing_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&listener);
    let posting = tokio::spawn(async move {
        client
            .create(client.permit(Class::Live).await, &room(), &hello())
            .await
    });
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        assert_ne!(socket.read_buf(&mut bytes).await.unwrap(), 0);
    }
    drop(socket);
    let error = tokio::select! {
        answer = posting => answer.unwrap().unwrap_err(),
        _ = listener.accept() => panic!("the request was sent again"),
    };
    assert!(matches!(error, GitterError::Interrupted { .. }), "{error:?}");
    assert!(error.outcome_unknown());
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_half_a_minute() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&listener);
    let posting = tokio::spawn(async move {
        client
            .create(client.permit(Class::Live).await, &room(), &hello())
            .await
    });
    let (mut socket, _) = listener.accept().await.unwrap();
    assert_ne!(socket.read(&mut [0; 16]).await.unwrap(), 0);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(!posting.is_finished());
    tokio::time::advance(Duration::from_secs(2)).await;
    let error = posting.await.unwrap().unwrap_err();
    assert!(matches!(error, GitterError::Interrupted { .. }), "{error:?}");
}
