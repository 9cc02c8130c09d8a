//! `forget`: removes what the running bridge stores of a person, through its admin API.

use std::path::Path;

use clap::{Args, builder::NonEmptyStringValueParser};
use reqwest::Method;
use serde::Deserialize;

use super::{
    Exit,
    admin::{AdminClient, Answer},
    answer::tell,
    confirm, output,
};
use crate::config::Config;

#[derive(Debug, Args)]
#[command(
    after_help = "Names, pictures and texts go; ids stay, and which event is which message. What is on the \
    homeserver and on Gitter stays there. If something of theirs still waits to cross, ask again once it has.\n\nExamples:\n  \
    gitter-matrix-bridge forget @ana:example.org\n  \
    gitter-matrix-bridge forget 5f0000000000000000000c01 --yes"
)]
pub(super) struct Arguments {
    /// A Matrix user's id, or a Gitter user's id or ghost
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    user: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print the answer of the admin API as it is
    #[arg(long)]
    json: bool,
}

/// The answer to `DELETE users/{id}`.
#[derive(Debug, Deserialize)]
struct Forgotten {
    user: String,
    items: u64,
    messages: u64,
    links: u64,
    rooms: u64,
    waiting: u64,
}

pub(super) async fn run(file: &Path, arguments: &Arguments) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&Config::load(file)?)?;
    let user = &arguments.user;
    if !arguments.yes {
        confirm::somebody_answers("forgetting asks first, and nobody can answer here; say --yes")?;
        let question = format!("Forget {user}? Stored texts, names and pictures go, and links to files end.");
        if !confirm::is_meant(&question)? {
            output::line("Nothing was changed.")?;
            return Ok(Exit::Failed);
        }
    }
    let answer = client.send(Method::DELETE, &["users", user], None).await?;
    tell(&answer, arguments.json, tell_forgotten)
}

fn tell_forgotten(answer: &Answer) -> anyhow::Result<Exit> {
    let Forgotten {
        user,
        items,
        messages,
        links,
        rooms,
        waiting,
    } = answer.read()?;
    output::line(format_args!(
        "Forgot {user}: the texts of {items} items and {messages} messages, {links} links, and names in {rooms} rooms."
    ))?;
    if waiting > 0 {
        output::line(format_args!(
            "{waiting} items still wait to cross; ask again once they have."
        ))?;
    }
    Ok(Exit::Done)
}
