//! What becomes of linked rooms: upgraded, encrypted, private, left by the bot and entered again.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::{bridge::BOT, wait::until};

use crate::harness::{CROSSING_LIMIT, Options, Room, World};

/// Waits until the only portal is in a state, and gives it.
async fn becomes(world: &World, state: &str) -> Result<Value> {
    until(&format!("the portal to be {state}"), CROSSING_LIMIT, async || {
        let portals = world.bridge.rooms().await?;
        let portal = portals.pointer("/rooms/0").context("no portal")?;
        if portal["state"] == state {
            return Ok(Some(portal.clone()));
        }
        anyhow::bail!("{portal}")
    })
    .await
}

/// Waits until the bot has said something with this in it.
async fn bot_says(world: &World, room: &Room, part: &str) -> Result<()> {
    until(&format!("the bot to say {part:?}"), CROSSING_LIMIT, async || {
        let messages = world.matrix_messages(room).await?;
        let said = |event: &xtask::matrix::Event| event.sender == BOT && event.body().contains(part);
        Ok(messages.iter().any(said).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_portal_follows_its_room_from_version_10_to_12_and_on() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let first = world.host().create_room_of("10", "pier", BOT).await?;
    ensure!(first.contains(':'), "{first} is of version 10");
    let mut room = world.link_with("pier", first).await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;
    let root = wren.say(&room.gitter, "Who is in?").await?;
    world.on_matrix(&room, "Who is in?").await?;

    for step in ["first", "second"] {
        let old = room.clone();
        room.matrix = world.host().upgrade(&old.matrix, "12").await?;
        ensure!(!room.matrix.contains(':'), "{} is of version 12", room.matrix);
        // Right behind the tombstone.
        wren.say(&room.gitter, &format!("the {step} upgrade")).await?;
        world.on_matrix(&room, &format!("the {step} upgrade")).await?;
        bot_says(&world, &room, "from here on").await?;
        ana.join(&room.matrix).await?;
        ana.say(&room.matrix, &format!("here after the {step}")).await?;
        world.on_gitter(&room, &format!("here after the {step}")).await?;
        wren.reply(&room.gitter, &root, &format!("me, after the {step}"))
            .await?;
        world.on_matrix(&room, &format!("me, after the {step}")).await?;
        let portal = becomes(&world, "active").await?;
        assert_eq!(portal["matrix_room_id"], json!(room.matrix));
        let bridged = world.matrix_messages(&room).await?;
        let again = bridged
            .iter()
            .filter(|event| event.body() == "Who is in?")
            .count();
        assert_eq!(again, 0, "what is in the old room stays there");
    }
    world.finish().await
}

#[tokio::test]
async fn a_room_that_gets_encrypted_stops_and_says_so() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    world
        .host()
        .set_state(&room.matrix, "m.room.encryption", algorithm)
        .await?;
    let portal = becomes(&world, "paused").await?;
    let detail = portal["state_detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("encrypted"), "{portal}");
    bot_says(&world, &room, "is encrypted now").await?;
    let shown = world.bridge.command(&["room", "show", &room.gitter]).await?;
    ensure!(shown.contains("the Matrix room is encrypted"), "{shown}");
    let resumed = world.bridge.command(&["room", "resume", &room.gitter]).await;
    ensure!(resumed.is_err(), "an encrypted room was resumed");
    // What the bot said there waits with all else.
    let unlinked = ["room", "unlink", &room.gitter, "--yes"];
    world.bridge.command(&unlinked).await?;
    world.finish().await
}

#[tokio::test]
async fn a_room_that_turns_private_stops_crossing() -> Result<()> {
    let options = Options {
        privacy_check: Some("5s"),
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let room = world.link("pier").await?;
    let wren = world.gitter.sign_in("wren").await?;
    wren.say(&room.gitter, "for everyone").await?;
    world.on_matrix(&room, "for everyone").await?;

    world
        .gitter
        .alter_room(&room.gitter, &json!({ "public": false }))
        .await?;
    becomes(&world, "private").await?;
    bot_says(&world, &room, "not public any more").await?;
    let resumed = world.bridge.command(&["room", "resume", &room.gitter]).await;
    ensure!(resumed.is_err(), "a private room was resumed");
    world
        .gitter
        .alter_room(&room.gitter, &json!({ "public": true }))
        .await?;
    world.bridge.command(&["room", "resume", &room.gitter]).await?;
    becomes(&world, "active").await?;
    wren.say(&room.gitter, "for everyone again").await?;
    world.on_matrix(&room, "for everyone again").await?;
    world.finish().await
}

#[tokio::test]
async fn a_bot_that_was_removed_comes_back_when_it_is_invited() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;
    wren.say(&room.gitter, "before").await?;
    world.on_matrix(&room, "before").await?;

    world.host().moderate("kick", &room.matrix, BOT).await?;
    let portal = becomes(&world, "broken").await?;
    let detail = portal["state_detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("invite it again"), "{portal}");
    wren.say(&room.gitter, "meanwhile on Gitter").await?;
    ana.say(&room.matrix, "meanwhile on Matrix").await?;

    world.host().moderate("invite", &room.matrix, BOT).await?;
    becomes(&world, "active").await?;
    world.on_matrix(&room, "meanwhile on Gitter").await?;
    world.on_gitter(&room, "meanwhile on Matrix").await?;
    world.finish().await
}
