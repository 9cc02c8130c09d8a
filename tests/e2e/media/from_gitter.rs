//! What people upload on Gitter is a file on Matrix, or where it cannot be had, the text that it was.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    body::{Body, Bytes},
    response::Redirect,
    routing::get,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use xtask::{matrix::Event, wait::until};

use super::{GIF, PDF, PNG, large};
use crate::harness::{Options, Room, World};

/// More than `media.max_bytes` of this test.
const TOO_LARGE: usize = 30 * 1024 * 1024;

/// For how long a file is tried that cannot be had at the moment, and some.
const PATIENCE: Duration = Duration::from_mins(3);

/// A server that the bridge may fetch from and should not trust, and one that it must not ask.
struct Servers {
    listed: String,
    inside: String,
    asked_inside: Arc<AtomicUsize>,
}

impl Servers {
    async fn start() -> Result<Self> {
        let (listed, inside) = (listener().await?, listener().await?);
        let place = |listener: &TcpListener| anyhow::Ok(listener.local_addr()?.to_string());
        let (listed_at, inside_at) = (place(&listed)?, place(&inside)?);
        let asked_inside = Arc::new(AtomicUsize::new(0));
        let asked = Arc::clone(&asked_inside);
        let secret = move || async move {
            asked.fetch_add(1, Ordering::SeqCst);
            "secret"
        };
        tokio::spawn(axum::serve(inside, Router::new().fallback(secret)).into_future());

        let to_inside = format!("http://{inside_at}/5f/AbCd/secret.txt");
        let to = |address: &str| {
            let redirect = Redirect::temporary(address);
            get(async move || redirect)
        };
        let unsized_chunks = async || {
            let chunk = Ok::<_, std::convert::Infallible>(Bytes::from(vec![0; 1024 * 1024]));
            Body::from_stream(stream::iter(vec![chunk; TOO_LARGE / (1024 * 1024)]))
        };
        let stalled = async || {
            let first = stream::once(async { Ok::<_, std::convert::Infallible>(Bytes::from_static(GIF)) });
            Body::from_stream(first.chain(stream::once(pending())))
        };
        let router = Router::new()
            .route("/5f/AbCd/large.bin", get(async || large(b"", TOO_LARGE)))
            .route("/5f/AbCd/unsized.bin", get(unsized_chunks))
            .route("/5f/AbCd/loopback.txt", to(&to_inside))
            .route("/5f/AbCd/private.txt", to("http://10.0.0.1/secret.txt"))
            .route("/5f/AbCd/stalled.gif", get(stalled));
        tokio::spawn(axum::serve(listed, router).into_future());
        Ok(Self {
            listed: listed_at,
            inside: inside_at,
            asked_inside,
        })
    }

    /// The text of a message that is a file.
    fn text(&self, name: &str) -> String {
        format!("[{name}](http://{}/5f/AbCd/{name})", self.listed)
    }
}

async fn listener() -> Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0").await?)
}

#[tokio::test]
async fn files_of_gitter_are_files_on_matrix_or_the_text_that_they_were() -> Result<()> {
    let servers = Servers::start().await?;
    let options = Options {
        other_files_host: Some(&servers.listed),
        max_media: Some("20MiB"),
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let (room, slow_room) = (world.link("pier").await?, world.link("slow-pier").await?);
    let wren = world.gitter.sign_in("wren").await?;
    let stalled = servers.text("stalled.gif");
    wren.say(&slow_room.gitter, &stalled).await?;

    for (name, content_type, bytes, message_type, found_type) in [
        ("boat.png", "image/png", PNG, "m.image", "image/png"),
        ("waves.gif", "image/gif", GIF, "m.image", "image/gif"),
        ("tides.pdf", "application/pdf", PDF, "m.file", "application/pdf"),
        (
            "lie.png",
            "image/png",
            b"<!DOCTYPE html><script>alert(1)</script>".as_slice(),
            "m.file",
            "text/html",
        ),
    ] {
        let file = (content_type, bytes.to_vec());
        world.gitter.upload("wren", &room.gitter, name, file).await?;
        let event = world.on_matrix(&room, name).await?;
        is_file(&world, &event, bytes, message_type, found_type)
            .await
            .context(name)?;
    }

    let elsewhere = format!("[secret.txt](http://{}/5f/AbCd/secret.txt)", servers.inside);
    let texts = [
        servers.text("large.bin"),
        servers.text("unsized.bin"),
        elsewhere,
        servers.text("loopback.txt"),
        servers.text("private.txt"),
        servers.text("missing.txt"),
    ];
    for text in &texts {
        wren.say(&room.gitter, text).await?;
    }
    for text in &texts {
        is_text(&world, &room, text).await?;
    }
    assert_eq!(servers.asked_inside.load(Ordering::SeqCst), 0);

    // All this while, the other room waited for the file that stalls.
    ensure!(world.matrix_messages(&slow_room).await?.is_empty());
    let event = until("the stalled file's text", PATIENCE, async || {
        Ok(world.matrix_messages(&slow_room).await?.pop())
    })
    .await?;
    assert_eq!(event.body(), stalled);
    world.finish().await
}

async fn is_file(
    world: &World,
    event: &Event,
    bytes: &[u8],
    message_type: &str,
    content_type: &str,
) -> Result<()> {
    let content = &event.content;
    assert_eq!(content["msgtype"], message_type);
    assert_eq!(content["filename"], event.body());
    assert_eq!(content["info"]["mimetype"], content_type);
    assert_eq!(content["info"]["size"], bytes.len());
    let size = json!([content["info"]["w"], content["info"]["h"]]);
    let expected = match content_type {
        "image/png" => json!([90, 60]),
        "image/gif" => json!([3, 2]),
        _ => json!([Value::Null, Value::Null]),
    };
    assert_eq!(size, expected);
    let mxc = content["url"].as_str().context("no url")?;
    assert_eq!(world.matrix_media(mxc).await?, bytes);
    Ok(())
}

async fn is_text(world: &World, room: &Room, text: &str) -> Result<()> {
    let event = world.on_matrix(room, text).await?;
    assert_eq!(event.content["msgtype"], "m.text", "{event:?}");
    ensure!(event.content.get("url").is_none(), "{event:?}");
    Ok(())
}
