//! Commands in chat, as somebody sees them who uses matrix-js-sdk.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use xtask::{bridge::BOT, wait::until};

use crate::{
    harness::{CROSSING_LIMIT, Options, Room, World},
    node::Node,
    person::Person,
};

#[tokio::test]
async fn somebody_invites_the_bot_links_a_room_by_code_and_unlinks_it() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let world = World::start(Options::default()).await?;
    let gitter = json!({ "uri": "tidepool/cove", "members": ["kelp"], "admins": ["kelp"] });
    let gitter = world.gitter.add_room_as(&gitter).await?;
    let kelp = world.gitter.sign_in("kelp").await?;

    let mut ana = Person::arrive(&node, &world, "ana", "Ana").await?;
    let matrix = ana.create_room("Cove").await?;
    ana.invite(&matrix, BOT).await?;
    ana.hears(&matrix, BOT, "Hello! I link Matrix rooms").await?;
    let help = ana.asks(&matrix, BOT, "!gitter help").await?;
    ensure!(
        help.contains("!gitter link") && help.contains("!gitter unlink"),
        "{help}"
    );
    let ping = ana.asks(&matrix, BOT, "!gitter ping").await?;
    ensure!(ping.contains("Gitter answered after"), "{ping}");

    let told = ana.asks(&matrix, BOT, "!gitter link tidepool/cove").await?;
    let code = told.split('`').nth(1).with_context(|| told.clone())?;
    kelp.say(&gitter, code).await?;
    ana.hears(&matrix, BOT, "linked now").await?;
    let room = Room { matrix, gitter };
    until("Gitter to be told", CROSSING_LIMIT, async || {
        let messages = world.gitter.messages(&room.gitter).await?;
        let told = messages.iter().any(|message| {
            message.text.contains("linked now")
                && message.virtual_user.is_none()
                && message.author == "bridge_bot"
        });
        Ok(told.then_some(()))
    })
    .await?;
    ana.say(&room.matrix, "Ahoy, Gitter").await?;
    world.on_gitter(&room, "Ahoy, Gitter").await?;
    kelp.say(&room.gitter, "Ahoy, Matrix").await?;
    let ghost = ana.reads(&room.matrix, "Ahoy, Matrix").await?.sender;
    let status = ana.asks(&room.matrix, BOT, "!gitter status").await?;
    ensure!(
        status.contains("tidepool/cove") && status.contains("All works"),
        "{status}"
    );

    let asked = ana.asks(&room.matrix, BOT, "!gitter unlink").await?;
    ensure!(asked.contains("`!gitter unlink tidepool/cove`"), "{asked}");
    let unlinked = ana
        .asks(&room.matrix, BOT, "!gitter unlink tidepool/cove")
        .await?;
    ensure!(unlinked.contains("ended"), "{unlinked}");
    ana.sees_member(&room.matrix, &ghost, "leave").await?;
    let messages = world.gitter.messages(&room.gitter).await?;
    let commands = messages
        .iter()
        .filter(|message| message.text.contains("!gitter") && message.author == "bridge_bot");
    ensure!(commands.count() <= 1, "commands went to Gitter: {messages:?}");
    world.finish().await
}
