//! Gitter's files: what is fetched, what is refused, and what it becomes on Matrix.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Redirect},
    routing::get,
};
use futures_util::{StreamExt as _, stream};
use gitter_matrix_bridge::{
    bridge::media::upload,
    gitter::{FileClient, FileError},
};
use gitter_sandbox::Sandbox;
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

use super::{NOW, Setup};
use crate::homeserver::install_crypto;

const GIF: &[u8] = b"GIF89a\x03\0\x02\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\0\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84\x51\0;";

/// A server of files that does what it should not; where it is, as `host:port`.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let own = place.clone();
    let large = || async { vec![0_u8; 2_000] };
    let endless = || async {
        let chunks = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[0; 512])));
        Body::from_stream(chunks.take(100))
    };
    let stalling = || async {
        let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"GIF89a")) });
        Body::from_stream(first.chain(stream::pending()))
    };
    let typed = |content_type: &'static str, bytes: &'static [u8]| {
        move || async move { ([(CONTENT_TYPE, content_type)], bytes).into_response() }
    };
    let elsewhere = |to: String| move || async move { Redirect::temporary(&to).into_response() };
    let router = Router::new()
        .route("/a.gif", get(typed("image/gif", GIF)))
        .route("/lie.png", get(typed("image/png", b"<!DOCTYPE html><script>")))
        .route("/large", get(large))
        .route("/endless", get(endless))
        .route("/stalling", get(stalling))
        .route("/silent", get(std::future::pending::<()>))
        .route("/moved", get(elsewhere(format!("http://{own}/a.gif"))))
        .route("/to-loopback", get(elsewhere("http://127.0.0.1:1/".to_owned())))
        .route("/to-private", get(elsewhere("http://10.0.0.1/".to_owned())));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    place
}

fn client(place: &str) -> FileClient {
    install_crypto();
    FileClient::new(&[place.to_owned()], 1_000)
        .unwrap()
        .with_longest_pause(Duration::from_millis(300))
}

#[tokio::test]
async fn a_file_is_taken_for_what_it_is() {
    let place = server().await;
    for (path, content) in [
        (
            "a.gif",
            json!({ "msgtype": "m.image", "info": { "mimetype": "image/gif", "size": GIF.len(), "w": 3, "h": 2 } }),
        ),
        (
            "moved",
            json!({ "msgtype": "m.image", "info": { "mimetype": "image/gif", "size": GIF.len(), "w": 3, "h": 2 } }),
        ),
        (
            "lie.png",
            json!({ "msgtype": "m.file", "info": { "mimetype": "text/html", "size": 23 } }),
        ),
    ] {
        let url = Url::parse(&format!("http://{place}/{path}")).unwrap();
        let fetched = client(&place).fetch(&url).await.unwrap();
        assert_eq!(fetched.content(), content, "{path}");
    }
}

#[tokio::test]
async fn what_may_not_be_fetched_is_not() {
    let place = server().await;
    let port = place.rsplit_once(':').unwrap().1;
    for (url, transient, says) in [
        (
            format!("http://{place}/large"),
            false,
            "larger than media.max_bytes",
        ),
        (
            format!("http://{place}/endless"),
            false,
            "larger than media.max_bytes",
        ),
        (format!("http://{place}/stalling"), true, "stalled"),
        (format!("http://{place}/silent"), true, "stalled"),
        (format!("http://{place}/missing"), false, "404"),
        (
            format!("http://{place}/to-loopback"),
            false,
            "gitter.files_hosts does not list",
        ),
        (
            format!("http://{place}/to-private"),
            false,
            "gitter.files_hosts does not list",
        ),
        (
            format!("http://localhost:{port}/a.gif"),
            false,
            "gitter.files_hosts does not list",
        ),
        (
            "http://127.0.0.1/a.gif".to_owned(),
            false,
            "gitter.files_hosts does not list",
        ),
    ] {
        let error = client(&place)
            .fetch(&Url::parse(&url).unwrap())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(says), "{url}: {error}");
        assert_eq!(error.is_transient(), transient, "{url}: {error}");
    }
}

#[tokio::test]
async fn an_upload_of_the_sandbox_is_put_on_matrix_once() {
    let setup = Setup::start().await;
    let sandbox = Sandbox::start(gitter_sandbox::Settings::default()).await.unwrap();
    let control = sandbox.control();
    let room = control.state().rooms[0].id;
    let uploaded = control
        .upload("wren", room, "a.gif", "image/png", GIF.to_vec())
        .unwrap();
    let url = Url::parse(&uploaded.url).unwrap();
    let client = client(&sandbox.address().to_string());
    let bot = setup.matrix.bot();
    let one = upload(&setup.db, &setup.matrix, &client, bot, &url, "a.gif", NOW)
        .await
        .unwrap();
    let two = upload(&setup.db, &setup.matrix, &client, bot, &url, "a.gif", NOW)
        .await
        .unwrap();
    assert_eq!(one, two);
    let stored = setup.homeserver.media(one.mxc.as_str()).unwrap();
    assert_eq!(stored, ("image/gif".to_owned(), GIF.to_vec()));
    let mut content = json!({ "msgtype": "m.file", "body": "a.gif", "url": "{upload:x}" });
    one.complete(&mut content);
    assert_eq!(content["msgtype"], "m.image");
    assert_eq!(content["url"], one.mxc.as_str());
    let missing = url.join("missing").unwrap();
    let error = client.fetch(&missing).await.unwrap_err();
    assert!(matches!(error, FileError::Status(status) if status == 404));
}
