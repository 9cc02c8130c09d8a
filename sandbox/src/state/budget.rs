//! The request budget of each account and client (gitter-api 3.1): a window of a minute that starts with its
//! first request. Pure.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

use super::Caller;

/// Counts requests.
pub(super) struct Budget {
    limit: u32,
    /// The length of a window, in milliseconds.
    window: i64,
    charged: Charged,
    windows: HashMap<Caller, Window>,
}

struct Window {
    ends: i64,
    requests: u32,
}

/// How many requests came that count, of whomever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charged {
    /// All of them.
    pub requests: u64,
    /// Those that were over a budget.
    pub refused: u64,
}

/// What a counted request is told about its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    /// Requests a minute.
    pub(crate) limit: u32,
    /// Requests left in this window.
    pub(crate) remaining: u32,
    /// When the window ends: Unix time in milliseconds. It jitters, being now and whole seconds, as Gitter's.
    pub(crate) reset: i64,
    /// Whether the request is over the budget.
    pub(crate) exceeded: bool,
}

impl Budget {
    /// `limit` requests in a window; 0 for no limit.
    pub(super) fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit,
            window: i64::try_from(window.as_millis()).unwrap_or(i64::MAX),
            charged: Charged::default(),
            windows: HashMap::new(),
        }
    }

    /// Counts a request; `None` where there is no limit.
    pub(super) fn charge(&mut self, now: Timestamp, caller: &Caller) -> Option<Charge> {
        self.charged.requests += 1;
        if self.limit == 0 {
            return None;
        }
        let now = now.as_millisecond();
        let window = self.windows.entry(caller.clone()).or_insert(Window {
            ends: now.saturating_add(self.window),
            requests: 0,
        });
        if window.ends <= now {
            *window = Window {
                ends: now.saturating_add(self.window),
                requests: 0,
            };
        }
        window.requests += 1;
        let exceeded = window.requests > self.limit;
        self.charged.refused += u64::from(exceeded);
        let whole_seconds = (window.ends - now + 500) / 1000;
        Some(Charge {
            limit: self.limit,
            remaining: self.limit.saturating_sub(window.requests),
            reset: now + whole_seconds * 1000,
            exceeded,
        })
    }

    /// How many requests came.
    pub(super) const fn charged(&self) -> Charged {
        self.charged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_600_000_000_000 + millisecond).unwrap()
    }

    fn caller(client: &str) -> Caller {
        Caller {
            user: "5f0000000000000000000c01".parse().unwrap(),
            client: client.to_owned(),
        }
    }

    #[test]
    fn a_window_starts_with_its_first_request_and_ends_a_minute_later() {
        let mut budget = Budget::new(2, MINUTE);
        let first = budget.charge(at(300), &caller("a")).unwrap();
        assert_eq!((first.remaining, first.exceeded), (1, false));
        assert_eq!(first.reset, at(60_300).as_millisecond());
        assert!(!budget.charge(at(20_000), &caller("a")).unwrap().exceeded);
        let over = budget.charge(at(60_299), &caller("a")).unwrap();
        assert_eq!((over.remaining, over.exceeded), (0, true));
        assert!(!budget.charge(at(60_300), &caller("a")).unwrap().exceeded);
    }

    #[test]
    fn each_client_of_an_account_has_a_budget_of_its_own() {
        let mut budget = Budget::new(1, MINUTE);
        assert!(!budget.charge(at(0), &caller("a")).unwrap().exceeded);
        assert!(!budget.charge(at(0), &caller("b")).unwrap().exceeded);
        assert!(budget.charge(at(0), &caller("a")).unwrap().exceeded);
        let charged = Charged {
            requests: 3,
            refused: 1,
        };
        assert_eq!(budget.charged(), charged);
    }

    #[test]
    fn no_limit_counts_nothing() {
        assert_eq!(Budget::new(0, MINUTE).charge(at(0), &caller("a")), None);
    }
}
