//! The table of what has failed, with what an operator can do about it.

use maud::{Markup, html};

use super::{
    Shown, direction, hidden, named,
    text::{self, Level, ago, count, grouped},
};
use crate::bridge::overview::FailedItem;

/// The part as a whole.
pub(super) fn failed(shown: &Shown<'_>) -> Markup {
    let items = &shown.overview.failed;
    let all = shown.overview.ways.to_gitter.failed + shown.overview.ways.to_matrix.failed;
    let more = all - i64::try_from(items.len()).unwrap_or(all);
    html! {
        div.head {
            h2 #failed-title { "Failed messages" }
            @if !items.is_empty() { p.quiet { (count(all, "message", "messages")) ", the newest first" } }
        }
        @if items.is_empty() {
            p.card.empty { (Level::Well.sign()) " Nothing has failed." }
        } @else {
            div.card.scroll tabindex="0" role="region" aria-labelledby="failed-title" { (table(items, shown)) }
        }
        @if more > 0 {
            p.quiet { (count(more, "older one is", "older ones are")) " not shown here: " code { "gitter-matrix-bridge item list --failed" } }
        }
    }
}

/// The roles are told again: where the table is shown as cards, browsers forget that it is one.
fn table(items: &[FailedItem], shown: &Shown<'_>) -> Markup {
    html! {
        table.failed role="table" {
            caption.hidden { "Messages that have failed" }
            thead role="rowgroup" {
                tr role="row" {
                    @for name in ["Message", "Why", "Failed"] { th scope="col" role="columnheader" { (name) } }
                    th.number scope="col" role="columnheader" { "Tries" }
                    th scope="col" role="columnheader" { "What to do" }
                }
            }
            tbody role="rowgroup" { @for item in items { (row(item, shown)) } }
        }
    }
}

fn row(item: &FailedItem, shown: &Shown<'_>) -> Markup {
    let id = percent_encoding::utf8_percent_encode(&item.id, percent_encoding::NON_ALPHANUMERIC).to_string();
    let name = named(item);
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                span.name {
                    @if item.room.is_empty() { "no room" } @else { (text::foreign(&item.room, 80)) }
                    " " span.way { (direction(item.direction)) }
                }
                span.id { (text::foreign(&item.operation, 60)) " " (text::foreign(&item.source_id, 80)) }
            }
            td role="cell" data-label="Why" {
                code.reason { (item.reason) }
                @if !item.detail.is_empty() { span.detail { (text::foreign(&item.detail, 300)) } }
            }
            td role="cell" data-label="Failed" { (ago(item.failed_at, shown.now)) }
            td.number role="cell" data-label="Tries" { (grouped(item.attempts)) }
            td role="cell" data-label="What to do" {
                div.actions {
                    form method="post" action="retry" {
                        (hidden(&item.id, shown.form_token))
                        button.primary type="submit" id={ "retry-" (item.id) } aria-label={ "Retry " (name) } { "Retry" }
                    }
                    a.button href={ "drop?item=" (id) } id={ "drop-" (item.id) } aria-label={ "Drop " (name) "…" } { "Drop…" }
                }
            }
        }
    }
}
