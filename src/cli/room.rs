//! `room`: the rooms of the running bridge, through its admin API.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::Path,
};

use anyhow::Context as _;
use clap::{Subcommand, builder::NonEmptyStringValueParser};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{
    Exit, UsageError,
    admin::{AdminClient, Answer, Check, Checks, Portal, Portals},
    output,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Link a Gitter room with a Matrix room
    #[command(after_help = "Example:\n  \
        gitter-matrix-bridge room link tidepool/harbour '#harbour:example.org' --dry-run")]
    Link {
        /// The Gitter room's URI, such as tidepool/harbour
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        gitter_uri: String,
        /// The Matrix room's #alias or !id
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        matrix_room: String,
        /// Only check whether it would work, and say what to mend; nothing is changed, so the bot does not join either
        #[arg(long)]
        dry_run: bool,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
    /// Unlink a Gitter room from its Matrix room
    #[command(after_help = "Example:\n  gitter-matrix-bridge room unlink '!harbour:example.org' --yes")]
    Unlink {
        /// The room's id on either side
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        room: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
    /// List the linked rooms
    #[command(after_help = "Example:\n  gitter-matrix-bridge room list --json | jq '.rooms[].gitter_uri'")]
    List {
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
    /// Show one linked room
    #[command(after_help = "Example:\n  gitter-matrix-bridge room show 5f0000000000000000000a01")]
    Show {
        /// The room's id on either side
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        room: String,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(file: &Path, command: Command) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&Config::load(file)?)?;
    match command {
        Command::Link {
            gitter_uri,
            matrix_room,
            dry_run,
            json,
        } => {
            let body = json!({ "gitter_uri": gitter_uri, "matrix_room": matrix_room, "dry_run": dry_run });
            let answer = client.send(Method::POST, &["rooms"], Some(&body)).await?;
            tell(&answer, json, if dry_run { tell_checks } else { tell_link })
        }
        Command::Unlink { room, yes, json } => {
            if !yes && !confirm(&client, &room).await? {
                output::line("Nothing was changed.")?;
                return Ok(Exit::Failed);
            }
            let answer = client.send(Method::DELETE, &["rooms", &room], None).await?;
            tell(&answer, json, |_| {
                output::line(format_args!("Unlinked {room}."))?;
                Ok(Exit::Done)
            })
        }
        Command::List { json } => {
            let answer = client.send(Method::GET, &["rooms"], None).await?;
            tell(&answer, json, tell_list)
        }
        Command::Show { room, json } => {
            let answer = client.send(Method::GET, &["rooms", &room], None).await?;
            tell(&answer, json, tell_portal)
        }
    }
}

/// Tells an answer: as it is, or a success in the way given, or why not and what to mend.
pub(super) fn tell(
    answer: &Answer,
    json: bool,
    success: impl FnOnce(&Answer) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    if json {
        if !answer.body.is_empty() {
            output::line(answer.body.trim_end_matches('\n'))?;
        }
        return Ok(exit_for_json(answer));
    }
    if answer.status.is_success() {
        return success(answer);
    }
    let refusal = answer.refusal()?;
    if !refusal.checks.is_empty() {
        output::line(check_table(&refusal.checks))?;
    }
    let mut message = format!("error: {} ({})", refusal.error, refusal.errcode);
    if let Some(mend) = refusal.mend {
        message.push_str("\nmend:  ");
        message.push_str(&mend);
    }
    // Where the error stream is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{message}");
    Ok(Exit::Failed)
}

/// A refusal fails, and so does a dry run with a failed check.
fn exit_for_json(answer: &Answer) -> Exit {
    let checks_passed = || {
        let checks = answer.read::<Checks>();
        checks.map_or(true, |checks| checks.checks.iter().all(|check| check.ok))
    };
    if answer.status.is_success() && checks_passed() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

fn tell_link(answer: &Answer) -> anyhow::Result<Exit> {
    let portal: Portal = answer.read()?;
    let told = if answer.status == StatusCode::CREATED {
        "Linked"
    } else {
        "Already linked:"
    };
    output::line(format_args!(
        "{told} {} and {}.",
        portal.gitter_uri, portal.matrix_room_id
    ))?;
    Ok(Exit::Done)
}

fn tell_checks(answer: &Answer) -> anyhow::Result<Exit> {
    let Checks { checks } = answer.read()?;
    output::line(check_table(&checks))?;
    let failed = checks.iter().any(|check| !check.ok);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn check_table(checks: &[Check]) -> String {
    let rows = checks.iter().map(|check| {
        let result = if check.ok { "ok" } else { "FAILED" };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            check.name.clone(),
            result.to_owned(),
            text(&check.detail),
            text(&check.mend),
        ]
    });
    output::table(["CHECK", "RESULT", "DETAIL", "MEND"], rows)
}

fn tell_list(answer: &Answer) -> anyhow::Result<Exit> {
    let Portals { rooms } = answer.read()?;
    if rooms.is_empty() {
        output::line("No rooms are linked. Link two with `gitter-matrix-bridge room link`.")?;
        return Ok(Exit::Done);
    }
    let rows = rooms.into_iter().map(|portal| {
        let numbers = [portal.waiting.to_string(), portal.failed.to_string()];
        let [waiting, failed] = numbers;
        let last = portal.last_bridged_at.unwrap_or_else(|| "never".to_owned());
        [
            portal.gitter_uri,
            portal.matrix_room_id,
            portal.state,
            waiting,
            failed,
            last,
        ]
    });
    output::line(output::table(
        [
            "GITTER ROOM",
            "MATRIX ROOM",
            "STATE",
            "WAITING",
            "FAILED",
            "LAST BRIDGED",
        ],
        rows,
    ))?;
    Ok(Exit::Done)
}

fn tell_portal(answer: &Answer) -> anyhow::Result<Exit> {
    let portal: Portal = answer.read()?;
    output::line(format_args!(
        "gitter room   {} ({})\n\
         matrix room   {}\n\
         kind          {}\n\
         state         {}\n\
         waiting       {}\n\
         failed        {}\n\
         last bridged  {}",
        portal.gitter_uri,
        portal.gitter_room_id,
        portal.matrix_room_id,
        portal.kind,
        portal.state,
        portal.waiting,
        portal.failed,
        portal.last_bridged_at.as_deref().unwrap_or("never")
    ))?;
    Ok(Exit::Done)
}

/// Asks whether a room is really to be unlinked.
async fn confirm(client: &AdminClient, room: &str) -> anyhow::Result<bool> {
    somebody_can_answer("unlinking asks first, and nobody can answer here; say --yes")?;
    let answer = client.send(Method::GET, &["rooms", room], None).await?;
    let what = match answer.read::<Portal>() {
        Ok(portal) => format!("{} from {}", portal.gitter_uri, portal.matrix_room_id),
        Err(_) => room.to_owned(),
    };
    ask(&format!(
        "Unlink {what}? Its ghosts leave, and waiting messages are dropped."
    ))
}

/// Where nobody can answer, what asks first is wrong usage, for the reason given.
pub(super) fn somebody_can_answer(otherwise: &'static str) -> Result<(), UsageError> {
    if io::stdin().is_terminal() {
        Ok(())
    } else {
        Err(UsageError(otherwise))
    }
}

/// Asks a question that only a clear yes answers with yes.
pub(super) fn ask(question: &str) -> anyhow::Result<bool> {
    let mut prompt = io::stderr();
    write!(prompt, "{question} [y/N] ")
        .and_then(|()| prompt.flush())
        .context("cannot ask")?;
    let mut reply = String::new();
    io::stdin()
        .lock()
        .read_line(&mut reply)
        .context("cannot read the reply")?;
    Ok(matches!(reply.trim().to_lowercase().as_str(), "y" | "yes"))
}
