//! Rooms that the bridge makes: by alias, by an operator, and what is left of one that is unlinked.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use xtask::{matrix::MatrixUser, synapse::password_of, wait::until};

use crate::{
    browser,
    harness::{CROSSING_LIMIT, Options, World},
    node::Node,
};

/// A room, as matrix-js-sdk shows it to somebody who joined it by its alias.
#[derive(Debug, Deserialize)]
struct Seen {
    protocols: Vec<String>,
    found: Vec<Value>,
    room: String,
    name: String,
    alias: String,
    channel: String,
    history: String,
    space: Option<String>,
    children: Vec<String>,
}

#[tokio::test]
async fn joining_an_alias_with_two_underscores_makes_the_room() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let world = World::start(Options::default()).await?;
    let gitter = world.gitter.add_room("tide_pool/old_pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let alias = "#gitter_tide_pool_old_pier:localhost";

    let mut script = node.script("matrix_rooms.js");
    script
        .env("HOMESERVER", world.synapse.url().as_str().trim_end_matches('/'))
        .env("LOCALPART", "ana")
        .env("PASSWORD", password_of("ana"))
        .env("ALIAS", alias)
        .env("SEARCH", "old_pier")
        .env("SAY", "Ahoy from afar");
    let seen: Seen = browser::result(script).await?;

    assert_eq!(seen.alias, alias);
    assert_eq!(seen.channel, gitter);
    assert_eq!(seen.name, "tide_pool/old_pier");
    assert_eq!(seen.history, "world_readable");
    assert!(seen.protocols.contains(&"gitter".to_owned()), "{seen:?}");
    let found = seen.found.first().and_then(|found| found.get("alias"));
    assert_eq!(found.and_then(Value::as_str), Some(alias));
    assert_eq!(seen.space.as_deref(), Some("tide_pool"));
    assert_eq!(seen.children, [seen.room.as_str()]);

    arrives_on_gitter(&world, &gitter, "Ahoy from afar").await?;
    world
        .gitter
        .sign_in("wren")
        .await?
        .say(&gitter, "Welcome aboard")
        .await?;
    arrives_on_matrix(&ana, &seen.room, "Welcome aboard").await?;
    world.finish().await
}

#[tokio::test]
async fn two_who_join_one_alias_at_once_meet_in_one_room() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let gitter = world.gitter.add_room("tidepool/pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let kim = world.matrix_person("kim", "Kim").await?;
    let by_id = format!("#gitter_{gitter}:localhost");
    let (one, other, again) = tokio::try_join!(
        ana.join_alias("#gitter_tidepool_pier:localhost"),
        kim.join_alias("#gitter_tidepool_pier:localhost"),
        kim.join_alias(&by_id),
    )?;
    assert_eq!((&one, &one), (&other, &again));
    ana.say(&one, "Here we are").await?;
    arrives_on_matrix(&kim, &one, "Here we are").await?;
    arrives_on_gitter(&world, &gitter, "Here we are").await?;

    for nowhere in ["#gitter_tidepool_nowhere:localhost", "#gitter_wren:localhost"] {
        ensure!(ana.join_alias(nowhere).await.is_err(), "{nowhere}");
    }
    world.finish().await
}

#[tokio::test]
async fn an_operator_makes_a_room_unlinks_it_and_links_it_again() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let gitter = world.gitter.add_room("tidepool/pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let bridge = &world.bridge;

    let checks = bridge.command(&["room", "create", "tidepool/pier", "--dry-run"]);
    ensure!(checks.await?.contains("matrix_alias_free"));
    let create = ["room", "create", "tidepool/pier", "--requester", "@ana:localhost"];
    bridge.command(&create).await?;
    let room = ana.join_alias("#gitter_tidepool_pier:localhost").await?;
    ana.say(&room, "Ahoy").await?;
    arrives_on_gitter(&world, &gitter, "Ahoy").await?;
    // What ana asked for is hers to lead.
    ana.set_state(&room, "m.room.pinned_events", serde_json::json!({ "pinned": [] }))
        .await?;

    bridge.command(&["room", "unlink", &gitter, "--yes"]).await?;
    let shown = ana.state(&room, "m.room.canonical_alias").await?;
    ensure!(shown.get("alias").is_none(), "{shown}");

    bridge.link("tidepool/pier", &room).await?;
    let again = ana.join_alias("#gitter_tidepool_pier:localhost").await?;
    assert_eq!(again, room);
    let shown = ana.state(&room, "m.room.canonical_alias").await?;
    let alias = shown.get("alias").and_then(Value::as_str);
    assert_eq!(alias, Some("#gitter_tidepool_pier:localhost"));
    ana.say(&room, "Ahoy again").await?;
    arrives_on_gitter(&world, &gitter, "Ahoy again").await?;

    // Another room may take its place.
    let other = ana.create_room("Our own pier", xtask::bridge::BOT).await?;
    bridge.link("tidepool/pier", &other).await?;
    let moved = ana.join_alias("#gitter_tidepool_pier:localhost").await?;
    assert_eq!(moved, other);
    let tombstone = ana.state(&room, "m.room.tombstone").await?;
    let replacement = tombstone.get("replacement_room").and_then(Value::as_str);
    assert_eq!(replacement, Some(other.as_str()));
    world.finish().await
}

async fn arrives_on_gitter(world: &World, room: &str, text: &str) -> Result<()> {
    until(&format!("{text:?} on Gitter"), CROSSING_LIMIT, async || {
        let messages = world.gitter.messages(room).await?;
        Ok(messages.iter().any(|message| message.text == text).then_some(()))
    })
    .await
}

async fn arrives_on_matrix(reader: &MatrixUser, room: &str, text: &str) -> Result<()> {
    until(&format!("{text:?} on Matrix"), CROSSING_LIMIT, async || {
        let messages = reader.messages(room).await.context("reading the room")?;
        Ok(messages.iter().any(|event| event.body() == text).then_some(()))
    })
    .await
}
