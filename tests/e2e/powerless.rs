//! Somebody without power in a room, who uses matrix-js-sdk: may read help and what else is everybody's, and changes
//! nothing.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::bridge::BOT;

use crate::{
    harness::{Options, Room, World},
    node::Node,
    person::Person,
};

/// The page that tells people of the commands, made from the bridge's own table.
const PAGE: &str = include_str!("../../docs/commands.md");

/// The commands in chat that are for these people, as the page writes them.
fn commands_for(who: &str) -> Vec<&'static str> {
    let rows = PAGE.lines().filter(|line| line.ends_with(&format!("| {who} |")));
    rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next())
        .collect()
}

/// A command with something for what may stand behind it.
fn written_out(usage: &str) -> String {
    let end = usage.find(['[', '<']).unwrap_or(usage.len());
    let (command, arguments) = usage.split_at(end);
    let words = match arguments {
        "" => "",
        "[name value]" => "threads reply",
        "[group/room]" => "tidepool/pier",
        "<group/room>" => "tidepool/cove",
        _ => "all",
    };
    format!("{command}{words}")
}

#[tokio::test]
async fn who_has_no_power_reads_help_and_changes_nothing() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    world.gitter.add_room("tidepool/cove").await?;
    let room = world.link("pier").await?;
    // Of two people, so that neither asks for too much.
    let (mut bo, mut cy) = tokio::try_join!(
        Person::arrive(&node, &world, "bo", "Bo"),
        Person::arrive(&node, &world, "cy", "Cy"),
    )?;
    bo.join(&room.matrix).await?;
    cy.join(&room.matrix).await?;
    let before = settings(&world, &room).await?;

    uses_what_is_everybodys(&world, &room, &mut bo).await?;
    is_refused_all_else(&room, &mut cy).await?;

    assert_eq!(settings(&world, &room).await?, before);
    let portals = world.bridge.rooms().await?;
    assert_eq!(portals["rooms"].as_array().map(Vec::len), Some(1), "{portals}");
    assert_eq!(portals["rooms"][0]["state"], "active");
    cy.say(&room.matrix, "still linked").await?;
    world.on_gitter(&room, "still linked").await?;
    let posted = world.gitter.messages(&room.gitter).await?;
    let texts: Vec<&str> = posted.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["hello", "for Gitter again", "still linked"]);
    world.finish().await
}

/// Everything that is set for a room.
async fn settings(world: &World, room: &Room) -> Result<Value> {
    let arguments = ["room", "settings", &room.gitter, "--json"];
    let printed = world.bridge.command(&arguments).await?;
    serde_json::from_str(&printed).context(printed)
}

async fn uses_what_is_everybodys(world: &World, room: &Room, bo: &mut Person) -> Result<()> {
    let hello = bo.say(&room.matrix, "hello").await?;
    world.on_gitter(room, "hello").await?;

    let (everyones, moderators) = (commands_for("everyone"), commands_for("moderators"));
    assert_eq!((everyones.len(), moderators.len()), (6, 7));
    let help = bo.asks(&room.matrix, BOT, "!gitter help").await?;
    for usage in everyones {
        ensure!(help.contains(usage), "no {usage:?} in {help}");
    }
    for usage in moderators {
        ensure!(!help.contains(usage), "{usage:?} in {help}");
    }
    let status = bo.asks(&room.matrix, BOT, "!gitter status").await?;
    ensure!(
        status.contains("tidepool/pier") && status.contains("All works"),
        "{status}"
    );
    let ping = bo.asks(&room.matrix, BOT, "!gitter ping").await?;
    ensure!(ping.contains("Gitter answered after"), "{ping}");
    let asked = bo.reply(&room.matrix, &hello, "!gitter why").await?;
    let why = bo.answered(&room.matrix, BOT, &asked).await?;
    ensure!(why.contains("crossed to Gitter"), "{why}");

    // What is one's own to decide.
    bo.asks(&room.matrix, BOT, "!gitter optout").await?;
    bo.say(&room.matrix, "for Matrix alone").await?;
    bo.asks(&room.matrix, BOT, "!gitter optin").await?;
    bo.say(&room.matrix, "for Gitter again").await?;
    world.on_gitter(room, "for Gitter again").await.map(drop)
}

async fn is_refused_all_else(room: &Room, cy: &mut Person) -> Result<()> {
    const REFUSAL: &str = "power to change this room's state";
    for usage in commands_for("moderators") {
        let command = written_out(usage);
        let told = cy.asks(&room.matrix, BOT, &command).await?;
        ensure!(told.contains(REFUSAL), "{command}: {told}");
    }
    // Power in a room of one's own is none elsewhere.
    let own = json!({ "preset": "trusted_private_chat", "invite": [BOT], "is_direct": true });
    let own = cy.create(&own).await?;
    cy.hears(&own, BOT, "Hello!").await?;
    for command in ["pause", "unlink tidepool/pier"] {
        let told = cy
            .asks(&own, BOT, &format!("!gitter {command} {}", room.matrix))
            .await?;
        ensure!(told.contains(REFUSAL), "{command}: {told}");
    }
    Ok(())
}
