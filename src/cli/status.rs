//! `status`: the running bridge at a glance, through its admin API.

use std::path::Path;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::Deserialize;

use super::{
    Exit,
    admin::{AdminClient, Answer, Portal},
    answer::tell,
    health, output, room,
};
use crate::{config::Config, duration};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print the answer of the admin API as it is
    #[arg(long)]
    json: bool,
}

/// The answer to `GET status`.
#[derive(Debug, Deserialize)]
struct Status {
    version: String,
    started_at: Timestamp,
    health: health::Readiness,
    running: Option<Running>,
}

#[derive(Debug, Deserialize)]
struct Running {
    database: String,
    to_gitter: Way,
    to_matrix: Way,
    sockets: u64,
    rooms_followed: u64,
    budget: Option<Budget>,
    accounts: Vec<Account>,
    rooms: Vec<Portal>,
}

#[derive(Debug, Deserialize)]
struct Way {
    waiting: u64,
    oldest_at: Option<Timestamp>,
    failed: u64,
    bridged_lately: u64,
    closed_until: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Budget {
    limit: u64,
    remaining: u64,
    backlog_wait: i64,
}

#[derive(Debug, Deserialize)]
struct Account {
    username: String,
    state: String,
    reason: Option<String>,
    mend: Option<String>,
}

pub(super) async fn run(file: &Path, arguments: &Arguments) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&Config::load(file)?)?;
    let answer = client.send(Method::GET, &["status"], None).await?;
    tell(&answer, arguments.json, |answer| {
        tell_status(answer, Timestamp::now())
    })
}

fn tell_status(answer: &Answer, now: Timestamp) -> anyhow::Result<Exit> {
    let status: Status = answer.read()?;
    output::line(format_args!(
        "gitter-matrix-bridge {}, up for {}{}",
        status.version,
        span(now, status.started_at),
        if status.health.ready { "" } else { ", NOT READY" }
    ))?;
    for missing in status.health.missing() {
        output::line(format_args!("  {missing}"))?;
    }
    for warning in &status.health.warnings {
        output::line(format_args!("  {warning}"))?;
    }
    let Some(running) = status.running else {
        output::line("It still starts.")?;
        return Ok(Exit::Done);
    };
    tell_running(&running, now)?;
    tell_rooms(running.rooms)?;
    Ok(Exit::Done)
}

fn tell_running(running: &Running, now: Timestamp) -> anyhow::Result<()> {
    let line = |name: &str, text: String| output::line(format_args!("{name:<12}{text}"));
    output::line("")?;
    for (name, way) in [
        ("to Gitter", &running.to_gitter),
        ("to Matrix", &running.to_matrix),
    ] {
        line(name, tell_way(way, now))?;
    }
    let follows = format!(
        "{} followed on {}",
        counted(running.rooms_followed, "room"),
        counted(running.sockets, "connection")
    );
    line(
        "Gitter",
        running.budget.as_ref().map_or_else(
            || follows.clone(),
            |budget| format!("{follows}; {}", tell_budget(budget)),
        ),
    )?;
    for account in &running.accounts {
        let mut text = format!("{} {}", account.username, account.state);
        for more in [&account.reason, &account.mend].into_iter().flatten() {
            text.push_str("; ");
            text.push_str(more);
        }
        line("account", text)?;
    }
    line("database", running.database.clone())
}

fn tell_way(way: &Way, now: Timestamp) -> String {
    let oldest = way.oldest_at.map_or_else(String::new, |oldest| {
        format!(" (the oldest for {})", span(now, oldest))
    });
    let closed = way.closed_until.map_or_else(String::new, |until| {
        format!("; takes nothing now, tried again in {}", span(until, now))
    });
    format!(
        "{} waiting{oldest}, {} failed, {} crossed in about an hour{closed}",
        way.waiting, way.failed, way.bridged_lately
    )
}

fn tell_budget(budget: &Budget) -> String {
    let wait = if budget.backlog_wait > 0 {
        let wait = SignedDuration::from_secs(budget.backlog_wait);
        format!("the last that waits goes out in {wait:#}")
    } else {
        "nothing has to wait".to_owned()
    };
    format!("{} of {} requests left, {wait}", budget.remaining, budget.limit)
}

/// How many rooms there are, and those that somebody has to look at.
fn tell_rooms(mut rooms: Vec<Portal>) -> anyhow::Result<()> {
    let all = rooms.len();
    if all == 0 {
        return output::line("rooms       none linked; link two: gitter-matrix-bridge room link");
    }
    rooms.retain(Portal::needs_somebody);
    output::line(format_args!(
        "{:<12}{} linked, {}",
        "rooms",
        all,
        if rooms.is_empty() {
            "all is well in them".to_owned()
        } else {
            format!("{} to look at:", rooms.len())
        }
    ))?;
    if rooms.is_empty() {
        return Ok(());
    }
    output::line("")?;
    output::line(room::table(rooms))
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The time from one moment to a later one.
fn span(later: Timestamp, earlier: Timestamp) -> String {
    duration::span(later.duration_since(earlier))
}
