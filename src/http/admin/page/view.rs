//! How the status page looks: functions from what is known to HTML, and nothing else. All text is escaped.
//!
//! The parts in [`PARTS`] are what the script replaces when something has changed.

mod chart;
mod failed;
mod rooms;
mod summary;
#[cfg(test)]
mod tests;
mod text;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::files;
use crate::{
    bridge::{
        ledger::ExplainedItem,
        overview::{FailedItem, Overview},
    },
    health::HealthView,
    store::Direction,
};
use text::Level;

/// What does not change while the bridge runs.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// The homeserver's name.
    pub(super) server_name: String,
    /// When the process started.
    pub(super) started: Timestamp,
    /// Its version.
    pub(super) version: &'static str,
}

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    /// Everything at a glance.
    pub(super) overview: &'a Overview,
    /// What is there of what the bridge needs.
    pub(super) health: &'a HealthView,
    /// What does not change.
    pub(super) about: &'a About,
    /// Rooms with this in their name alone; all if it is empty.
    pub(super) find: &'a str,
    /// What forms carry.
    pub(super) form_token: &'a str,
    /// What time it is.
    pub(super) now: Timestamp,
}

/// A part of the page that changes: its id, and how it looks.
pub(super) type Part = (&'static str, fn(&Shown<'_>) -> Markup);

/// All of them, in the order of the page.
pub(super) const PARTS: [Part; 4] = [
    ("summary", summary::summary),
    ("failed", failed::failed),
    ("recent", chart::recent),
    ("rooms", rooms::rooms),
];

/// The page itself. `notice` says what came of what was asked for last.
pub(super) fn status(shown: &Shown<'_>, notice: Option<&str>) -> Markup {
    let body = html! {
        @if let Some(notice) = notice {
            p.notice role="status" { (Level::Well.sign()) " " (notice) }
        }
        @for (id, part) in PARTS {
            @if id == "rooms" { (rooms::filter(shown)) }
            section id=(id) aria-labelledby={ (id) "-title" } { (part(shown)) }
        }
    };
    let title = summary::title(shown);
    document(
        &Frame {
            title: &title,
            about: shown.about,
            session: Some(shown),
        },
        &body,
    )
}

/// Where the admin token is asked for.
pub(super) fn login(about: &About, refusal: Option<&str>) -> Markup {
    let body = html! {
        div.card.narrow {
            h1 { "Status of the bridge" }
            @if let Some(refusal) = refusal {
                p.problem #refusal role="alert" { (Level::Trouble.sign()) " " (refusal) }
            }
            form method="post" action="login" {
                label for="token" { "Admin token" }
                input #token type="password" name="token" required autocomplete="current-password"
                    autocapitalize="none" spellcheck="false" autofocus
                    aria-invalid=[refusal.map(|_| "true")]
                    aria-describedby={ @if refusal.is_some() { "refusal " } "token-help" };
                p.help #token-help {
                    "It is in the file that " code { "admin.token_file" } " names, as a rule "
                    code { "admin.token" } " beside the database."
                }
                button.primary type="submit" { "Log in" }
            }
        }
    };
    document(
        &Frame {
            title: "Log in",
            about,
            session: None,
        },
        &body,
    )
}

/// Asks again before an item is dropped.
pub(super) fn confirm_drop(
    about: &About,
    item: &ExplainedItem,
    room: Option<&str>,
    form_token: &str,
) -> Markup {
    let body = html! {
        div.card.narrow {
            h1 { "Drop this message?" }
            p { "It will not be tried any more. Nobody on the other side will see it, and this cannot be undone." }
            dl.facts {
                div { dt { "Direction" } dd { (direction(item.direction())) } }
                @if let Some(room) = room.or(item.room()) { div { dt { "Gitter room" } dd { (text::foreign(room, 80)) } } }
                div { dt { "Kind" } dd { code { (text::foreign(item.operation(), 80)) } } }
                @for event in item.matrix_event_ids() { div { dt { "Matrix event" } dd { code { (text::foreign(event, 120)) } } } }
                @for message in item.gitter_message_ids() { div { dt { "Gitter message" } dd { code { (text::foreign(message, 120)) } } } }
                div { dt { "Outcome" } dd { (item.outcome().unwrap_or("none yet")) } }
                @if !item.why().is_empty() { div { dt { "Why" } dd { (text::foreign(item.why(), 500)) } } }
            }
            form.actions method="post" action="drop" {
                (hidden(item.id(), form_token))
                button.danger type="submit" { "Drop it" }
                a.button href="./" { "Keep it" }
            }
        }
    };
    document(
        &Frame {
            title: "Drop a message?",
            about,
            session: None,
        },
        &body,
    )
}

/// Says what did not work, and what to do.
pub(super) fn problem(about: &About, error: &str, mend: Option<&str>) -> Markup {
    let body = html! {
        div.card.narrow {
            h1 { "That did not work" }
            p.problem role="alert" { (Level::Trouble.sign()) " " (text::cut(error, 500)) }
            @if let Some(mend) = mend { p { "To mend it: " (text::cut(mend, 500)) "." } }
            p { a.button href="./" { "Back to the status" } }
        }
    };
    document(
        &Frame {
            title: "That did not work",
            about,
            session: None,
        },
        &body,
    )
}

/// What is shown while the bridge still starts.
pub(super) fn starting(about: &About) -> Markup {
    let body = html! {
        div.card.narrow data-look-again="5" {
            h1 { "The bridge is starting" }
            p { (Level::Busy.sign()) " It has not reached the homeserver and Gitter yet. Its log says what it waits for." }
            p { a.button href="./" { "Look again" } }
        }
    };
    document(
        &Frame {
            title: "Starting",
            about,
            session: None,
        },
        &body,
    )
}

struct Frame<'a> {
    title: &'a str,
    about: &'a About,
    /// Where somebody is logged in and sees everything.
    session: Option<&'a Shown<'a>>,
}

fn document(frame: &Frame<'_>, body: &Markup) -> Markup {
    let name = text::cut(&frame.about.server_name, 80);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (frame.title) " – Gitter bridge of " (name) }
                link rel="icon" type="image/svg+xml" href={ "files/" (files::ICON.name) };
                link rel="stylesheet" href={ "files/" (files::STYLE.name) };
                script src={ "files/" (files::SCRIPT.name) } defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.bar {
                    p.brand { (mark()) span { "Gitter bridge" } span.server { (name) } }
                    @if let Some(shown) = frame.session { (tools(shown)) }
                }
                main #main tabindex="-1" { (body) }
                footer {
                    p { "gitter-matrix-bridge " (frame.about.version) }
                    @if frame.session.is_some() {
                        p { a href="metrics" { "Metrics" } " · " a href="ready" { "Readiness" } " · All times are UTC." }
                    }
                }
            }
        }
    }
}

fn tools(shown: &Shown<'_>) -> Markup {
    let find = percent_encoding::utf8_percent_encode(shown.find, percent_encoding::NON_ALPHANUMERIC);
    html! {
        div.tools data-events={ "events?find=" (find) } data-now=(shown.now.as_millisecond()) {
            p.live #live role="status" data-state="off" { span.dot aria-hidden="true" {} span { "Not live" } }
            button #pause type="button" hidden aria-pressed="false" { "Pause" }
            a.button href="./" { "Refresh" }
            form method="post" action="logout" {
                input type="hidden" name="form_token" value=(shown.form_token);
                button type="submit" { "Log out" }
            }
        }
    }
}

/// What a form about an item carries.
fn hidden(item: &str, form_token: &str) -> Markup {
    html! {
        input type="hidden" name="item" value=(item);
        input type="hidden" name="form_token" value=(form_token);
    }
}

/// An item's direction, in words.
const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::ToGitter => "to Gitter",
        Direction::ToMatrix => "to Matrix",
    }
}

/// Of what failed, the sentence that its buttons are told apart by.
fn named(item: &FailedItem) -> String {
    let room = text::cut(&item.room, 80);
    format!("{} of {room}", text::cut(&item.source_id, 60))
}

fn mark() -> Markup {
    PreEscaped(include_str!("icon.svg").replacen(
        "<svg ",
        r#"<svg class="mark" aria-hidden="true" focusable="false" "#,
        1,
    ))
}
