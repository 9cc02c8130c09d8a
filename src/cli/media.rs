//! `media`: signed links of the running bridge, through its admin API.

use std::path::Path;

use clap::{Subcommand, builder::NonEmptyStringValueParser};
use reqwest::Method;
use serde::Deserialize;

use super::{Exit, admin::AdminClient, answer::tell, confirm, output};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// End links to media for good; copies that the bridge has are deleted
    #[command(after_help = "Examples:\n  \
        gitter-matrix-bridge media revoke https://bridge.example.org/media/AbC... --yes\n  \
        gitter-matrix-bridge media revoke mxc://example.org/AbCdEf\n  \
        gitter-matrix-bridge media revoke '$event'\n  \
        gitter-matrix-bridge media revoke --room '!harbour:example.org'")]
    Revoke {
        /// A link, the mxc: address of a file, or the id of an event on Matrix
        #[arg(value_name = "WHAT", value_parser = NonEmptyStringValueParser::new(), required_unless_present = "room",
            conflicts_with = "room")]
        target: Option<String>,
        /// All links of a room, by its id on either side, linked or not
        #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
        room: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
}

/// What came of it.
#[derive(Deserialize)]
struct Revoked {
    revoked: usize,
}

pub(super) async fn run(file: &Path, command: Command) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&Config::load(file)?)?;
    let Command::Revoke {
        target,
        room,
        yes,
        json,
    } = command;
    let (path, links) = match (&target, &room) {
        (_, Some(room)) => (
            vec!["rooms", room, "media"],
            format!("all links of the room {room}"),
        ),
        (target, None) => {
            let target = target.as_deref().unwrap_or_default();
            (vec!["media", target], format!("the links of {target}"))
        }
    };
    if !yes {
        confirm::somebody_answers("revoking asks first, and nobody can answer here; say --yes")?;
        if !confirm::is_meant(&format!("End {links} for good?"))? {
            output::line("Nothing was changed.")?;
            return Ok(Exit::Failed);
        }
    }
    let answer = client.send(Method::DELETE, &path, None).await?;
    tell(&answer, json, |answer| {
        let Revoked { revoked } = answer.read()?;
        let links = if revoked == 1 {
            "1 link"
        } else {
            &format!("{revoked} links")
        };
        output::line(format_args!("Revoked {links}."))?;
        Ok(Exit::Done)
    })
}
