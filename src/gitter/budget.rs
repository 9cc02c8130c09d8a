//! The request budget of one Gitter account (gitter-api 3.1): so many requests in a window of a minute, for
//! all rooms and people together.
//!
//! It waits before a request rather than be refused, and lets what people wait for go first. It knows nothing of
//! HTTP: the client tells it what the replies said. Time is tokio's, so tests can pause it.

mod queue;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tracing::info;

pub use self::queue::Class;
use self::queue::{Queue, Ticket};
use crate::metrics;

/// Waited beyond the announced end of a window, because the announcement jitters by a second.
const GRACE: Duration = Duration::from_secs(1);
/// Two announced ends that differ by less are the same window's.
const JITTER: Duration = Duration::from_secs(5);
/// How long a refusal counts that names no end: a window of Gitter's default length.
const USUAL_WINDOW: Duration = Duration::from_mins(1);
/// No announced end is believed to be further away than this.
const LONGEST_WINDOW: Duration = Duration::from_mins(10);
/// When somebody looks again who was woken out of turn: whose turn it is changes with time, too.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The budget as last known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetState {
    /// Requests in a window.
    pub limit: u32,
    /// Requests left in this window, less those on their way.
    pub remaining: u32,
    /// When the next window begins, by our clock; `None` if no request has yet opened this one.
    pub resets_at: Option<Timestamp>,
    /// How many requests wait, by what they are for.
    pub waiting: [(Class, u32); 4],
    /// How long a message waits that comes now, in a lane where nothing else does.
    pub live_wait: Duration,
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
    state: Arc<watch::Sender<State>>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            state: Arc::new(watch::Sender::new(State::default())),
        }
    }

    /// Waits until a request may be sent: the better class first, then in order of arrival. The permit is kept until
    /// its reply is here. Whoever stops waiting loses the place.
    pub(super) async fn acquire(&self, class: Class) -> Permit {
        let asked = Instant::now();
        let place = self.join(class, asked);
        let mut changes = self.state.subscribe();
        loop {
            changes.borrow_and_update();
            let (mut taken, mut news) = (Take::Sent, None);
            self.state.send_if_modified(|state| {
                let now = Instant::now();
                taken = state.take(place.ticket, now);
                news = state.news(taken, now);
                taken == Take::Sent
            });
            if let Some(news) = news {
                news.tell();
            }
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
        metrics::waited_for_budget(class.as_str(), asked.elapsed());
        Permit { budget: self.clone() }
    }

    fn join(&self, class: Class, now: Instant) -> Place<'_> {
        let mut ticket = 0;
        // Nobody has to wake up for somebody behind them.
        self.state.send_if_modified(|state| {
            ticket = state.queue.join(class, now);
            false
        });
        Place { budget: self, ticket }
    }

    /// The budget as last known; `None` before the first reply, and where Gitter counts nothing.
    pub(super) fn state(&self) -> Option<BudgetState> {
        let now = Instant::now();
        let state = self.state.borrow();
        state.window.map(|window| BudgetState {
            limit: window.limit,
            remaining: window.left(state.in_flight, now),
            resets_at: window.ends.filter(|ends| *ends > now).map(timestamp),
            waiting: Class::ALL.map(|class| (class, state.queue.of_class(class))),
            live_wait: state.wait(state.queue.ahead_of(Class::Live, now), now),
        })
    }

    /// How long a request waits that has its turn behind so many others.
    pub(super) fn wait_behind(&self, ahead: u32) -> Duration {
        self.state.borrow().wait(ahead, Instant::now())
    }
}

/// A place in the queue, given up when it is dropped.
#[derive(Debug)]
struct Place<'a> {
    budget: &'a Budget,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // `false` of one that had its turn.
        self.budget
            .state
            .send_if_modified(|state| state.queue.leave(self.ticket));
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
            .state
            .send_modify(|state| state.answered(report, Instant::now()));
    }

    /// Takes in a refusal (429) and gives the time of the next window, by our clock.
    pub(super) fn refused(self, resets_in: Option<Duration>) -> Timestamp {
        let now = Instant::now();
        let ends = now + resets_in.unwrap_or(USUAL_WINDOW).min(LONGEST_WINDOW) + GRACE;
        self.budget.state.send_modify(|state| state.refused(ends));
        timestamp(ends)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget
            .state
            .send_modify(|state| state.in_flight = state.in_flight.saturating_sub(1));
    }
}

#[derive(Debug, Default)]
struct State {
    /// Requests sent and not answered, which the server may or may not have counted yet.
    in_flight: u32,
    /// Whether any reply has come. Before that, requests go one at a time: an earlier run of the bridge may
    /// have spent the window.
    known: bool,
    /// `None` where Gitter counts nothing.
    window: Option<Window>,
    /// The longest time to the end of a window that was told: about the length of one.
    length: Option<Duration>,
    /// Those who wait.
    queue: Queue,
    /// The end of the window that was said to be spent.
    told: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    limit: u32,
    /// The lowest number told in this window: replies may arrive in another order than they were counted.
    remaining: u32,
    /// `None` for a window that no reply has told of.
    ends: Option<Instant>,
}

impl Window {
    /// What it allows beside what is on its way; all that the next one does, once it is over.
    fn left(self, in_flight: u32, now: Instant) -> u32 {
        let remaining = if self.ends.is_some_and(|ends| ends <= now) {
            self.limit.max(1)
        } else {
            self.remaining
        };
        remaining.saturating_sub(in_flight)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// The request may leave, and is counted as on its way.
    Sent,
    /// It has to wait for a change, or until then.
    Wait { until: Option<Instant> },
}

/// That a window is spent and requests wait.
#[derive(Debug)]
struct Spent {
    until: Instant,
    waiting: u32,
    last: Duration,
}

impl Spent {
    fn tell(&self) {
        info!(
            budget.resets_at = %timestamp(self.until),
            requests.waiting = self.waiting,
            wait.seconds = self.last.as_secs(),
            "Gitter's request budget is spent; requests wait, the last of them for about so long"
        );
    }
}

impl State {
    fn take(&mut self, ticket: Ticket, now: Instant) -> Take {
        if let Some(window) = &mut self.window
            && window.ends.is_some_and(|ends| ends <= now)
        {
            window.remaining = window.limit.max(1);
            window.ends = None;
        }
        let free = match self.window {
            Some(window) => window.left(self.in_flight, now) > 0,
            None => self.known || self.in_flight == 0,
        };
        if !free {
            let until = self.window.and_then(|window| window.ends);
            return Take::Wait { until };
        }
        if self.queue.first(now) != Some(ticket) {
            return Take::Wait {
                until: Some(now + LOOK_AGAIN),
            };
        }
        self.queue.leave(ticket);
        self.in_flight = self.in_flight.saturating_add(1);
        Take::Sent
    }

    /// What is to be said of a request that waits: once in each window that is spent.
    fn news(&mut self, taken: Take, now: Instant) -> Option<Spent> {
        let window = self.window?;
        let until = window.ends?;
        let is_told = self.told.is_some_and(|told| apart(told, until) < JITTER);
        if taken == Take::Sent || is_told || window.left(self.in_flight, now) > 0 || window.remaining > 0 {
            return None;
        }
        self.told = Some(until);
        let waiting = self.queue.len();
        Some(Spent {
            until,
            waiting,
            last: self.wait(waiting.saturating_sub(1), now),
        })
    }

    /// How long a request waits that has its turn behind so many others: as if each of them needed one request, and
    /// windows followed each other without a gap.
    fn wait(&self, ahead: u32, now: Instant) -> Duration {
        let Some(window) = self.window else {
            return Duration::ZERO;
        };
        let left = window.left(self.in_flight, now);
        let Some(beyond) = ahead.checked_sub(left) else {
            return Duration::ZERO;
        };
        let length = self.length.unwrap_or(USUAL_WINDOW).saturating_add(GRACE);
        let ends = window.ends.filter(|ends| *ends > now);
        let next = ends.map_or(length, |ends| ends.duration_since(now));
        let more = beyond.checked_div(window.limit).unwrap_or(beyond);
        next.saturating_add(length.saturating_mul(more))
    }

    fn answered(&mut self, report: Option<Report>, now: Instant) {
        self.known = true;
        // A reply that comes after its window's end says nothing of the next one.
        let Some(report) = report.filter(|report| !report.resets_in.is_zero()) else {
            return;
        };
        let resets_in = report.resets_in.min(LONGEST_WINDOW);
        self.length = self.length.max(Some(resets_in));
        let ends = now + resets_in + GRACE;
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
