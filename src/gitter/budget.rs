//! The request budget of one Gitter account (gitter-api 3.1): so many requests in a window of a minute, for
//! all rooms and people together.
//!
//! It waits before a request rather than be refused. It knows nothing of HTTP: the client tells it what the
//! replies said. Time is tokio's, so tests can pause it.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep_until},
};

/// Waited beyond the announced end of a window, because the announcement jitters by a second.
const GRACE: Duration = Duration::from_secs(1);
/// Two announced ends that differ by less are the same window's.
const JITTER: Duration = Duration::from_secs(5);
/// How long a refusal counts that names no end: a window of Gitter's default length.
const USUAL_WINDOW: Duration = Duration::from_mins(1);
/// No announced end is believed to be further away than this.
const LONGEST_WINDOW: Duration = Duration::from_mins(10);

/// The budget as last known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetState {
    /// Requests in a window.
    pub limit: u32,
    /// Requests left in this window, less those on their way.
    pub remaining: u32,
    /// When the next window begins, by our clock; `None` if no request has yet opened this one.
    pub resets_at: Option<Timestamp>,
}

/// What a reply said about the budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    /// Requests in a window.
    pub(super) limit: u32,
    /// Requests left in this window.
    pub(super) remaining: u32,
    /// From now to the end of the window.
    pub(super) resets_in: Duration,
}

/// The budget; cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Held by the caller whose turn it is; tokio's mutex lets callers in by their order of arrival.
    turn: Mutex<()>,
    state: watch::Sender<State>,
}

impl Budget {
    pub(super) fn new() -> Self {
        let (state, _) = watch::channel(State::default());
        Self {
            shared: Arc::new(Shared {
                turn: Mutex::new(()),
                state,
            }),
        }
    }

    /// Waits until a request may be sent, in order of arrival. The permit is kept until its reply is here.
    pub(super) async fn acquire(&self) -> Permit {
        let _turn = self.shared.turn.lock().await;
        let mut changes = self.shared.state.subscribe();
        loop {
            changes.borrow_and_update();
            let mut taken = Take::Sent;
            self.shared.state.send_if_modified(|state| {
                taken = state.take(Instant::now());
                taken == Take::Sent
            });
            match taken {
                Take::Sent => break,
                Take::Wait { until: None } => {
                    // Never an error: `self` holds the sender.
                    let _ = changes.changed().await;
                }
                Take::Wait { until: Some(until) } => {
                    tokio::select! {
                        _ = changes.changed() => {}
                        () = sleep_until(until) => {}
                    }
                }
            }
        }
        Permit { budget: self.clone() }
    }

    /// The budget as last known; `None` before the first reply, and where Gitter counts nothing.
    pub(super) fn state(&self) -> Option<BudgetState> {
        let state = *self.shared.state.borrow();
        state.window.map(|window| BudgetState {
            limit: window.limit,
            remaining: window.remaining.saturating_sub(state.in_flight),
            resets_at: window.ends.map(timestamp),
        })
    }
}

/// The right to one request. Dropping it says that the request is over.
#[derive(Debug)]
pub struct Permit {
    budget: Budget,
}

impl Permit {
    /// Takes in what the reply said; `None` where it said nothing.
    pub(super) fn answered(self, report: Option<Report>) {
        self.budget
            .shared
            .state
            .send_modify(|state| state.answered(report, Instant::now()));
    }

    /// Takes in a refusal (429) and gives the time of the next window, by our clock.
    pub(super) fn refused(self, resets_in: Option<Duration>) -> Timestamp {
        let now = Instant::now();
        let ends = now + resets_in.unwrap_or(USUAL_WINDOW).min(LONGEST_WINDOW) + GRACE;
        self.budget.shared.state.send_modify(|state| state.refused(ends));
        timestamp(ends)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget
            .shared
            .state
            .send_modify(|state| state.in_flight = state.in_flight.saturating_sub(1));
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Requests sent and not answered, which the server may or may not have counted yet.
    in_flight: u32,
    /// Whether any reply has come. Before that, requests go one at a time: an earlier run of the bridge may
    /// have spent the window.
    known: bool,
    /// `None` where Gitter counts nothing.
    window: Option<Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    limit: u32,
    /// The lowest number told in this window: replies may arrive in another order than they were counted.
    remaining: u32,
    /// `None` for a window that no reply has told of.
    ends: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// The request may leave, and is counted as on its way.
    Sent,
    /// It has to wait for a change, or until then.
    Wait { until: Option<Instant> },
}

impl State {
    fn take(&mut self, now: Instant) -> Take {
        if let Some(window) = &mut self.window
            && window.ends.is_some_and(|ends| ends <= now)
        {
            window.remaining = window.limit.max(1);
            window.ends = None;
        }
        let free = match self.window {
            Some(window) => window.remaining > self.in_flight,
            None => self.known || self.in_flight == 0,
        };
        if free {
            self.in_flight = self.in_flight.saturating_add(1);
            Take::Sent
        } else {
            Take::Wait {
                until: self.window.and_then(|window| window.ends),
            }
        }
    }

    fn answered(&mut self, report: Option<Report>, now: Instant) {
        self.known = true;
        // A reply that comes after its window's end says nothing of the next one.
        let Some(report) = report.filter(|report| !report.resets_in.is_zero()) else {
            return;
        };
        let ends = now + report.resets_in.min(LONGEST_WINDOW) + GRACE;
        let same_window = self
            .window
            .and_then(|window| Some((window.remaining, window.ends?)))
            .filter(|(_, known)| apart(*known, ends) < JITTER);
        let (remaining, ends) = match same_window {
            Some((remaining, known)) => (remaining.min(report.remaining), known.max(ends)),
            None => (report.remaining, ends),
        };
        self.window = Some(Window {
            limit: report.limit,
            remaining,
            ends: Some(ends),
        });
    }

    fn refused(&mut self, ends: Instant) {
        self.known = true;
        self.window = Some(Window {
            limit: self.window.map_or(1, |window| window.limit),
            remaining: 0,
            ends: Some(ends),
        });
    }
}

fn apart(one: Instant, other: Instant) -> Duration {
    one.max(other).duration_since(one.min(other))
}

fn timestamp(instant: Instant) -> Timestamp {
    let ahead = instant.saturating_duration_since(Instant::now());
    SignedDuration::try_from(ahead)
        .ok()
        .and_then(|ahead| Timestamp::now().checked_add(ahead).ok())
        .unwrap_or(Timestamp::MAX)
}
