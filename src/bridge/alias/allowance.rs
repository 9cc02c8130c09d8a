//! What may be asked of Gitter for aliases that people try, so that nobody spends the budget of messages with them.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use boot_time::Instant;

/// The most requests of one minute (DESIGN 5).
const REQUESTS: usize = 5;

const MINUTE: Duration = Duration::from_mins(1);

/// How long what is not there is not asked for again (DESIGN 5).
const MISS: Duration = Duration::from_mins(10);

/// The most misses remembered; beyond it all are forgotten, and may be tried.
const MISSES: usize = 10_000;

/// The requests of the last minute, and what was asked for in vain.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    spent: VecDeque<Instant>,
    missed: HashMap<String, Instant>,
}

impl Allowance {
    /// Takes one request; `false` if those of this minute are spent.
    pub(super) fn take(&self) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.spent.retain(|at| at.elapsed() < MINUTE);
        let has_room = inner.spent.len() < REQUESTS;
        if has_room {
            inner.spent.push_back(Instant::now());
        }
        has_room
    }

    /// Whether this was asked for in vain lately.
    pub(super) fn is_missed(&self, what: &str) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let at = inner.missed.get(what);
        at.is_some_and(|at| at.elapsed() < MISS)
    }

    /// Notes that this was asked for in vain.
    pub(super) fn miss(&self, what: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.missed.len() >= MISSES {
            inner.missed.clear();
        }
        inner.missed.insert(what.to_owned(), Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_requests_a_minute() {
        let allowance = Allowance::default();
        let taken = (0..8).filter(|_| allowance.take()).count();
        assert_eq!(taken, REQUESTS);
    }

    #[test]
    fn what_is_not_there_is_remembered() {
        let allowance = Allowance::default();
        allowance.miss("a/b");
        assert!(allowance.is_missed("a/b") && !allowance.is_missed("a/c"));
    }
}
