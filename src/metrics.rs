//! Everything that is measured, with what it means. Labels hold words of the product, never an id of a person, a room
//! or a message.
//!
//! Nothing is measured under a name that is not declared here. docs/metrics.md tells operators the same.

use std::{sync::LazyLock, time::Duration};

use http::StatusCode;
use metrics::{Unit, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use crate::outcome::Outcome;

/// What is counted as it happens.
const COUNTERS: [(&str, &str); 1] = [(
    ITEMS,
    "Items that got their outcome since this process started, by direction, outcome and reason",
)];

/// What is read when somebody asks.
const GAUGES: [(&str, Unit, &str); 12] = [
    (WAITING, Unit::Count, "Items without an outcome, by direction"),
    (
        FAILED,
        Unit::Count,
        "Items that have failed and were neither retried nor dropped, by direction",
    ),
    (
        OLDEST,
        Unit::Seconds,
        "How long ago the oldest item without an outcome was accepted, by direction; 0 if there is none",
    ),
    (PORTALS, Unit::Count, "Linked pairs of rooms, by state"),
    (
        UNCONFIRMED,
        Unit::Count,
        "Portals toward Matrix that wait because Gitter does not confirm that their room is public",
    ),
    (
        ACCOUNTS,
        Unit::Count,
        "Gitter accounts that send nothing, by reason: `silent_ban`, `token_refused`",
    ),
    (
        NEARNESS,
        Unit::Count,
        "How near the account is to what makes Gitter ban it silently, 1 being there, by trigger",
    ),
    (
        BUDGET_LIMIT,
        Unit::Count,
        "Requests that Gitter allows in one window; absent before its first answer",
    ),
    (
        BUDGET_REMAINING,
        Unit::Count,
        "Requests left in this window; absent before Gitter's first answer",
    ),
    (
        BUDGET_WAIT,
        Unit::Seconds,
        "How long the next message has to wait for Gitter's budget in a room where no other waits; absent before \
         Gitter's first answer",
    ),
    (
        BUDGET_BACKLOG,
        Unit::Seconds,
        "How long the next message has to wait for Gitter's budget behind all that waits to cross, at most; absent \
         before Gitter's first answer",
    ),
    (
        BUDGET_QUEUE,
        Unit::Count,
        "Requests to Gitter that wait for their budget, by class; absent before Gitter's first answer",
    ),
];

/// How long something took.
const SUMMARIES: [(&str, Unit, &str); 1] = [(
    BUDGET_WAITED,
    Unit::Seconds,
    "How long requests to Gitter waited for their budget, by class; the quantiles are of the last minutes",
)];

const ITEMS: &str = "gitter_bridge_items_total";
const WAITING: &str = "gitter_bridge_items_waiting";
const FAILED: &str = "gitter_bridge_items_failed";
const OLDEST: &str = "gitter_bridge_oldest_waiting_age_seconds";
const PORTALS: &str = "gitter_bridge_portals";
const UNCONFIRMED: &str = "gitter_bridge_portals_unconfirmed";
const ACCOUNTS: &str = "gitter_bridge_accounts_stopped";
const NEARNESS: &str = "gitter_bridge_silent_ban_nearness_ratio";
const BUDGET_LIMIT: &str = "gitter_bridge_gitter_budget_limit";
const BUDGET_REMAINING: &str = "gitter_bridge_gitter_budget_remaining";
const BUDGET_WAIT: &str = "gitter_bridge_gitter_budget_wait_seconds";
const BUDGET_BACKLOG: &str = "gitter_bridge_gitter_budget_backlog_wait_seconds";
const BUDGET_QUEUE: &str = "gitter_bridge_gitter_budget_queue";
const BUDGET_WAITED: &str = "gitter_bridge_gitter_budget_waited_seconds";

/// The one of this process.
static RECORDER: LazyLock<PrometheusRecorder> = LazyLock::new(|| {
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        for (name, help) in COUNTERS {
            metrics::describe_counter!(name, Unit::Count, help);
        }
        for (name, unit, help) in GAUGES {
            metrics::describe_gauge!(name, unit, help);
        }
        for (name, unit, help) in SUMMARIES {
            metrics::describe_histogram!(name, unit, help);
        }
    });
    recorder
});

/// How the items of one direction are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// The word for the direction.
    pub direction: &'static str,
    /// Those without an outcome.
    pub waiting: u32,
    /// Those that have failed.
    pub failed: u32,
    /// The age of the oldest without an outcome.
    pub oldest: Duration,
}

/// The budget of requests to Gitter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Requests in a window.
    pub limit: u32,
    /// Requests left in this one.
    pub remaining: u32,
    /// How long the next message has to wait where no other does.
    pub wait: Duration,
    /// How long it has to wait behind all that waits to cross.
    pub backlog_wait: Duration,
    /// Requests that wait, by class.
    pub queue: Vec<(&'static str, u32)>,
}

/// What is read when somebody asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Each direction's items.
    pub backlogs: Vec<Backlog>,
    /// How many portals are in each state.
    pub portals: Vec<(&'static str, u32)>,
    /// How many portals wait for Gitter to confirm that their room is public.
    pub unconfirmed: u32,
    /// How many accounts are stopped, by reason.
    pub accounts: Vec<(&'static str, u32)>,
    /// How near the account is to a silent ban, by trigger.
    pub nearness: Vec<(&'static str, f64)>,
    /// The budget, as far as known.
    pub budget: Option<Budget>,
}

/// Counts items of one direction that got their outcome.
pub fn settled(direction: &'static str, outcome: &Outcome, times: u64) {
    let (outcome, reason) = outcome.words();
    with_local_recorder(&*RECORDER, || {
        counter!(ITEMS, "direction" => direction, "outcome" => outcome, "reason" => reason).increment(times);
    });
}

/// The word for what a status says.
pub fn result_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::TOO_MANY_REQUESTS => "rate_limited",
        status if status.is_success() => "ok",
        status if status.is_server_error() => "failed",
        _ => "refused",
    }
}

/// Notes how long a request to Gitter waited for its budget.
pub fn waited_for_budget(class: &'static str, waited: Duration) {
    with_local_recorder(&*RECORDER, || {
        histogram!(BUDGET_WAITED, "class" => class).record(waited.as_secs_f64());
    });
}

/// Lets go what nobody asked for: without it, samples pile up where nothing reads the metrics.
pub fn tidy() {
    RECORDER.handle().run_upkeep();
}

/// Everything in Prometheus's text format, with what was just read.
pub fn render(reading: Option<&Reading>) -> String {
    if let Some(reading) = reading {
        with_local_recorder(&*RECORDER, || note(reading));
    }
    RECORDER.handle().render()
}

fn note(reading: &Reading) {
    for backlog in &reading.backlogs {
        let direction = backlog.direction;
        gauge!(WAITING, "direction" => direction).set(backlog.waiting);
        gauge!(FAILED, "direction" => direction).set(backlog.failed);
        gauge!(OLDEST, "direction" => direction).set(backlog.oldest.as_secs_f64());
    }
    for (state, count) in &reading.portals {
        gauge!(PORTALS, "state" => *state).set(*count);
    }
    gauge!(UNCONFIRMED).set(reading.unconfirmed);
    for (reason, count) in &reading.accounts {
        gauge!(ACCOUNTS, "reason" => *reason).set(*count);
    }
    for (trigger, nearness) in &reading.nearness {
        gauge!(NEARNESS, "trigger" => *trigger).set(*nearness);
    }
    if let Some(budget) = &reading.budget {
        gauge!(BUDGET_LIMIT).set(budget.limit);
        gauge!(BUDGET_REMAINING).set(budget.remaining);
        gauge!(BUDGET_WAIT).set(budget.wait.as_secs_f64());
        gauge!(BUDGET_BACKLOG).set(budget.backlog_wait.as_secs_f64());
        for (class, count) in &budget.queue {
            gauge!(BUDGET_QUEUE, "class" => *class).set(*count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Reason;

    #[test]
    fn everything_is_rendered_with_what_it_means() {
        settled("to_gitter", &Outcome::Skipped(Reason::Empty, "x".to_owned()), 2);
        let reading = Reading {
            backlogs: vec![Backlog {
                direction: "to_matrix",
                waiting: 3,
                failed: 1,
                oldest: Duration::from_millis(1_500),
            }],
            portals: vec![("active", 4)],
            unconfirmed: 2,
            accounts: vec![("silent_ban", 1)],
            nearness: vec![("removals", 0.66)],
            budget: Some(Budget {
                limit: 100,
                remaining: 7,
                wait: Duration::ZERO,
                backlog_wait: Duration::from_secs(61),
                queue: vec![("live", 2), ("edit", 0)],
            }),
        };
        waited_for_budget("of_this_test", Duration::from_secs(5));
        let text = render(Some(&reading));
        for line in [
            r#"gitter_bridge_items_total{direction="to_gitter",outcome="skipped",reason="empty"} 2"#,
            r#"gitter_bridge_items_waiting{direction="to_matrix"} 3"#,
            r#"gitter_bridge_items_failed{direction="to_matrix"} 1"#,
            r#"gitter_bridge_oldest_waiting_age_seconds{direction="to_matrix"} 1.5"#,
            r#"gitter_bridge_portals{state="active"} 4"#,
            "gitter_bridge_portals_unconfirmed 2",
            r#"gitter_bridge_accounts_stopped{reason="silent_ban"} 1"#,
            r#"gitter_bridge_silent_ban_nearness_ratio{trigger="removals"} 0.66"#,
            "gitter_bridge_gitter_budget_limit 100",
            "gitter_bridge_gitter_budget_remaining 7",
            "gitter_bridge_gitter_budget_wait_seconds 0",
            "gitter_bridge_gitter_budget_backlog_wait_seconds 61",
            r#"gitter_bridge_gitter_budget_queue{class="live"} 2"#,
            r#"gitter_bridge_gitter_budget_queue{class="edit"} 0"#,
            r#"gitter_bridge_gitter_budget_waited_seconds_count{class="of_this_test"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        for (name, help) in declared() {
            assert!(
                text.contains(&format!("# HELP {name} {help}\n")),
                "{name} in {text}"
            );
        }
    }

    #[test]
    fn the_documentation_lists_them_all() {
        let page = include_str!("../docs/metrics.md");
        let listed = page.lines().filter(|line| line.starts_with("| `gitter_bridge_"));
        let expected = declared().map(|(name, help)| format!("| `{name}` | {help} |"));
        assert_eq!(listed.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    fn declared() -> impl Iterator<Item = (&'static str, &'static str)> {
        let gauges = GAUGES.map(|(name, _, help)| (name, help));
        let summaries = SUMMARIES.map(|(name, _, help)| (name, help));
        COUNTERS.into_iter().chain(gauges).chain(summaries)
    }
}
