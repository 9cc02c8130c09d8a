//! Every metric there is: its name, what kind it is, its labels, and what it means. docs/metrics.md is generated from
//! this, and nothing is measured under a name that is not here.
//!
//! Labels hold words of the product, from lists that are fixed; never an id of a person, a room or a message.

use metrics::Unit;

/// A metric, as operators know it.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// What it counts in.
    pub unit: Unit,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// What kind a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Counted as it happens, from 0 at the start of the process.
    Counter,
    /// Read when somebody asks.
    Gauge,
    /// How often something was up to these values.
    Histogram(&'static [f64]),
    /// Quantiles of the last minutes.
    Summary,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// Declares all metrics, once.
macro_rules! metrics {
    ($($constant:ident = $kind:expr, $unit:ident, $name:literal, [$($label:literal),*], $help:literal;)+) => {
        $(pub(super) const $constant: &str = $name;)+

        /// All metrics, in the order of the page.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: $name,
            kind: $kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            help: $help,
        }),+];
    };
}

use Kind::{Counter, Gauge, Histogram, Summary};

/// From what nobody notices to what is a day late.
const DELIVERY_BUCKETS: &[f64] = &[
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0,
];

/// Up to the longest that is waited for an answer.
const REQUEST_BUCKETS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// From one write on a fast disk to where everything stands still.
const DATABASE_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

metrics! {
    BUILD = Gauge, Count, "gitter_bridge_build_info", ["version"],
        "Always 1, with the version of the bridge";

    ITEMS = Counter, Count, "gitter_bridge_items_total", ["direction", "outcome", "reason"],
        "Items that got their outcome since this process started";
    DELIVERY = Histogram(DELIVERY_BUCKETS), Seconds, "gitter_bridge_delivery_seconds", ["direction"],
        "How long it took from accepting an item to its arrival on the other side, for those that crossed";
    WAITING = Gauge, Count, "gitter_bridge_items_waiting", ["direction"],
        "Items without an outcome";
    FAILED = Gauge, Count, "gitter_bridge_items_failed", ["direction"],
        "Items that have failed and were neither retried nor dropped";
    OLDEST = Gauge, Seconds, "gitter_bridge_oldest_waiting_age_seconds", ["direction"],
        "How long ago the oldest item without an outcome was accepted; 0 if there is none";
    LANES = Gauge, Count, "gitter_bridge_lanes_waiting", ["direction"],
        "Lanes, which are the two directions of each portal, with items without an outcome";
    DEEPEST = Gauge, Count, "gitter_bridge_deepest_lane_items", ["direction"],
        "Items without an outcome in the lane that has the most";
    RECOVERED = Counter, Count, "gitter_bridge_attempts_recovered_total", ["direction", "result"],
        "Attempts of unknown outcome that were looked for: `found` on the other side, or `sent_again`";

    PORTALS = Gauge, Count, "gitter_bridge_portals", ["state"],
        "Linked pairs of rooms";
    UNCONFIRMED = Gauge, Count, "gitter_bridge_portals_unconfirmed", [],
        "Portals toward Matrix that wait because Gitter does not confirm that their room is public";
    CATCH_UPS = Counter, Count, "gitter_bridge_catch_ups_total", ["result"],
        "Tries to catch up with a Gitter room: `done`, or `failed` and tried again";
    CATCH_UP_ITEMS = Counter, Count, "gitter_bridge_catch_up_items_total", [],
        "Items that were found by catching up";

    SOCKETS = Gauge, Count, "gitter_bridge_realtime_sockets", ["state"],
        "Connections to Gitter's realtime server: `up`, or `down` and tried again";
    INTERRUPTIONS = Counter, Count, "gitter_bridge_realtime_interruptions_total", [],
        "Realtime connections that were lost with rooms on them";
    GAPS = Counter, Count, "gitter_bridge_realtime_gaps_total", [],
        "Realtime connections that went on, but lost something, by the numbers of their frames or a frame that cannot be read";

    REQUESTS = Counter, Count, "gitter_bridge_requests_total", ["side", "endpoint", "result"],
        "Requests to either side: `ok`, `refused` (4xx), `failed` (5xx), `unauthorized`, `rate_limited`, `unreachable`, `interrupted`, `unreadable`, `unwritable`";
    REQUEST_SECONDS = Histogram(REQUEST_BUCKETS), Seconds, "gitter_bridge_request_seconds", ["side"],
        "How long requests to either side took, without the wait for Gitter's budget";

    ACCOUNTS = Gauge, Count, "gitter_bridge_accounts_stopped", ["reason"],
        "Gitter accounts that send nothing: `silent_ban`, `token_refused`";
    OTHER_INSTANCE = Gauge, Count, "gitter_bridge_other_instance", [],
        "Whether another bridge with the same tokens and another database was seen in the last 15 minutes: 0 or 1";
    NEARNESS = Gauge, Count, "gitter_bridge_silent_ban_nearness_ratio", ["trigger"],
        "How near the account is to what makes Gitter ban it silently, 1 being there";
    BUDGET_LIMIT = Gauge, Count, "gitter_bridge_gitter_budget_limit", [],
        "Requests that Gitter allows in one window; absent before its first answer";
    BUDGET_REMAINING = Gauge, Count, "gitter_bridge_gitter_budget_remaining", [],
        "Requests left in this window; absent before Gitter's first answer";
    BUDGET_WAIT = Gauge, Seconds, "gitter_bridge_gitter_budget_wait_seconds", [],
        "How long the next message has to wait for Gitter's budget in a room where no other waits; absent before Gitter's first answer";
    BUDGET_BACKLOG = Gauge, Seconds, "gitter_bridge_gitter_budget_backlog_wait_seconds", [],
        "How long the next message has to wait for Gitter's budget behind all that waits to cross, at most; absent before Gitter's first answer";
    BUDGET_QUEUE = Gauge, Count, "gitter_bridge_gitter_budget_queue", ["class"],
        "Requests to Gitter that wait for their budget; absent before Gitter's first answer";
    BUDGET_WAITED = Summary, Seconds, "gitter_bridge_gitter_budget_waited_seconds", ["class"],
        "How long requests to Gitter waited for their budget; the quantiles are of the last minutes";

    DATABASE = Histogram(DATABASE_BUCKETS), Seconds, "gitter_bridge_database_seconds", ["kind"],
        "How long transactions of the database took, `read` or `write`, with the wait for a connection";

    CPU = Gauge, Seconds, "process_cpu_seconds_total", [],
        "Processor time that the process has used; only ever grows";
    MEMORY = Gauge, Bytes, "process_resident_memory_bytes", [],
        "Memory that the process has";
    VIRTUAL_MEMORY = Gauge, Bytes, "process_virtual_memory_bytes", [],
        "Address space that the process has";
    OPEN_FILES = Gauge, Count, "process_open_fds", [],
        "Files and connections that the process has open";
    MOST_FILES = Gauge, Count, "process_max_fds", [],
        "Files and connections that it may have open";
    THREADS = Gauge, Count, "process_threads", [],
        "Threads of the process";
    STARTED = Gauge, Seconds, "process_start_time_seconds", [],
        "When the process was started, in seconds since 1970";
}
