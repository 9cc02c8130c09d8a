//! `room pause` and `room resume`.

use clap::{Args, builder::NonEmptyStringValueParser};
use reqwest::Method;

use crate::cli::{Exit, admin::AdminClient, answer::tell, output};

/// Which room.
#[derive(Debug, Args)]
pub(in crate::cli) struct Target {
    /// The Gitter room, as group/room, or the Matrix room, as #alias; or the id of either
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    room: String,
    /// Print the answer of the admin API as it is
    #[arg(long)]
    json: bool,
}

pub(super) async fn pause(client: &AdminClient, target: &Target) -> anyhow::Result<Exit> {
    let told = "is paused. What is said there waits until it is resumed.";
    ask(client, target, "pause", told).await
}

pub(super) async fn resume(client: &AdminClient, target: &Target) -> anyhow::Result<Exit> {
    ask(client, target, "resume", "goes on. What waited crosses now.").await
}

async fn ask(client: &AdminClient, target: &Target, what: &str, told: &str) -> anyhow::Result<Exit> {
    let room = &target.room;
    let answer = client.send(Method::POST, &["rooms", room, what], None).await?;
    tell(&answer, target.json, |_| {
        output::line(format_args!("The portal of {room} {told}"))?;
        Ok(Exit::Done)
    })
}
