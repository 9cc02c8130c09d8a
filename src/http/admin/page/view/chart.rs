//! What became of items in the last hour, as bars: small pictures that are made here, with the same in words.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::{
    Shown,
    text::{count, grouped},
};
use crate::bridge::overview::{Outcomes, PerWay, SLOTS, Way};

/// How high the bars may be, in units of their own.
const HEIGHT: i64 = 100;

/// How many minutes a bar stands for.
const MINUTES: i64 = 5;

/// The part as a whole.
pub(super) fn recent(shown: &Shown<'_>) -> Markup {
    let ways = &shown.overview.ways;
    let most = [&ways.to_gitter, &ways.to_matrix]
        .iter()
        .flat_map(|way| way.lately.iter().map(all))
        .max()
        .unwrap_or_default();
    html! {
        div.head {
            h2 #recent-title { "The last hour" }
            ul.legend aria-label="Colours" {
                li { span.key.bridged aria-hidden="true" {} "crossed" }
                li { span.key.skipped aria-hidden="true" {} "nothing to carry" }
                li { span.key.failed aria-hidden="true" {} "failed" }
            }
        }
        div.charts {
            (chart("To Gitter", &ways.to_gitter, most))
            (chart("To Matrix", &ways.to_matrix, most))
        }
        details #recent-numbers {
            summary { "The same in numbers" }
            (numbers(ways, shown.overview.since))
        }
    }
}

const fn all(outcomes: &Outcomes) -> i64 {
    outcomes.bridged + outcomes.skipped + outcomes.failed
}

fn in_words(outcomes: Outcomes) -> String {
    format!(
        "{} crossed, {} had nothing to carry, {} failed",
        grouped(outcomes.bridged),
        grouped(outcomes.skipped),
        grouped(outcomes.failed)
    )
}

fn chart(name: &str, way: &Way, most: i64) -> Markup {
    let width = SLOTS * 10;
    html! {
        figure.card.chart {
            figcaption { strong { (name) } span { (in_words(way.sum())) } }
            @if all(&way.sum()) == 0 { p.none aria-hidden="true" { "quiet" } } @else { p.most aria-hidden="true" { (grouped(most)) } }
            svg viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" focusable="false"
                aria-label={ (name) ", in the last hour: " (in_words(way.sum())) } {
                @for (slot, outcomes) in way.lately.iter().enumerate() { (bar(slot, outcomes, most)) }
            }
            p.scale aria-hidden="true" { span { "60 min ago" } span { "30 min" } span { "now" } }
        }
    }
}

/// What crossed stands at the bottom, what failed on top.
fn bar(slot: usize, outcomes: &Outcomes, most: i64) -> Markup {
    let parts = [
        ("bridged", outcomes.bridged),
        ("skipped", outcomes.skipped),
        ("failed", outcomes.failed),
    ];
    let mut below = 0;
    let rectangles = parts.map(|(class, number)| {
        let height = scaled(number, most);
        below += height;
        (class, height, HEIGHT - below)
    });
    html! {
        g {
            title { (in_words(*outcomes)) }
            rect.track x=(slot * 10 + 1) y="0" width="8" height=(HEIGHT) {}
            @for (class, height, y) in rectangles {
                @if height > 0 { rect class=(class) x=(slot * 10 + 1) y=(y.max(0)) width="8" height=(height) {} }
            }
        }
    }
}

/// A number's part of the height: something is to be seen of everything that is there.
fn scaled(number: i64, most: i64) -> i64 {
    if number <= 0 || most <= 0 {
        return 0;
    }
    (number.saturating_mul(HEIGHT) / most).max(2)
}

fn numbers(ways: &PerWay<Way>, since: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="The last hour in numbers" {
            table.numbers {
                caption.hidden { "What became of messages in the last hour" }
                thead {
                    tr {
                        td {}
                        th colspan="3" scope="colgroup" { "To Gitter" }
                        th colspan="3" scope="colgroup" { "To Matrix" }
                    }
                    tr {
                        th scope="col" { "From" }
                        @for _ in 0..2 {
                            th.number scope="col" { "crossed" }
                            th.number scope="col" { "nothing to carry" }
                            th.number scope="col" { "failed" }
                        }
                    }
                }
                tbody {
                    @for (slot, (to_gitter, to_matrix)) in ways.to_gitter.lately.iter().zip(&ways.to_matrix.lately).enumerate() {
                        tr {
                            th scope="row" { (starts(since, slot)) }
                            @for outcomes in [to_gitter, to_matrix] {
                                td.number { (grouped(outcomes.bridged)) }
                                td.number { (grouped(outcomes.skipped)) }
                                td.number { (grouped(outcomes.failed)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn starts(since: Timestamp, slot: usize) -> Markup {
    let minutes = MINUTES * i64::try_from(slot).unwrap_or_default();
    let time = since + SignedDuration::from_mins(minutes);
    html! { time datetime=(format!("{time:.0}")) { (time.strftime("%H:%M").to_string()) } }
}

/// A room's last hour, as small as a word.
pub(super) fn spark(ways: &PerWay<Way>) -> Markup {
    let slots = ways.to_gitter.lately.iter().zip(&ways.to_matrix.lately);
    let slots: Vec<(i64, i64)> = slots
        .map(|(one, other)| (one.bridged + other.bridged, one.failed + other.failed))
        .collect();
    let most = slots
        .iter()
        .map(|(crossed, failed)| crossed + failed)
        .max()
        .unwrap_or_default();
    let (crossed, failed) = slots.iter().fold((0, 0), |(crossed, failed), slot| {
        (crossed + slot.0, failed + slot.1)
    });
    let words = format!(
        "{}, {} failed in the last hour",
        count(crossed, "message crossed", "messages crossed"),
        grouped(failed)
    );
    html! {
        svg.spark viewBox={ "0 0 " (SLOTS * 6) " 20" } role="img" focusable="false" aria-label=(words) {
            title { (words) }
            path.track d={ "M0 19.5h" (SLOTS * 6) } {}
            (bars("bridged", slots.iter().map(|(crossed, _)| (0, *crossed)), most))
            (bars("failed", slots.iter().map(|(crossed, failed)| (*crossed, *failed)), most))
        }
    }
}

/// One outcome's bars as one line, each above what is below it.
fn bars(class: &str, slots: impl Iterator<Item = (i64, i64)>, most: i64) -> Markup {
    let small = |number: i64| scaled(number, most) / 5 + i64::from(number > 0 && scaled(number, most) < 5);
    let mut line = String::new();
    for (slot, (below, number)) in slots.enumerate() {
        if number > 0 {
            let (bottom, height) = (20 - small(below), small(number));
            let _ = write!(line, "M{} {bottom}v-{height}h4v{height}z", slot * 6 + 1);
        }
    }
    html! { @if !line.is_empty() { path class=(class) d=(line) {} } }
}
