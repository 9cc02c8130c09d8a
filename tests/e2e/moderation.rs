//! Bans, moderators' deletions, and who is in a room, with a real homeserver.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xtask::{matrix::MatrixUser, said::ghost_username, wait::until};

use crate::harness::{CROSSING_LIMIT, Options, Room, World};

#[tokio::test]
async fn bans_on_gitter_hold_on_matrix_until_they_are_lifted() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link_as("pier", &json!({ "admins": ["wren"] })).await?;
    let bo = world.matrix_person("bo", "Bo").await?;
    let (wren, kelp) = (
        world.gitter.sign_in("wren").await?,
        world.gitter.sign_in("kelp").await?,
    );

    // Of an account.
    kelp.say(&room.gitter, "spam").await?;
    let ghost = world.on_matrix(&room, "spam").await?.sender;
    wren.ban(&room.gitter, "kelp").await?;
    let ban = world.stands(&room, &ghost, "ban").await?;
    assert_eq!(ban["reason"], "Banned on Gitter by wren");
    wren.unban(&room.gitter, "kelp").await?;
    world.sync(&room).await?;
    world.stands(&room, &ghost, "leave").await?;
    kelp.say(&room.gitter, "sorry").await?;
    world.on_matrix(&room, "sorry").await?;

    // Of a Matrix person.
    bo.say(&room.matrix, "spam of bo").await?;
    world.on_gitter(&room, "spam of bo").await?;
    wren.ban(&room.gitter, "bo:localhost").await?;
    world.stands(&room, "@bo:localhost", "ban").await?;
    wren.unban(&room.gitter, "bo:localhost").await?;
    world.sync(&room).await?;
    world.stands(&room, "@bo:localhost", "leave").await?;
    bo.join(&room.matrix).await?;
    bo.say(&room.matrix, "sorry, says bo").await?;
    world.on_gitter(&room, "sorry, says bo").await?;
    world.finish().await
}

#[tokio::test]
async fn bans_on_matrix_hold_on_gitter_until_they_are_lifted() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world
        .link_as("pier", &json!({ "admins": ["bridge_bot"] }))
        .await?;
    world.allow_moderation(&room).await?;
    let bo = world.matrix_person("bo", "Bo").await?;
    let kelp = world.gitter.sign_in("kelp").await?;
    let host = world.host().clone();

    // Of a ghost.
    kelp.say(&room.gitter, "spam").await?;
    let ghost = world.on_matrix(&room, "spam").await?.sender;
    host.moderate("ban", &room.matrix, &ghost).await?;
    world.banned_on_gitter(&room, 1).await?;
    host.moderate("unban", &room.matrix, &ghost).await?;
    world.banned_on_gitter(&room, 0).await?;
    kelp.say(&room.gitter, "sorry").await?;
    world.on_matrix(&room, "sorry").await?;

    // Of a Matrix person: what they say is not accepted, so it does not reach Gitter.
    bo.say(&room.matrix, "spam of bo").await?;
    world.on_gitter(&room, "spam of bo").await?;
    host.moderate("ban", &room.matrix, "@bo:localhost").await?;
    ensure!(bo.say(&room.matrix, "more spam of bo").await.is_err());
    host.say(&room.matrix, "so much spam").await?;
    world.on_gitter(&room, "so much spam").await?;
    world.finish().await
}

#[tokio::test]
async fn moderators_delete_on_both_sides() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world
        .link_as("pier", &json!({ "admins": ["wren", "bridge_bot"] }))
        .await?;
    let bo = world.matrix_person("bo", "Bo").await?;
    let (wren, kelp) = (
        world.gitter.sign_in("wren").await?,
        world.gitter.sign_in("kelp").await?,
    );
    let host = world.host().clone();

    let of_bo = bo.say(&room.matrix, "spam of bo").await?;
    let posted = world.on_gitter(&room, "spam of bo").await?.id;
    wren.delete(&room.gitter, &posted).await?;
    world.gone_on_matrix(&room, &of_bo).await?;

    // Without leave of the Gitter room's admins the moderator is told; with it the message goes.
    kelp.say(&room.gitter, "first spam of kelp").await?;
    let first = world.on_matrix(&room, "first spam of kelp").await?.event_id;
    host.redact(&room.matrix, &first).await?;
    until("the moderator to be told", CROSSING_LIMIT, async || {
        let messages = world.matrix_messages(&room).await?;
        let told = |body: &str| body.starts_with("@host:localhost: Your deletion did not reach Gitter");
        Ok(messages.iter().any(|event| told(event.body())).then_some(()))
    })
    .await?;
    world.allow_moderation(&room).await?;
    kelp.say(&room.gitter, "spam of kelp").await?;
    let of_kelp = world.on_matrix(&room, "spam of kelp").await?.event_id;
    host.redact(&room.matrix, &of_kelp).await?;
    until("the message to be gone", CROSSING_LIMIT, async || {
        let messages = world.gitter.messages(&room.gitter).await?;
        let texts: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
        Ok((texts == ["first spam of kelp"]).then_some(()))
    })
    .await?;
    world.finish().await
}

#[tokio::test]
async fn members_are_mirrored() -> Result<()> {
    let options = Options {
        membership: Some("mirror"),
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let room = world.link_as("pier", &json!({ "members": ["wren"] })).await?;
    let kelp = world.gitter.sign_in("kelp").await?;
    world.there(&room, &["wren"]).await?;
    kelp.join(&room.gitter).await?;
    world.there(&room, &["kelp", "wren"]).await?;
    kelp.leave(&room.gitter).await?;
    world.there(&room, &["wren"]).await?;
    world.finish().await
}

impl World {
    /// Waits until somebody stands so in the Matrix room; gives the content of that.
    async fn stands(&self, room: &Room, user: &str, membership: &str) -> Result<Value> {
        until(&format!("{user} to {membership}"), CROSSING_LIMIT, async || {
            let found = self.host().membership(&room.matrix, user).await?;
            Ok((found["membership"] == membership).then_some(found))
        })
        .await
    }

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

    /// Waits until an event has no content any more.
    async fn gone_on_matrix(&self, room: &Room, event: &str) -> Result<()> {
        until("the event to be redacted", CROSSING_LIMIT, async || {
            let messages = self.matrix_messages(room).await?;
            let shows = messages
                .iter()
                .any(|found| found.event_id == event && !found.body().is_empty());
            Ok((!shows).then_some(()))
        })
        .await
    }

    /// Waits until the ghosts in a Matrix room are those of these Gitter users.
    async fn there(&self, room: &Room, usernames: &[&str]) -> Result<()> {
        until(
            &format!("{usernames:?} to be there"),
            CROSSING_LIMIT,
            async || {
                let members = MatrixUser::members(self.host(), &room.matrix).await?;
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
