//! Bans, moderators' deletions, and who is in a room under which name, with a real homeserver and people who use
//! matrix-js-sdk.

use anyhow::Result;
use serde_json::json;
use xtask::{bridge::BOT, said::ghost_username, wait::until};

use crate::{
    harness::{CROSSING_LIMIT, Options, Room, World},
    node::Node,
    person::{Person, refused},
};

#[tokio::test]
async fn bans_on_gitter_hold_on_matrix_until_they_are_lifted() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let admins = json!({ "admins": ["wren", "bridge_bot"] });
    let room = world.link_as("pier", &admins).await?;
    let (mut host, mut bo) = host_and_bo(&node, &world, &room).await?;
    let (wren, kelp) = (
        world.gitter.sign_in("wren").await?,
        world.gitter.sign_in("kelp").await?,
    );

    // Of an account.
    kelp.say(&room.gitter, "spam").await?;
    let ghost = bo.reads(&room.matrix, "spam").await?.sender;
    wren.ban(&room.gitter, "kelp").await?;
    let banned = bo.sees_member(&room.matrix, &ghost, "ban").await?;
    assert_eq!(banned.reason.as_deref(), Some("Banned on Gitter by wren"));
    wren.unban(&room.gitter, "kelp").await?;
    world.sync(&room).await?;
    bo.sees_member(&room.matrix, &ghost, "leave").await?;
    kelp.say(&room.gitter, "sorry").await?;
    bo.reads(&room.matrix, "sorry").await?;

    // Of a Matrix person.
    bo.say(&room.matrix, "spam of bo").await?;
    world.on_gitter(&room, "spam of bo").await?;
    wren.ban(&room.gitter, "bo:localhost").await?;
    host.sees_member(&room.matrix, &bo.id, "ban").await?;
    bo.is_kept_out(&room).await?;
    wren.unban(&room.gitter, "bo:localhost").await?;
    world.sync(&room).await?;
    host.sees_member(&room.matrix, &bo.id, "leave").await?;
    bo.join(&room.matrix).await?;
    bo.say(&room.matrix, "sorry, says bo").await?;
    world.on_gitter(&room, "sorry, says bo").await?;

    // Which a moderator on Matrix lifts.
    world.allow_moderation(&room).await?;
    wren.ban(&room.gitter, "bo:localhost").await?;
    host.sees_member(&room.matrix, &bo.id, "ban").await?;
    host.unban(&room.matrix, &bo.id).await?;
    world.banned_on_gitter(&room, 0).await?;
    world.finish().await
}

#[tokio::test]
async fn bans_on_matrix_hold_on_gitter_until_they_are_lifted() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let room = world
        .link_as("pier", &json!({ "admins": ["bridge_bot"] }))
        .await?;
    world.allow_moderation(&room).await?;
    let (mut host, mut bo) = host_and_bo(&node, &world, &room).await?;
    let kelp = world.gitter.sign_in("kelp").await?;

    // Of a ghost.
    kelp.say(&room.gitter, "spam").await?;
    let ghost = host.reads(&room.matrix, "spam").await?.sender;
    refused(bo.ban(&room.matrix, &ghost).await, "M_FORBIDDEN")?;
    host.ban(&room.matrix, &ghost).await?;
    bo.sees_member(&room.matrix, &ghost, "ban").await?;
    world.banned_on_gitter(&room, 1).await?;
    host.unban(&room.matrix, &ghost).await?;
    world.banned_on_gitter(&room, 0).await?;
    kelp.say(&room.gitter, "sorry").await?;
    bo.reads(&room.matrix, "sorry").await?;

    // Of a Matrix person: what they say is not accepted, so it does not reach Gitter.
    bo.say(&room.matrix, "spam of bo").await?;
    world.on_gitter(&room, "spam of bo").await?;
    host.ban(&room.matrix, &bo.id).await?;
    bo.is_kept_out(&room).await?;
    host.say(&room.matrix, "so much spam").await?;
    world.on_gitter(&room, "so much spam").await?;
    host.unban(&room.matrix, &bo.id).await?;
    bo.join(&room.matrix).await?;
    bo.say(&room.matrix, "sorry, says bo").await?;
    world.on_gitter(&room, "sorry, says bo").await?;
    world.finish().await
}

#[tokio::test]
async fn moderators_delete_on_both_sides() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let admins = json!({ "admins": ["wren", "bridge_bot"] });
    let room = world.link_as("pier", &admins).await?;
    let (mut host, mut bo) = host_and_bo(&node, &world, &room).await?;
    let (wren, kelp) = (
        world.gitter.sign_in("wren").await?,
        world.gitter.sign_in("kelp").await?,
    );

    let of_bo = bo.say(&room.matrix, "sp am of bo").await?;
    bo.edit(&room.matrix, &of_bo, "spam of bo").await?;
    let posted = world.on_gitter(&room, "spam of bo").await?.id;
    wren.delete(&room.gitter, &posted).await?;
    for person in [&mut bo, &mut host] {
        person
            .sees(&room.matrix, &json!({ "event": of_bo, "redacted": true }))
            .await?;
    }

    // Without leave of the Gitter room's admins the moderator is told; with it the message goes.
    kelp.say(&room.gitter, "first spam of kelp").await?;
    let first = host.reads(&room.matrix, "first spam of kelp").await?.event;
    refused(bo.redact(&room.matrix, &first).await, "M_FORBIDDEN")?;
    host.redact(&room.matrix, &first).await?;
    let told = "@host:localhost: Your deletion did not reach Gitter";
    host.hears(&room.matrix, BOT, told).await?;
    world.allow_moderation(&room).await?;
    kelp.say(&room.gitter, "spam of kelp").await?;
    let of_kelp = host.reads(&room.matrix, "spam of kelp").await?.event;
    host.redact(&room.matrix, &of_kelp).await?;
    bo.sees(&room.matrix, &json!({ "event": of_kelp, "redacted": true }))
        .await?;
    until("the message to be gone", CROSSING_LIMIT, async || {
        let messages = world.gitter.messages(&room.gitter).await?;
        let texts: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
        Ok((texts == ["first spam of kelp"]).then_some(()))
    })
    .await?;
    world.finish().await
}

#[tokio::test]
async fn members_are_mirrored_and_go_by_their_present_names() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let options = Options {
        membership: Some("mirror"),
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let room = world.link_as("pier", &json!({ "members": ["wren"] })).await?;
    let mut bo = Person::arrive(&node, &world, "bo", "Bo").await?;
    bo.join(&room.matrix).await?;
    let kelp = world.gitter.sign_in("kelp").await?;
    bo.sees_ghosts(&room, &["wren"]).await?;
    kelp.join(&room.gitter).await?;
    bo.sees_ghosts(&room, &["kelp", "wren"]).await?;

    kelp.say(&room.gitter, "call me Kelpie").await?;
    let said = bo.reads(&room.matrix, "call me Kelpie").await?;
    assert_eq!(said.name.as_deref(), Some("Kelp (Gitter)"));
    let name = json!({ "display_name": "Kelpie" });
    world.gitter.alter_user("kelp", &name).await?;
    bo.sees_named(&room.matrix, &said.sender, "Kelpie (Gitter)")
        .await?;
    bo.say(&room.matrix, "call me Bowsprit").await?;
    bo.rename("Bowsprit").await?;
    let id = bo.id.clone();
    bo.sees_named(&room.matrix, &id, "Bowsprit").await?;
    bo.say(&room.matrix, "as I said").await?;
    for (text, name) in [("call me Bowsprit", "Bo"), ("as I said", "Bowsprit")] {
        let posted = world.on_gitter(&room, text).await?.virtual_user;
        let shown = posted.map(|user| user.display_name);
        assert_eq!(shown.as_deref(), Some(name));
    }

    kelp.leave(&room.gitter).await?;
    bo.sees_ghosts(&room, &["wren"]).await?;
    world.finish().await
}

/// The room's maker, and somebody in it without power.
async fn host_and_bo(node: &Node, world: &World, room: &Room) -> Result<(Person, Person)> {
    let (host, mut bo) = tokio::try_join!(
        Person::sign_in(node, world, "host"),
        Person::arrive(node, world, "bo", "Bo"),
    )?;
    bo.join(&room.matrix).await?;
    Ok((host, bo))
}

impl Person {
    /// Waits until they see that they are banned, and finds that they cannot speak or come back.
    async fn is_kept_out(&mut self, room: &Room) -> Result<()> {
        let id = self.id.clone();
        self.sees_member(&room.matrix, &id, "ban").await?;
        refused(self.say(&room.matrix, "more spam").await, "M_FORBIDDEN")?;
        refused(self.join(&room.matrix).await, "M_BAD_STATE")
    }

    /// Waits until the ghosts in a room are those of these Gitter users.
    async fn sees_ghosts(&mut self, room: &Room, usernames: &[&str]) -> Result<()> {
        until(
            &format!("{usernames:?} to be there"),
            CROSSING_LIMIT,
            async || {
                let members = self.members(&room.matrix).await?;
                let localparts = members
                    .keys()
                    .map(|user| user.trim_start_matches('@').trim_end_matches(":localhost"));
                let mut there: Vec<&str> = localparts.filter_map(ghost_username).collect();
                there.sort_unstable();
                Ok((there == usernames).then_some(()))
            },
        )
        .await
    }
}

impl World {
    /// Has a room looked at.
    async fn sync(&self, room: &Room) -> Result<()> {
        self.bridge
            .command(&["room", "sync", &room.gitter])
            .await
            .map(drop)
    }

    /// Lets bans and deletions go to Gitter.
    async fn allow_moderation(&self, room: &Room) -> Result<()> {
        let arguments = ["room", "settings", &room.gitter, "moderation", "on"];
        self.bridge.command(&arguments).await.map(drop)
    }

    async fn banned_on_gitter(&self, room: &Room, count: usize) -> Result<()> {
        let bot = self.gitter.sign_in("bridge_bot").await?;
        until(&format!("{count} bans on Gitter"), CROSSING_LIMIT, async || {
            Ok((bot.bans(&room.gitter).await?.len() == count).then_some(()))
        })
        .await
    }
}
