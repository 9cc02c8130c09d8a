//! What people upload on Matrix opens for readers of Gitter's page, until it is taken back.

use aes::Aes256;
use anyhow::{Context as _, Result, ensure};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use xtask::{matrix::MatrixUser, wait::until};

use super::{GIF, PDF, PNG, digest, large};
use crate::{
    browser,
    harness::{CROSSING_LIMIT, Options, Room, World},
    node::Node,
};

/// What is meant to be in the page under this name, and what a click on it does.
struct File {
    name: &'static str,
    message_type: &'static str,
    content_type: &'static str,
    opened: &'static str,
    bytes: Vec<u8>,
    is_encrypted: bool,
}

/// A link, as a browser without a login sees it.
#[derive(Debug, Deserialize)]
struct Followed {
    href: String,
    name: String,
    /// `img`, `video`, `page` or `saved`.
    opened: String,
    status: u16,
    words: String,
    saved: String,
    sha256: String,
}

fn files() -> Vec<File> {
    let file = |name, message_type, content_type, opened, bytes| File {
        name,
        message_type,
        content_type,
        opened,
        bytes,
        is_encrypted: false,
    };
    vec![
        file("boat.png", "m.image", "image/png", "img", PNG.to_vec()),
        file("waves.gif", "m.image", "image/gif", "img", GIF.to_vec()),
        file("tides.pdf", "m.file", "application/pdf", "saved", PDF.to_vec()),
        file(
            "crossing.mp4",
            "m.video",
            "video/mp4",
            "video",
            large(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", 40 * 1024 * 1024),
        ),
        file(
            "a](b) ..\\\u{fc}.txt",
            "m.file",
            "text/plain",
            "page",
            b"two oars".to_vec(),
        ),
        File {
            is_encrypted: true,
            ..file("hidden.png", "m.image", "image/png", "img", PNG.to_vec())
        },
    ]
}

#[tokio::test]
async fn files_of_matrix_open_without_a_login_until_they_are_redacted() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let files = files();
    let mut events = Vec::new();
    for file in &files {
        let content = uploaded(&ana, file).await?;
        events.push(ana.send_new(&room.matrix, content).await?);
    }
    world.settled().await?;

    let mut script = browser::script(&node, &world, "media_links.js").await?;
    script
        .env("ROOM_URI", "tidepool/pier")
        .env("COUNT", files.len().to_string());
    let opened: Vec<Followed> = browser::result(script).await?;
    ensure!(opened.len() == files.len(), "{opened:#?}");
    for (file, link) in files.iter().zip(&opened) {
        assert_eq!(link.name, file.name);
        assert_eq!(
            (link.status, link.opened.as_str()),
            (200, file.opened),
            "{link:?}"
        );
        assert_eq!(link.sha256, digest(&file.bytes), "{}", file.name);
        if file.opened == "saved" {
            assert_eq!(link.saved, file.name);
        }
    }
    take_back(&world, &room, &ana, &events).await?;

    let links: Vec<&str> = opened.iter().map(|link| link.href.as_str()).collect();
    let mut script = browser::script(&node, &world, "media_links.js").await?;
    script.env("LINKS", serde_json::to_string(&links)?);
    let gone: Vec<Followed> = browser::result(script).await?;
    ensure!(gone.len() == files.len(), "{gone:#?}");
    for link in &gone {
        assert_eq!(link.status, 410, "{link:?}");
        ensure!(link.words.contains("has been taken back"), "{link:?}");
    }
    world.finish().await
}

/// Uploads a file as a client does, and gives the content of the message with it.
async fn uploaded(ana: &MatrixUser, file: &File) -> Result<Value> {
    let mut content = json!({
        "msgtype": file.message_type,
        "body": file.name,
        "info": { "mimetype": file.content_type, "size": file.bytes.len() },
    });
    if !file.is_encrypted {
        let mxc = ana.upload(file.content_type, file.bytes.clone()).await?;
        content["url"] = mxc.into();
        return Ok(content);
    }
    let (key, iv) = ([7_u8; 32], [9_u8; 16]);
    let mut bytes = file.bytes.clone();
    Ctr128BE::<Aes256>::new(&key.into(), &iv.into()).apply_keystream(&mut bytes);
    let mxc = ana.upload("application/octet-stream", bytes.clone()).await?;
    content["file"] = json!({
        "url": mxc,
        "v": "v2",
        "iv": STANDARD_NO_PAD.encode(iv),
        "key": { "alg": "A256CTR", "ext": true, "k": URL_SAFE_NO_PAD.encode(key), "key_ops": ["encrypt", "decrypt"], "kty": "oct" },
        "hashes": { "sha256": STANDARD_NO_PAD.encode(Sha256::digest(&bytes)) },
    });
    Ok(content)
}

/// Redacts all, and waits until Gitter shows none.
async fn take_back(world: &World, room: &Room, ana: &MatrixUser, events: &[String]) -> Result<()> {
    for event in events {
        ana.redact(&room.matrix, event).await?;
    }
    until("the messages to be gone", CROSSING_LIMIT, async || {
        let left = world.gitter.messages(&room.gitter).await?;
        Ok(left.is_empty().then_some(()))
    })
    .await
    .context("redactions")
}
