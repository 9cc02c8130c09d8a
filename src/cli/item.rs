//! `item` and `explain`: the ledger of the running bridge, through its admin API.

use std::{fmt::Write as _, path::Path};

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use reqwest::Method;
use serde::Deserialize;

use super::{
    Exit,
    admin::{AdminClient, Answer},
    answer::tell,
    confirm,
    output::{self, Tone, toned},
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what has not crossed: what waits, and what has failed
    #[command(after_help = "Examples:\n  \
        gitter-matrix-bridge item list --failed\n  \
        gitter-matrix-bridge item list --failed --json | jq -r '.items[].id'")]
    List(List),
    /// Try a failed message again, or one that waits at once
    #[command(
        after_help = "It goes to the place that it had, with the text that it had, and what arrived of it is not sent \
        again.\n\nExample:\n  \
        gitter-matrix-bridge item retry to_gitter.live.17.5f0000000000000000000a01"
    )]
    Retry {
        /// The item's id, as `item list` shows it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        id: String,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
    /// Give up a message that waits or has failed: it is not tried any more
    #[command(after_help = "Example:\n  \
        gitter-matrix-bridge item drop to_gitter.live.17.5f0000000000000000000a01 --yes")]
    Drop {
        /// The item's id, as `item list` shows it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only what has failed
    #[arg(long)]
    failed: bool,
    /// Only of this room: the Gitter room, as group/room, or the id of either side's
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    room: Option<String>,
    /// Only what comes behind this item: `next` of the list before
    #[arg(long, value_name = "ITEM", value_parser = NonEmptyStringValueParser::new())]
    after: Option<String>,
    /// Print the answer of the admin API as it is
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The id of a Matrix event, of a Gitter message, or of an item
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// Print the answer of the admin API as it is
    #[arg(long)]
    json: bool,
}

/// The answer to `GET items`.
#[derive(Debug, Deserialize)]
struct Items {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Item {
    id: String,
    source_id: String,
    state: String,
    outcome: Option<String>,
    reason: Option<String>,
    detail: Option<String>,
    attempts: u64,
    next_attempt_at: Option<String>,
    created_at: Option<String>,
}

/// The answer to `GET explain/{id}`.
#[derive(Debug, Deserialize)]
struct Explanation {
    items: Vec<Explained>,
    messages: Vec<Pair>,
}

#[derive(Debug, Deserialize)]
struct Explained {
    id: String,
    direction: String,
    room: Option<String>,
    source_id: String,
    operation: String,
    state: String,
    outcome: Option<String>,
    reason: Option<String>,
    detail: Option<String>,
    attempts: Vec<Attempt>,
    next_attempt_at: Option<String>,
    created_at: Option<String>,
    settled_at: Option<String>,
    matrix_event_ids: Vec<String>,
    gitter_message_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Attempt {
    action: Option<String>,
    state: String,
    tries: u64,
    result_id: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Pair {
    gitter_message_id: String,
    matrix_event_id: String,
    kind: String,
}

pub(super) async fn run(file: &Path, command: Command) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&Config::load(file)?)?;
    match command {
        Command::List(arguments) => list(&client, arguments).await,
        Command::Retry { id, json } => {
            let path = ["items", &id, "retry"];
            let answer = client.send(Method::POST, &path, None).await?;
            tell(&answer, json, |_| {
                output::line(format_args!(
                    "{id} is tried again. See what becomes of it with `gitter-matrix-bridge explain {id}`."
                ))?;
                Ok(Exit::Done)
            })
        }
        Command::Drop { id, yes, json } => {
            if !yes {
                confirm::somebody_answers("dropping asks first, and nobody can answer here; say --yes")?;
                if !confirm::is_meant(&format!("Drop {id}? It is not tried any more."))? {
                    output::line("Nothing was changed.")?;
                    return Ok(Exit::Failed);
                }
            }
            let answer = client.send(Method::DELETE, &["items", &id], None).await?;
            tell(&answer, json, |_| {
                output::line(format_args!("Dropped {id}."))?;
                Ok(Exit::Done)
            })
        }
    }
}

pub(super) async fn explain(file: &Path, arguments: &Explain) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&Config::load(file)?)?;
    let answer = client
        .send(Method::GET, &["explain", &arguments.id], None)
        .await?;
    tell(&answer, arguments.json, tell_explanation)
}

async fn list(client: &AdminClient, arguments: List) -> anyhow::Result<Exit> {
    let state = arguments.failed.then(|| "failed".to_owned());
    let query: Vec<(&str, String)> = [
        ("state", state),
        ("room", arguments.room),
        ("after", arguments.after),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
    .collect();
    let answer = client.query(&["items"], &query).await?;
    tell(&answer, arguments.json, |answer| {
        tell_list(answer, arguments.failed)
    })
}

fn tell_list(answer: &Answer, failed: bool) -> anyhow::Result<Exit> {
    let Items { items, next } = answer.read()?;
    if items.is_empty() {
        output::line(if failed {
            "Nothing has failed."
        } else {
            "Nothing waits, and nothing has failed."
        })?;
        return Ok(Exit::Done);
    }
    let rows = items.into_iter().map(|item| {
        let why = why(item.reason, item.detail);
        let tone = if item.state == "failed" {
            Tone::Bad
        } else {
            Tone::Passing
        };
        let time = |time: Option<String>| time.map(|time| output::time(&time)).unwrap_or_default();
        [
            toned(item.id, Tone::Plain),
            toned(item.source_id, Tone::Plain),
            toned(item.outcome.unwrap_or(item.state), tone),
            toned(why, Tone::Plain),
            output::count(item.attempts, Tone::Plain),
            toned(time(item.next_attempt_at), Tone::Plain),
            toned(time(item.created_at), Tone::Plain),
        ]
    });
    output::line(output::table(
        ["ITEM", "SOURCE", "STATE", "WHY", "TRIES", "NEXT TRY", "ACCEPTED"],
        rows,
    ))?;
    if let Some(next) = next {
        output::line(format_args!("\nThere are more: say --after {next}"))?;
    }
    Ok(Exit::Done)
}

/// A reason and a detail as one text.
fn why(reason: Option<String>, detail: Option<String>) -> String {
    let told = [reason, detail].into_iter().flatten();
    told.collect::<Vec<_>>().join(": ")
}

fn tell_explanation(answer: &Answer) -> anyhow::Result<Exit> {
    let Explanation { items, messages } = answer.read()?;
    let mut told: Vec<String> = items.iter().map(describe).collect();
    if items.is_empty() {
        let lines = messages.iter().map(|pair| {
            format!(
                "{} on Gitter is {} on Matrix ({})",
                pair.gitter_message_id, pair.matrix_event_id, pair.kind
            )
        });
        told.push("It crossed. What was settled long ago has no items any more.".to_owned());
        told.extend(lines);
    }
    output::line(told.join("\n").trim_end())?;
    Ok(Exit::Done)
}

fn describe(item: &Explained) -> String {
    let mut text = format!("{}\n", item.id);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a text does not fail.
            let _ = writeln!(text, "  {name:<11} {value}");
        }
    };
    let room = item.room.as_deref().unwrap_or("no linked room");
    line("direction", &format!("{}, {room}", item.direction));
    line("source", &format!("{} ({})", item.source_id, item.operation));
    line("accepted", item.created_at.as_deref().unwrap_or_default());
    let why = why(item.reason.clone(), item.detail.clone());
    let state = item.outcome.as_deref().unwrap_or(&item.state);
    let state = [state, &why].map(str::to_owned);
    line(
        "outcome",
        &state
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
    );
    line("settled", item.settled_at.as_deref().unwrap_or_default());
    line("next try", item.next_attempt_at.as_deref().unwrap_or_default());
    for attempt in &item.attempts {
        line("attempt", &describe_attempt(attempt));
    }
    line("on Matrix", &item.matrix_event_ids.join(" "));
    line("on Gitter", &item.gitter_message_ids.join(" "));
    text
}

fn describe_attempt(attempt: &Attempt) -> String {
    let action = attempt.action.as_deref().unwrap_or("forgotten");
    let tries = if attempt.tries == 1 { "try" } else { "tries" };
    let mut text = format!("{action}, {}, {} {tries}", attempt.state, attempt.tries);
    for (before, more) in [(" -> ", &attempt.result_id), (": ", &attempt.error)] {
        if let Some(more) = more {
            text.push_str(before);
            text.push_str(more);
        }
    }
    text
}
