//! Rooms that the bridge makes: by alias, by an operator, and what is left of one that is unlinked.

use anyhow::{Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use xtask::{bridge::BOT, synapse::password_of, wait::until};

use crate::{
    browser,
    harness::{CROSSING_LIMIT, Options, World},
    node::Node,
    person::{Person, refused},
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
    let mut ana = Person::arrive(&node, &world, "ana", "Ana").await?;
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
    ana.reads(&seen.room, "Welcome aboard").await?;
    world.finish().await
}

#[tokio::test]
async fn two_who_join_one_alias_at_once_meet_in_one_room() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let world = World::start(Options::default()).await?;
    let gitter = world.gitter.add_room("tidepool/pier").await?;
    let (mut ana, mut kim) = tokio::try_join!(
        Person::arrive(&node, &world, "ana", "Ana"),
        Person::arrive(&node, &world, "kim", "Kim"),
    )?;
    let by_name = "#gitter_tidepool_pier:localhost";
    let by_id = format!("#gitter_{gitter}:localhost");
    let both = [by_name, &by_id];
    let (one, others) = tokio::try_join!(ana.join(by_name), kim.join_at_once(&both))?;
    assert_eq!(others, [one.as_str(), one.as_str()]);
    ana.say(&one, "Here we are").await?;
    kim.reads(&one, "Here we are").await?;
    arrives_on_gitter(&world, &gitter, "Here we are").await?;

    for nowhere in ["#gitter_tidepool_nowhere:localhost", "#gitter_wren:localhost"] {
        refused(ana.join(nowhere).await, "M_NOT_FOUND")?;
    }
    world.finish().await
}

#[tokio::test]
async fn an_operator_makes_a_room_that_is_renamed_unlinks_it_and_links_it_again() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let world = World::start(Options::default()).await?;
    let gitter = world.gitter.add_room("tidepool/pier").await?;
    let mut ana = Person::arrive(&node, &world, "ana", "Ana").await?;
    let bridge = &world.bridge;

    let checks = bridge.command(&["room", "create", "tidepool/pier", "--dry-run"]);
    ensure!(checks.await?.contains("matrix_alias_free"));
    let create = ["room", "create", "tidepool/pier", "--requester", "@ana:localhost"];
    bridge.command(&create).await?;
    let room = ana.join("#gitter_tidepool_pier:localhost").await?;
    ana.say(&room, "Ahoy").await?;
    arrives_on_gitter(&world, &gitter, "Ahoy").await?;
    // What ana asked for is hers to lead.
    let pinned = json!({ "pinned": [] });
    ana.set_state(&room, "m.room.pinned_events", "", &pinned).await?;

    let renamed = json!({ "uri": "tidepool/jetty" });
    world.gitter.alter_room(&gitter, &renamed).await?;
    ana.sees_alias(&room, Some("#gitter_tidepool_jetty:localhost"))
        .await?;
    ana.sees_state(&room, "m.room.name", |name| name["name"] == "Tidepool/jetty")
        .await?;
    for alias in [
        "#gitter_tidepool_jetty:localhost",
        "#gitter_tidepool_pier:localhost",
    ] {
        assert_eq!(ana.join(alias).await?, room);
    }

    bridge.command(&["room", "unlink", &gitter, "--yes"]).await?;
    ana.sees_alias(&room, None).await?;

    bridge.link("tidepool/jetty", &room).await?;
    ana.sees_alias(&room, Some("#gitter_tidepool_jetty:localhost"))
        .await?;
    assert_eq!(ana.join("#gitter_tidepool_jetty:localhost").await?, room);
    ana.say(&room, "Ahoy again").await?;
    arrives_on_gitter(&world, &gitter, "Ahoy again").await?;

    // Another room may take its place.
    let other = json!({ "name": "Our own jetty", "preset": "public_chat",
        "power_level_content_override": { "users": { BOT: 50 } } });
    let other = ana.create(&other).await?;
    bridge.link("tidepool/jetty", &other).await?;
    assert_eq!(ana.join("#gitter_tidepool_jetty:localhost").await?, other);
    assert_eq!(ana.follow(&room).await?, other);
    world.finish().await
}

async fn arrives_on_gitter(world: &World, room: &str, text: &str) -> Result<()> {
    until(&format!("{text:?} on Gitter"), CROSSING_LIMIT, async || {
        let messages = world.gitter.messages(room).await?;
        Ok(messages.iter().any(|message| message.text == text).then_some(()))
    })
    .await
}

impl Person {
    /// Waits until a room's main address is this.
    async fn sees_alias(&mut self, room: &str, alias: Option<&str>) -> Result<()> {
        self.sees_state(room, "m.room.canonical_alias", |content| {
            content["alias"].as_str() == alias
        })
        .await
        .map(drop)
    }
}
