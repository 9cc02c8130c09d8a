//! What is measured, and how it is shown. What there is and what it means is declared in `declared`.
//!
//! Labels hold words of the product, never an id of a person, a room or a message.

mod declared;

use std::{sync::LazyLock, time::Duration};

use http::StatusCode;
use metrics::{
    counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use metrics_process::collector::collect;

use self::declared::{
    ACCOUNTS, BUDGET_BACKLOG, BUDGET_LIMIT, BUDGET_QUEUE, BUDGET_REMAINING, BUDGET_WAIT, BUDGET_WAITED,
    BUILD, CATCH_UP_ITEMS, CATCH_UPS, CPU, DATABASE, DEEPEST, DELIVERY, FAILED, GAPS, INTERRUPTIONS, ITEMS,
    LANES, MEMORY, MOST_FILES, NEARNESS, OLDEST, OPEN_FILES, OTHER_INSTANCE, PORTALS, RECOVERED,
    REQUEST_SECONDS, REQUESTS, SOCKETS, STARTED, THREADS, UNCONFIRMED, VIRTUAL_MEMORY, WAITING,
};
pub use self::declared::{Kind, METRICS, Metric};
use crate::outcome::Outcome;

const DIRECTIONS: [&str; 2] = ["to_gitter", "to_matrix"];

/// The one of this process.
static RECORDER: LazyLock<PrometheusRecorder> = LazyLock::new(|| {
    let builder = METRICS
        .iter()
        .fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
            Kind::Histogram(buckets) => {
                let matcher = Matcher::Full(metric.name.to_owned());
                // Refused only where there are none.
                builder
                    .set_buckets_for_metric(matcher, buckets)
                    .unwrap_or_else(|_| PrometheusBuilder::new())
            }
            _ => builder,
        });
    let recorder = builder.build_recorder();
    with_local_recorder(&recorder, || {
        for metric in METRICS {
            let Metric { name, unit, help, .. } = *metric;
            match metric.kind {
                Kind::Counter => describe_counter!(name, unit, help),
                Kind::Gauge => describe_gauge!(name, unit, help),
                Kind::Histogram(_) | Kind::Summary => describe_histogram!(name, unit, help),
            }
        }
        begin();
    });
    recorder
});

/// Shows what may not happen for long as 0 from the beginning, so that the first time is seen as a change.
fn begin() {
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1);
    gauge!(OTHER_INSTANCE).set(0);
    for direction in DIRECTIONS {
        counter!(ITEMS, "direction" => direction, "outcome" => "bridged", "reason" => "").absolute(0);
        for result in ["found", "sent_again"] {
            counter!(RECOVERED, "direction" => direction, "result" => result).absolute(0);
        }
        drop(histogram!(DELIVERY, "direction" => direction));
    }
    for result in ["done", "failed"] {
        counter!(CATCH_UPS, "result" => result).absolute(0);
    }
    for name in [CATCH_UP_ITEMS, INTERRUPTIONS, GAPS] {
        counter!(name).absolute(0);
    }
    for state in ["up", "down"] {
        gauge!(SOCKETS, "state" => state).set(0);
    }
    for side in ["gitter", "matrix"] {
        drop(histogram!(REQUEST_SECONDS, "side" => side));
    }
    for kind in ["read", "write"] {
        drop(histogram!(DATABASE, "kind" => kind));
    }
}
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
    /// How many lanes have some.
    pub lanes: u32,
    /// How many the lane with the most has.
    pub deepest: u32,
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

/// Notes how long an item took that crossed.
pub fn delivered(direction: &'static str, took: Duration) {
    with_local_recorder(&*RECORDER, || {
        histogram!(DELIVERY, "direction" => direction).record(took.as_secs_f64());
    });
}

/// Counts an attempt of unknown outcome that was looked for: whether it was found, or is sent again.
pub fn recovered(direction: &'static str, is_found: bool) {
    let result = if is_found { "found" } else { "sent_again" };
    with_local_recorder(&*RECORDER, || {
        counter!(RECOVERED, "direction" => direction, "result" => result).increment(1);
    });
}

/// Counts a try to catch up with a room, and what was found by it; nothing where it failed.
pub fn caught_up(found: Option<usize>) {
    let result = if found.is_some() { "done" } else { "failed" };
    let found = u64::try_from(found.unwrap_or(0)).unwrap_or(u64::MAX);
    with_local_recorder(&*RECORDER, || {
        counter!(CATCH_UPS, "result" => result).increment(1);
        counter!(CATCH_UP_ITEMS).increment(found);
    });
}

/// Counts a realtime connection that was lost with rooms on it.
pub fn interrupted() {
    with_local_recorder(&*RECORDER, || counter!(INTERRUPTIONS).increment(1));
}

/// Counts that a realtime connection lost something.
pub fn gap() {
    with_local_recorder(&*RECORDER, || counter!(GAPS).increment(1));
}

/// A connection to Gitter's realtime server, counted for as long as it is there.
#[derive(Debug)]
pub struct Socket {
    is_up: bool,
}

impl Socket {
    /// One that is not up yet.
    pub fn new() -> Self {
        count_socket(false, 1.0);
        Self { is_up: false }
    }

    /// It is up, or it is not.
    pub fn set_up(&mut self, is_up: bool) {
        if self.is_up != is_up {
            count_socket(self.is_up, -1.0);
            count_socket(is_up, 1.0);
            self.is_up = is_up;
        }
    }
}

impl Default for Socket {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        count_socket(self.is_up, -1.0);
    }
}

fn count_socket(is_up: bool, change: f64) {
    let state = if is_up { "up" } else { "down" };
    with_local_recorder(&*RECORDER, || gauge!(SOCKETS, "state" => state).increment(change));
}

/// Notes a request to a side: its endpoint is a word of the code's, its result one of [`result_of`] or for what went
/// wrong before there was a status.
pub fn requested(side: &'static str, endpoint: &'static str, result: &'static str, took: Duration) {
    with_local_recorder(&*RECORDER, || {
        counter!(REQUESTS, "side" => side, "endpoint" => endpoint, "result" => result).increment(1);
        histogram!(REQUEST_SECONDS, "side" => side).record(took.as_secs_f64());
    });
}

/// Notes how long a transaction of the database took; `kind` is `read` or `write`.
pub fn transacted(kind: &'static str, took: Duration) {
    with_local_recorder(&*RECORDER, || {
        histogram!(DATABASE, "kind" => kind).record(took.as_secs_f64());
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

/// Notes whether another bridge uses the same tokens.
pub fn other_instance(is_seen: bool) {
    with_local_recorder(&*RECORDER, || gauge!(OTHER_INSTANCE).set(u32::from(is_seen)));
}

/// Lets go what nobody asked for: without it, samples pile up where nothing reads the metrics.
pub fn tidy() {
    RECORDER.handle().run_upkeep();
}

/// Everything in Prometheus's text format, with what was just read.
pub fn render(reading: Option<&Reading>) -> String {
    with_local_recorder(&*RECORDER, || {
        note_process();
        if let Some(reading) = reading {
            note(reading);
        }
    });
    RECORDER.handle().render()
}

/// What the operating system says of the process.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float, and nothing here needs more than its 53 bits"
)]
fn note_process() {
    let process = collect();
    if let Some(seconds) = process.cpu_seconds_total {
        gauge!(CPU).set(seconds);
    }
    for (name, value) in [
        (MEMORY, process.resident_memory_bytes),
        (VIRTUAL_MEMORY, process.virtual_memory_bytes),
        (OPEN_FILES, process.open_fds),
        (MOST_FILES, process.max_fds),
        (THREADS, process.threads),
        (STARTED, process.start_time_seconds),
    ] {
        if let Some(value) = value {
            gauge!(name).set(value as f64);
        }
    }
}

fn note(reading: &Reading) {
    for backlog in &reading.backlogs {
        let direction = backlog.direction;
        gauge!(WAITING, "direction" => direction).set(backlog.waiting);
        gauge!(FAILED, "direction" => direction).set(backlog.failed);
        gauge!(OLDEST, "direction" => direction).set(backlog.oldest.as_secs_f64());
        gauge!(LANES, "direction" => direction).set(backlog.lanes);
        gauge!(DEEPEST, "direction" => direction).set(backlog.deepest);
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
                lanes: 2,
                deepest: 3,
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
        other_instance(true);
        requested("gitter", "of_this_test", "ok", Duration::from_secs(5));
        let text = render(Some(&reading));
        for line in [
            r#"gitter_bridge_items_total{direction="to_gitter",outcome="skipped",reason="empty"} 2"#,
            r#"gitter_bridge_items_waiting{direction="to_matrix"} 3"#,
            r#"gitter_bridge_items_failed{direction="to_matrix"} 1"#,
            r#"gitter_bridge_oldest_waiting_age_seconds{direction="to_matrix"} 1.5"#,
            r#"gitter_bridge_portals{state="active"} 4"#,
            r#"gitter_bridge_lanes_waiting{direction="to_matrix"} 2"#,
            r#"gitter_bridge_deepest_lane_items{direction="to_matrix"} 3"#,
            "gitter_bridge_portals_unconfirmed 2",
            r#"gitter_bridge_accounts_stopped{reason="silent_ban"} 1"#,
            "gitter_bridge_other_instance 1",
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
        for Metric { name, help, .. } in METRICS {
            assert!(
                text.contains(&format!("# HELP {name} {help}\n")),
                "{name} in {text}"
            );
        }
    }

    #[test]
    fn a_socket_is_counted_for_as_long_as_it_is_there() {
        let mut sockets = [Socket::new(), Socket::new()];
        sockets[1].set_up(true);
        sockets[1].set_up(true);
        let text = render(None);
        assert!(
            text.contains("gitter_bridge_realtime_sockets{state=\"up\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("gitter_bridge_realtime_sockets{state=\"down\"} 1\n"),
            "{text}"
        );
        drop(sockets);
        let text = render(None);
        assert!(
            text.contains("gitter_bridge_realtime_sockets{state=\"up\"} 0\n"),
            "{text}"
        );
    }

    #[test]
    fn times_fall_into_buckets() {
        transacted("of_this_test", Duration::from_millis(3));
        let text = render(None);
        for line in [
            r#"gitter_bridge_database_seconds_bucket{kind="of_this_test",le="0.0025"} 0"#,
            r#"gitter_bridge_database_seconds_bucket{kind="of_this_test",le="0.005"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
