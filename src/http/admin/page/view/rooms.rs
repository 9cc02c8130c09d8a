//! The table of rooms: those with trouble first.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::{
    Shown, chart,
    summary::{failures, is_late},
    text::{self, Level, age, ago, count, grouped},
};
use crate::{bridge::overview::RoomOverview, store::PortalState};

/// How many rooms one page shows.
const MOST: usize = 500;

/// What a state is called here.
pub(super) const fn word(state: PortalState) -> &'static str {
    match state {
        PortalState::Active => "running",
        PortalState::CatchingUp => "catching up",
        PortalState::Paused => "paused",
        PortalState::Private => "private",
        PortalState::Broken => "broken",
    }
}

/// How bad a room's state is.
pub(super) const fn level(room: &RoomOverview) -> Level {
    match room.portal.state {
        PortalState::Active => Level::Well,
        PortalState::CatchingUp => Level::Busy,
        PortalState::Paused | PortalState::Private => Level::Attention,
        PortalState::Broken => Level::Trouble,
    }
}

/// Where names are looked for. It is no part that changes, so that nobody is disturbed while typing.
pub(super) fn filter(shown: &Shown<'_>) -> Markup {
    html! {
        form.filter method="get" action="./" role="search" {
            label for="find" { "Find rooms" }
            input #find type="search" name="find" value=(shown.find) maxlength="200" autocomplete="off" spellcheck="false"
                placeholder="Part of a name or id";
            button type="submit" { "Find" }
            @if !shown.find.is_empty() { a.button href="./" { "Show all" } }
        }
    }
}

/// The part as a whole.
pub(super) fn rooms(shown: &Shown<'_>) -> Markup {
    let all = shown.overview.rooms.len();
    let mut found: Vec<&RoomOverview> = shown
        .overview
        .rooms
        .iter()
        .filter(|room| is_found(room, shown.find))
        .collect();
    found.sort_by_key(|room| {
        (
            Reverse(urgency(room, shown)),
            room.portal.gitter_uri.to_lowercase(),
        )
    });
    let kept = found.get(..MOST).unwrap_or(&found);
    html! {
        div.head {
            h2 #rooms-title { "Rooms" }
            p.quiet {
                @if all == 0 {} @else if shown.find.is_empty() { (count(number(all), "room", "rooms")) ", those with trouble first" }
                @else { (found.len()) " of " (count(number(all), "room", "rooms")) " with “" (text::foreign(shown.find, 60)) "” in name or id" }
                @if kept.len() < found.len() { "; the first " (kept.len()) " are shown: find the others by name" }
            }
        }
        @if found.is_empty() {
            p.card.empty {
                @if all == 0 { "No rooms are linked yet. " code { "gitter-matrix-bridge room link" } " links the first." }
                @else { "No room has that in its name. " a href="./" { "Show all" } }
            }
        } @else {
            div.card.scroll tabindex="0" role="region" aria-labelledby="rooms-title" { (table(kept, shown)) }
        }
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn is_found(room: &RoomOverview, find: &str) -> bool {
    let find = find.to_lowercase();
    let portal = &room.portal;
    [
        portal.gitter_uri.as_str(),
        portal.gitter_room_id.as_str(),
        portal.matrix_room_id.as_str(),
    ]
    .iter()
    .any(|name| name.to_lowercase().contains(&find))
}

/// What is more urgent is further up: its state, then what has failed, then what waits for too long.
fn urgency(room: &RoomOverview, shown: &Shown<'_>) -> (Level, bool, bool) {
    let failed = room.portal.failed > 0;
    let level = match level(room) {
        // As much as anything that needs somebody.
        level if failed => level.max(Level::Trouble),
        Level::Busy => Level::Well,
        level => level,
    };
    (
        level,
        failed,
        oldest(room).is_some_and(|oldest| is_late(oldest, shown)),
    )
}

fn oldest(room: &RoomOverview) -> Option<jiff::Timestamp> {
    room.ways
        .to_gitter
        .oldest
        .into_iter()
        .chain(room.ways.to_matrix.oldest)
        .min()
}

/// The roles are told again: where the table is shown as cards, browsers forget that it is one.
fn table(rooms: &[&RoomOverview], shown: &Shown<'_>) -> Markup {
    html! {
        table.rooms role="table" {
            caption.hidden { "Linked rooms" }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Room" }
                    th scope="col" role="columnheader" { "State" }
                    th scope="col" role="columnheader" { "Last hour" }
                    @for name in ["To Gitter", "To Matrix", "Waiting", "Lag", "Failed"] {
                        th.number scope="col" role="columnheader" { (name) }
                    }
                    th.number scope="col" role="columnheader" { "Last message" }
                }
            }
            tbody role="rowgroup" { @for room in rooms { (row(room, shown)) } }
        }
    }
}

fn row(room: &RoomOverview, shown: &Shown<'_>) -> Markup {
    let (portal, ways) = (&room.portal, &room.ways);
    let oldest = oldest(room);
    let late = oldest.is_some_and(|oldest| is_late(oldest, shown));
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                a.name href=(room.gitter_address) rel="noreferrer" { (text::foreign(&portal.gitter_uri, 80)) }
                a.id href=(room.matrix_address) rel="noreferrer" { (text::foreign(portal.matrix_room_id.as_str(), 80)) }
            }
            td role="cell" data-label="State" {
                span.state { (level(room).sign()) (word(portal.state)) }
                @if let Some(detail) = &portal.state_detail { span.detail { (text::foreign(detail, 300)) } }
            }
            td role="cell" data-label="Last hour" { (chart::spark(ways)) }
            td.number role="cell" data-label="To Gitter" { (grouped(ways.to_gitter.sum().bridged)) }
            td.number role="cell" data-label="To Matrix" { (grouped(ways.to_matrix.sum().bridged)) }
            td.number role="cell" data-label="Waiting" { (grouped(portal.waiting)) }
            td.number role="cell" data-label="Lag" {
                @if let Some(oldest) = oldest {
                    @if late { (Level::Attention.sign()) " " }
                    (age(oldest, shown.now))
                } @else { "–" }
            }
            td.number role="cell" data-label="Failed" { (failures(portal.failed)) }
            td.number role="cell" data-label="Last message" {
                @if let Some(last) = portal.last_bridged_at { (ago(last, shown.now)) } @else { "never" }
            }
        }
    }
}
