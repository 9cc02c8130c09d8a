//! `room`: the rooms of the running bridge, through its admin API.

mod create;
mod life;
mod settings;

use std::path::Path;

use clap::{Subcommand, builder::NonEmptyStringValueParser};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{
    Exit,
    admin::{AdminClient, Answer, Checks, NewLink, Portal, Portals},
    answer::{check_table, tell},
    confirm,
    output::{self, Tone, toned},
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
    /// Make a Matrix room for a Gitter room, and link them
    #[command(
        after_help = "Joining #gitter_tidepool_harbour does the same for tidepool/harbour. A room that was made before is told.\n\n\
        Example:\n  gitter-matrix-bridge room create tidepool/harbour --requester @ana:example.org"
    )]
    Create(create::Creation),
    /// Unlink a Gitter room from its Matrix room
    #[command(after_help = "Example:\n  gitter-matrix-bridge room unlink tidepool/harbour --yes")]
    Unlink {
        /// The Gitter room, as group/room, or the Matrix room, as #alias; or the id of either
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        room: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
    /// Look through a room on Gitter for what was missed, edited or deleted, and have that cross
    #[command(
        after_help = "A portal that stopped because Gitter refused to have its room followed tries again.\n\n\
        Example:\n  gitter-matrix-bridge room sync tidepool/harbour"
    )]
    Sync {
        /// The Gitter room, as group/room, or the Matrix room, as #alias; or the id of either
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        room: String,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
    /// Stop a portal; what is said in either room waits
    #[command(after_help = "Example:\n  gitter-matrix-bridge room pause tidepool/harbour")]
    Pause(life::Target),
    /// Let a portal that stopped go on: what waited crosses, and what was missed
    #[command(
        after_help = "`room show` says why a portal stopped. Where that is not mended, it stays so.\n\n\
        Example:\n  gitter-matrix-bridge room resume tidepool/harbour"
    )]
    Resume(life::Target),
    /// List the linked rooms
    #[command(after_help = "Example:\n  gitter-matrix-bridge room list --json | jq '.rooms[].gitter_uri'")]
    List {
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
    /// Show what holds in one linked room, or set it
    #[command(
        after_help = "Settings: threads (thread, reply), membership (lazy, mirror), and notices, metadata and moderation \
        (on, off).\nWith default for a value, the configuration holds again.\n\n\
        Example:\n  gitter-matrix-bridge room settings tidepool/harbour threads reply"
    )]
    Settings(settings::Arguments),
    /// Show one linked room
    #[command(after_help = "Example:\n  gitter-matrix-bridge room show tidepool/harbour")]
    Show {
        /// The Gitter room, as group/room, or the Matrix room, as #alias; or the id of either
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
        Command::Create(creation) => create::run(&client, &creation).await,
        Command::Unlink { room, yes, json } => {
            if !yes && !is_meant(&client, &room).await? {
                output::line("Nothing was changed.")?;
                return Ok(Exit::Failed);
            }
            let answer = client.send(Method::DELETE, &["rooms", &room], None).await?;
            tell(&answer, json, |_| {
                output::line(format_args!("Unlinked {room}."))?;
                Ok(Exit::Done)
            })
        }
        Command::Sync { room, json } => {
            let answer = client.send(Method::POST, &["rooms", &room, "sync"], None).await?;
            tell(&answer, json, |_| {
                output::line(format_args!(
                    "Looking through {room}; the bridge's log says what comes of it."
                ))?;
                Ok(Exit::Done)
            })
        }
        Command::Pause(target) => life::pause(&client, &target).await,
        Command::Resume(target) => life::resume(&client, &target).await,
        Command::List { json } => {
            let answer = client.send(Method::GET, &["rooms"], None).await?;
            tell(&answer, json, tell_list)
        }
        Command::Settings(arguments) => settings::run(&client, arguments).await,
        Command::Show { room, json } => {
            let answer = client.send(Method::GET, &["rooms", &room], None).await?;
            tell(&answer, json, tell_portal)
        }
    }
}

fn tell_link(answer: &Answer) -> anyhow::Result<Exit> {
    let NewLink { portal, notes } = answer.read()?;
    let told = if answer.status == StatusCode::CREATED {
        "Linked"
    } else {
        "Already linked:"
    };
    output::line(format_args!(
        "{told} {} and {}.",
        portal.gitter_uri, portal.matrix_room_id
    ))?;
    if !notes.is_empty() {
        output::line(format_args!(
            "What is said crosses, and this could be better:\n{}",
            check_table(&notes)
        ))?;
    }
    Ok(Exit::Done)
}

fn tell_checks(answer: &Answer) -> anyhow::Result<Exit> {
    let Checks { checks } = answer.read()?;
    output::line(check_table(&checks))?;
    let failed = checks.iter().filter(|check| !check.ok).count();
    if failed > 0 {
        output::line(format_args!("\n{failed} failed: mend that, then look again."))?;
        return Ok(Exit::Failed);
    }
    output::line("\nNo check failed.")?;
    Ok(Exit::Done)
}

fn tell_list(answer: &Answer) -> anyhow::Result<Exit> {
    let Portals { rooms } = answer.read()?;
    if rooms.is_empty() {
        output::line("No rooms are linked. Link two with `gitter-matrix-bridge room link`.")?;
        return Ok(Exit::Done);
    }
    output::line(table(rooms))?;
    Ok(Exit::Done)
}

/// Rooms as a table.
pub(super) fn table(rooms: Vec<Portal>) -> String {
    let rows = rooms.into_iter().map(|portal| {
        let state = match portal.state.as_str() {
            "active" => Tone::Good,
            "catching_up" => Tone::Passing,
            _ => Tone::Bad,
        };
        let failed = if portal.failed > 0 { Tone::Bad } else { Tone::Plain };
        [
            toned(portal.gitter_uri, Tone::Plain),
            toned(portal.matrix_room_id, Tone::Plain),
            toned(portal.state, state),
            output::count(portal.waiting, Tone::Plain),
            output::count(portal.failed, failed),
            toned(last_bridged(portal.last_bridged_at.as_deref()), Tone::Plain),
        ]
    });
    output::table(
        [
            "GITTER ROOM",
            "MATRIX ROOM",
            "STATE",
            "WAITING",
            "FAILED",
            "LAST BRIDGED",
        ],
        rows,
    )
}

fn last_bridged(time: Option<&str>) -> String {
    time.map_or_else(|| "never".to_owned(), output::time)
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
        last_bridged(portal.last_bridged_at.as_deref())
    ))?;
    if let Some(detail) = portal.state_detail {
        output::line(format_args!("stopped       {detail}"))?;
    }
    Ok(Exit::Done)
}

/// Asks whether a room is really to be unlinked. Where nobody can answer, that is wrong usage.
async fn is_meant(client: &AdminClient, room: &str) -> anyhow::Result<bool> {
    confirm::somebody_answers("unlinking asks first, and nobody can answer here; say --yes")?;
    let answer = client.send(Method::GET, &["rooms", room], None).await?;
    let what = match answer.read::<Portal>() {
        Ok(portal) => format!("{} from {}", portal.gitter_uri, portal.matrix_room_id),
        Err(_) => room.to_owned(),
    };
    confirm::is_meant(&format!(
        "Unlink {what}? Its ghosts leave, and waiting messages are dropped."
    ))
}
