//! What crosses, and as whom.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;
use xtask::said::ghost_username;

use crate::harness::{Options, World};

#[tokio::test]
async fn a_matrix_message_is_that_persons_on_gitter() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana of the Pier").await?;

    ana.say(&room.matrix, "Is the ferry in?").await?;

    let message = world.on_gitter(&room, "Is the ferry in?").await?;
    let user = message.virtual_user.context("no virtual user")?;
    assert_eq!(user.kind, "matrix");
    assert_eq!(user.external_id, "ana:localhost");
    assert_eq!(user.display_name, "Ana of the Pier");
    assert_eq!((message.status, message.parent_id), (false, None));
    world.finish().await
}

#[tokio::test]
async fn a_gitter_message_is_that_persons_on_matrix_at_its_time() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let wren = world.gitter.sign_in("wren").await?;

    wren.say(&room.gitter, "The ferry is in.").await?;

    let event = world.on_matrix(&room, "The ferry is in.").await?;
    let localpart = event
        .sender
        .trim_start_matches('@')
        .trim_end_matches(":localhost");
    assert_eq!(ghost_username(localpart), Some("wren"), "{}", event.sender);
    let profile = world.profile(&event.sender).await?;
    let field = |name| profile.get(name).and_then(Value::as_str);
    assert_eq!(field("displayname"), Some("Wren (Gitter)"));
    ensure!(
        field("avatar_url").is_some_and(|url| url.starts_with("mxc://localhost/")),
        "no avatar in {profile}"
    );
    let gitter_user = &profile["im.gitter.user"];
    assert_eq!(gitter_user["username"], "wren", "{profile}");
    let page = gitter_user["url"].as_str().unwrap_or_default();
    ensure!(page.ends_with("/wren"), "{profile}");
    let sent: Timestamp = world.on_gitter(&room, "The ferry is in.").await?.sent.parse()?;
    assert_eq!(event.origin_server_ts, sent.as_millisecond());
    world.finish().await
}

#[tokio::test]
async fn a_thread_of_a_gitter_message_goes_on_on_both_sides() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;

    let first = wren.say(&room.gitter, "Who has the oars?").await?;
    let first_event = world.on_matrix(&room, "Who has the oars?").await?.event_id;
    wren.reply(&room.gitter, &first, "And the anchor?").await?;
    let event = world.on_matrix(&room, "And the anchor?").await?;
    assert_eq!(event.thread_root(), Some(first_event.as_str()));

    ana.reply(&room.matrix, &first_event, "I have both.").await?;
    let message = world.on_gitter(&room, "I have both.").await?;
    assert_eq!(message.parent_id, Some(first));
    world.finish().await
}

#[tokio::test]
async fn a_thread_of_a_matrix_message_goes_on_on_both_sides() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;

    let first_event = ana.say(&room.matrix, "Who has the oars?").await?;
    let first = world.on_gitter(&room, "Who has the oars?").await?.id;
    ana.reply(&room.matrix, &first_event, "And the anchor?").await?;
    let message = world.on_gitter(&room, "And the anchor?").await?;
    assert_eq!(message.parent_id.as_ref(), Some(&first));

    wren.reply(&room.gitter, &first, "I have both.").await?;
    let event = world.on_matrix(&room, "I have both.").await?;
    assert_eq!(event.thread_root(), Some(first_event.as_str()));
    world.finish().await
}

#[tokio::test]
async fn me_lines_stay_me_lines() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;

    ana.emote(&room.matrix, "rows ashore").await?;
    let message = world.on_gitter(&room, "rows ashore").await?;
    ensure!(message.status, "{message:?}");

    wren.emote(&room.gitter, "catches the rope").await?;
    let event = world.on_matrix(&room, "catches the rope").await?;
    ensure!(event.is_emote(), "{event:?}");
    world.finish().await
}
