//! The top of the status page: whether all is well, what is not, and a tile for each thing to keep an eye on.

use maud::{Markup, html};

use super::{
    Shown, rooms,
    text::{self, Level, age, count, grouped},
};
use crate::{
    bridge::overview::{BudgetOverview, Overview, Way},
    duration::span,
    store::{Direction, PortalState},
};
use jiff::SignedDuration;

/// How long the oldest item may wait before that is worth a word.
pub(super) const LATE: SignedDuration = SignedDuration::from_mins(2);

/// Something that is not as it should be.
struct Concern {
    level: Level,
    text: Markup,
}

impl Concern {
    const fn new(level: Level, text: Markup) -> Self {
        Self { level, text }
    }
}

/// The title of the page: in a row of tabs it says whether to look.
pub(super) fn title(shown: &Shown<'_>) -> String {
    match worst(&concerns(shown)) {
        Level::Trouble => "Trouble".to_owned(),
        Level::Attention => "Attention".to_owned(),
        Level::Busy | Level::Well => "All is well".to_owned(),
    }
}

/// The part as a whole.
pub(super) fn summary(shown: &Shown<'_>) -> Markup {
    let concerns = concerns(shown);
    let level = worst(&concerns);
    let words = match level {
        Level::Trouble => "Something needs you",
        Level::Attention => "Worth a look",
        Level::Busy | Level::Well => "All is well",
    };
    html! {
        div class={ "headline " (level.class()) } data-title=(title(shown)) data-headline=(words) {
            h1 #summary-title { (level.sign()) (words) }
            @if concerns.is_empty() {
                p { (calm(shown)) }
            } @else {
                ul { @for concern in &concerns { li { (concern.level.sign()) span { (concern.text) } } } }
            }
        }
        div.tiles {
            (way(shown, Direction::ToGitter))
            (way(shown, Direction::ToMatrix))
            (budget(shown))
            (rooms_tile(shown.overview))
            (connections(shown))
            (process(shown))
        }
    }
}

fn worst(concerns: &[Concern]) -> Level {
    concerns
        .iter()
        .map(|concern| concern.level)
        .max()
        .unwrap_or(Level::Well)
}

fn calm(shown: &Shown<'_>) -> String {
    let crossed = shown.overview.ways.to_gitter.sum().bridged + shown.overview.ways.to_matrix.sum().bridged;
    match (shown.overview.rooms.len(), crossed) {
        (0, _) => "No rooms are linked yet. Link the first one: gitter-matrix-bridge room link <gitter uri> <#alias or !id>"
            .to_owned(),
        (_, 0) => "Nothing waits and nothing has failed. It has been quiet in the last hour.".to_owned(),
        _ => format!("Nothing waits for long and nothing has failed. {} crossed in the last hour.", count(crossed, "message", "messages")),
    }
}

/// What is not as it should be: first what the bridge lacks, then rooms and messages.
fn concerns(shown: &Shown<'_>) -> Vec<Concern> {
    let mut concerns = lacks(shown);
    let warnings = shown.health.warnings().iter();
    concerns
        .extend(warnings.map(|warning| Concern::new(Level::Attention, html! { (text::cut(warning, 500)) })));
    concerns.extend(counted(shown.overview));
    let ways = &shown.overview.ways;
    for (name, way) in [("Gitter", &ways.to_gitter), ("Matrix", &ways.to_matrix)] {
        if let Some(oldest) = way.oldest.filter(|oldest| is_late(*oldest, shown)) {
            let text =
                html! { "The oldest message to " (name) " has waited for " (age(oldest, shown.now)) "." };
            concerns.push(Concern::new(Level::Attention, text));
        }
    }
    concerns
}

fn lacks(shown: &Shown<'_>) -> Vec<Concern> {
    let overview = shown.overview;
    let mut found = Vec::new();
    for part in shown.health.parts() {
        // The account's own words are below.
        if let Some(lack) = part.lack().filter(|_| part.part() != "account") {
            found.push(html! { (text::cut(lack, 300)) ", for " (age(part.since(), shown.now)) "." });
        }
    }
    for account in &overview.accounts {
        if let Some(reason) = account.reason() {
            let name = text::foreign(account.username(), 80);
            found.push(html! {
                "The Gitter account " (name) " sends nothing: " (text::cut(reason, 300)) "."
                @if let Some(mend) = account.mend() { " To mend it: " (mend) "." }
            });
        }
    }
    let closed = &overview.closed_until;
    for (name, until) in [("Gitter", closed.to_gitter), ("The homeserver", closed.to_matrix)] {
        if let Some(until) = until {
            found.push(html! { (name) " takes no messages; it is tried again " (soon(until, shown)) "." });
        }
    }
    found
        .into_iter()
        .map(|text| Concern::new(Level::Trouble, text))
        .collect()
}

/// How many rooms and messages are not well, with the way to them.
fn counted(overview: &Overview) -> impl Iterator<Item = Concern> {
    let broken = with_state(overview, PortalState::Broken);
    let failed = overview.ways.to_gitter.failed + overview.ways.to_matrix.failed;
    let stopped = with_state(overview, PortalState::Paused) + with_state(overview, PortalState::Private);
    let found = [
        (
            Level::Trouble,
            broken,
            "#rooms-title",
            count(broken, "room is", "rooms are"),
            "broken",
        ),
        (
            Level::Trouble,
            failed,
            "#failed-title",
            count(failed, "message has", "messages have"),
            "failed",
        ),
        (
            Level::Attention,
            stopped,
            "#rooms-title",
            count(stopped, "room is", "rooms are"),
            "stopped",
        ),
    ];
    let found = found.into_iter().filter(|(_, count, ..)| *count > 0);
    found.map(|(level, _, place, subject, what)| {
        Concern::new(level, html! { a href=(place) { (subject) " " (what) } "." })
    })
}

/// What the bridge needs, and whether it is there. The database is asked for this page, so it is not told here.
fn connections(shown: &Shown<'_>) -> Markup {
    let parts = || {
        shown
            .health
            .parts()
            .iter()
            .filter(|part| matches!(part.part(), "homeserver" | "account" | "realtime"))
    };
    let level = if parts().any(|part| part.lack().is_some()) {
        Level::Trouble
    } else {
        Level::Well
    };
    html! {
        section.tile {
            h2 { (level.sign()) "Connections" }
            p.big { (shown.overview.sockets) " " small { "to Gitter’s realtime channel" } }
            dl {
                div { dt { "rooms followed" } dd { (shown.overview.followed) } }
                @for part in parts().filter(|part| part.part() != "realtime") {
                    div {
                        dt { (called(part.part())) }
                        dd {
                            @if part.lack().is_some() { (Level::Trouble.sign()) " away " } @else { "up " }
                            (age(part.since(), shown.now))
                        }
                    }
                }
            }
        }
    }
}

/// What a part of the bridge's health is called here.
fn called(part: &str) -> &str {
    match part {
        "homeserver" => "homeserver",
        "account" => "Gitter account",
        "realtime" => "Gitter’s realtime channel",
        other => other,
    }
}

/// The version alone, without the commit that may stand behind it.
fn version(version: &str) -> &str {
    version.split_once(' ').map_or(version, |(version, _)| version)
}

/// Whether something has waited for longer than usual.
pub(super) fn is_late(oldest: jiff::Timestamp, shown: &Shown<'_>) -> bool {
    shown.now.duration_since(oldest) > LATE
}

fn soon(until: jiff::Timestamp, shown: &Shown<'_>) -> Markup {
    html! {
        time datetime=(format!("{until:.0}")) title=(text::exact(until)) { "in " (span(until.duration_since(shown.now))) }
    }
}

fn with_state(overview: &Overview, state: PortalState) -> i64 {
    let found = overview.rooms.iter().filter(|room| room.portal.state == state);
    i64::try_from(found.count()).unwrap_or(i64::MAX)
}

fn way(shown: &Shown<'_>, direction: Direction) -> Markup {
    let way: &Way = shown.overview.ways.of(direction);
    let name = match direction {
        Direction::ToGitter => "To Gitter",
        Direction::ToMatrix => "To Matrix",
    };
    let closed = shown.overview.closed_until.of(direction).is_some();
    let late = way.oldest.is_some_and(|oldest| is_late(oldest, shown));
    let level = match (closed, late) {
        (true, _) => Level::Trouble,
        (_, true) => Level::Attention,
        _ => Level::Well,
    };
    html! {
        section.tile {
            h2 { (level.sign()) (name) }
            p.big { (grouped(way.waiting)) " " small { "waiting" } }
            dl {
                div { dt { "oldest" } dd { @if let Some(oldest) = way.oldest { (age(oldest, shown.now)) } @else { "–" } } }
                div { dt { "crossed, last hour" } dd { (grouped(way.sum().bridged)) } }
                div { dt { "failed" } dd { (failures(way.failed)) } }
            }
        }
    }
}

/// How many have failed: none is no news.
pub(super) fn failures(count: i64) -> Markup {
    html! { @if count == 0 { "0" } @else { strong.trouble { (grouped(count)) } } }
}

fn budget(shown: &Shown<'_>) -> Markup {
    let Some(budget) = shown.overview.budget else {
        return html! {
            section.tile { h2 { (Level::Busy.sign()) "Gitter's budget" } p.big { "–" } p.quiet { "Not known before Gitter's first answer, or there is no limit." } }
        };
    };
    let BudgetOverview { limit, remaining, .. } = budget;
    let level = if remaining == 0 {
        Level::Attention
    } else {
        Level::Well
    };
    html! {
        section.tile {
            h2 { (level.sign()) "Gitter's budget" }
            p.big { (grouped(remaining.into())) " " small { "of " (grouped(limit.into())) " requests left" } }
            (meter(remaining, limit))
            dl {
                div { dt { "next message waits" } dd { (wait(budget.wait)) } }
                div { dt { "behind all that waits" } dd { (wait(budget.backlog_wait)) } }
                div { dt { "next window" } dd { @if let Some(at) = budget.resets_at { (soon(at, shown)) } @else { "open" } } }
            }
        }
    }
}

fn wait(length: std::time::Duration) -> String {
    SignedDuration::try_from(length).map_or_else(|_| "–".to_owned(), span)
}

/// A bar that is as full as the budget; the words beside it say the same.
fn meter(part: u32, whole: u32) -> Markup {
    let percent = u64::from(part) * 100 / u64::from(whole.max(1));
    html! {
        svg.meter viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            rect.rest width="100" height="4" {}
            rect.full width=(percent.min(100)) height="4" {}
        }
    }
}

fn rooms_tile(overview: &Overview) -> Markup {
    let level = overview
        .rooms
        .iter()
        .map(rooms::level)
        .max()
        .unwrap_or(Level::Well);
    let states = [
        PortalState::Active,
        PortalState::CatchingUp,
        PortalState::Paused,
        PortalState::Private,
        PortalState::Broken,
    ];
    html! {
        section.tile {
            h2 { (level.sign()) "Rooms" }
            p.big { (overview.rooms.len()) " " small { "linked" } }
            dl {
                @for state in states {
                    @let found = with_state(overview, state);
                    @if found > 0 || state == PortalState::Active {
                        div { dt { (rooms::word(state)) } dd { (found) } }
                    }
                }
            }
        }
    }
}

fn process(shown: &Shown<'_>) -> Markup {
    html! {
        section.tile {
            h2 { (Level::Well.sign()) "This process" }
            p.big { (age(shown.about.started, shown.now)) " " small { "up" } }
            dl {
                div { dt { "version" } dd { (version(shown.about.version)) } }
                div { dt { "database" } dd { (shown.overview.database) } }
            }
        }
    }
}
