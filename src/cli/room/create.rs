//! `room create`: has the bridge make a Matrix room.

use clap::{Args, builder::NonEmptyStringValueParser};
use reqwest::Method;
use serde_json::json;

use super::{tell_checks, tell_link};
use crate::cli::{Exit, admin::AdminClient, answer::tell};

/// For which Gitter room.
#[derive(Debug, Args)]
pub(in crate::cli) struct Creation {
    /// The Gitter room's URI, such as tidepool/harbour
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    gitter_uri: String,
    /// A Matrix user to invite, who has all power in the new room
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    requester: Option<String>,
    /// Only check whether it would work, and say what to mend; nothing is changed
    #[arg(long)]
    dry_run: bool,
    /// Print the answer of the admin API as it is
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(client: &AdminClient, creation: &Creation) -> anyhow::Result<Exit> {
    let Creation {
        gitter_uri,
        requester,
        dry_run,
        json,
    } = creation;
    let body = json!({ "gitter_uri": gitter_uri, "requester": requester, "dry_run": dry_run });
    let answer = client.send(Method::POST, &["rooms"], Some(&body)).await?;
    tell(&answer, *json, if *dry_run { tell_checks } else { tell_link })
}
