//! What becomes of linked rooms, as people see it who use matrix-js-sdk: upgraded, encrypted, private, left by the bot
//! and entered again.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::{bridge::BOT, wait::until};

use crate::{
    harness::{CROSSING_LIMIT, Options, World},
    node::Node,
    person::Person,
};

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

/// Who made the rooms, and somebody else.
async fn two_people(node: &Node, world: &World) -> Result<(Person, Person)> {
    tokio::try_join!(
        Person::sign_in(node, world, "host"),
        Person::arrive(node, world, "ana", "Ana"),
    )
}

#[tokio::test]
async fn a_portal_follows_its_room_from_version_10_to_12_and_on() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let (mut host, mut ana) = two_people(&node, &world).await?;
    let version_10 = json!({
        "preset": "public_chat",
        "name": "pier",
        "room_version": "10",
        "power_level_content_override": { "users": { host.id.as_str(): 100, BOT: 50 } },
    });
    let first = host.create(&version_10).await?;
    ensure!(first.contains(':'), "{first} is of version 10");
    let mut room = world.link_with("pier", first).await?;
    ana.join(&room.matrix).await?;
    let wren = world.gitter.sign_in("wren").await?;
    let root = wren.say(&room.gitter, "Who is in?").await?;
    ana.reads(&room.matrix, "Who is in?").await?;

    for step in ["first", "second"] {
        let old = room.clone();
        room.matrix = host.upgrade(&old.matrix, "12").await?;
        ensure!(!room.matrix.contains(':'), "{} is of version 12", room.matrix);
        // Right behind the tombstone.
        wren.say(&room.gitter, &format!("the {step} upgrade")).await?;
        host.reads(&room.matrix, &format!("the {step} upgrade")).await?;
        let followed = ana.follow(&old.matrix).await?;
        assert_eq!(followed, room.matrix);
        ana.reads(&room.matrix, &format!("the {step} upgrade")).await?;
        ana.hears(&room.matrix, BOT, "from here on").await?;
        ana.say(&room.matrix, &format!("here after the {step}")).await?;
        world.on_gitter(&room, &format!("here after the {step}")).await?;
        wren.reply(&room.gitter, &root, &format!("me, after the {step}"))
            .await?;
        ana.reads(&room.matrix, &format!("me, after the {step}")).await?;
        let portal = becomes(&world, "active").await?;
        assert_eq!(portal["matrix_room_id"], json!(room.matrix));
        let again = ana.count(&room.matrix, "Who is in?").await?;
        assert_eq!(again, 0, "what is in the old room stays there");
        for after in ["the first upgrade", "the second upgrade"] {
            let there = ana.count(&old.matrix, after).await?;
            let said_there = step == "second" && after == "the first upgrade";
            assert_eq!(there, usize::from(said_there), "{after:?} in the old room");
        }
    }
    world.finish().await
}

#[tokio::test]
async fn a_room_that_gets_encrypted_stops_and_says_so() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let mut host = Person::sign_in(&node, &world, "host").await?;
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    host.set_state(&room.matrix, "m.room.encryption", "", &algorithm)
        .await?;
    let portal = becomes(&world, "paused").await?;
    let detail = portal["state_detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("encrypted"), "{portal}");
    host.hears(&room.matrix, BOT, "is encrypted now").await?;
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
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let options = Options {
        privacy_check: Some("5s"),
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let room = world.link("pier").await?;
    let mut ana = Person::arrive(&node, &world, "ana", "Ana").await?;
    ana.join(&room.matrix).await?;
    let wren = world.gitter.sign_in("wren").await?;
    wren.join(&room.gitter).await?;
    wren.say(&room.gitter, "for everyone").await?;
    ana.reads(&room.matrix, "for everyone").await?;

    world
        .gitter
        .alter_room(&room.gitter, &json!({ "public": false }))
        .await?;
    becomes(&world, "private").await?;
    ana.hears(&room.matrix, BOT, "not public any more").await?;
    wren.say(&room.gitter, "among ourselves").await?;
    ana.say(&room.matrix, "Is anybody there?").await?;
    let resumed = world.bridge.command(&["room", "resume", &room.gitter]).await;
    ensure!(resumed.is_err(), "a private room was resumed");
    world
        .gitter
        .alter_room(&room.gitter, &json!({ "public": true }))
        .await?;
    world.bridge.command(&["room", "resume", &room.gitter]).await?;
    becomes(&world, "active").await?;
    wren.say(&room.gitter, "for everyone again").await?;
    ana.reads(&room.matrix, "for everyone again").await?;
    world.on_gitter(&room, "Is anybody there?").await?;
    world.settled().await?;
    let private = ana.count(&room.matrix, "among ourselves").await?;
    assert_eq!(private, 0, "what was said in private stays so");
    world.finish().await
}

#[tokio::test]
async fn a_bot_that_was_removed_comes_back_when_it_is_invited() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let (mut host, mut ana) = two_people(&node, &world).await?;
    ana.join(&room.matrix).await?;
    let wren = world.gitter.sign_in("wren").await?;
    wren.say(&room.gitter, "before").await?;
    ana.reads(&room.matrix, "before").await?;

    host.kick(&room.matrix, BOT).await?;
    ana.sees_member(&room.matrix, BOT, "leave").await?;
    let portal = becomes(&world, "broken").await?;
    let detail = portal["state_detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("invite it again"), "{portal}");
    wren.say(&room.gitter, "meanwhile on Gitter").await?;
    ana.say(&room.matrix, "meanwhile on Matrix").await?;

    host.invite(&room.matrix, BOT).await?;
    ana.sees_member(&room.matrix, BOT, "join").await?;
    becomes(&world, "active").await?;
    ana.reads(&room.matrix, "meanwhile on Gitter").await?;
    world.on_gitter(&room, "meanwhile on Matrix").await?;
    world.finish().await
}
