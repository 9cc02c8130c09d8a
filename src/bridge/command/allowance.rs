//! What all people together may cause at Gitter by commands, so that nobody spends the budget of messages with them.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use boot_time::Instant;

/// The most requests of one minute, of the hundred that Gitter allows.
const REQUESTS: usize = 30;

const MINUTE: Duration = Duration::from_mins(1);

/// For how long an answer to a ping is told to whoever else asks.
const PING_HOLDS: Duration = Duration::from_secs(30);

/// The requests of the last minute, and the last ping.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Allowance {
    spent: Mutex<VecDeque<Instant>>,
    /// When Gitter last answered a ping, and how long that took.
    pub(super) pinged: tokio::sync::Mutex<Option<Ping>>,
}

/// An answer of Gitter's to a ping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ping {
    pub(super) at: Instant,
    pub(super) took: Duration,
}

impl Ping {
    /// Whether it still says how things are.
    pub(super) fn holds(&self) -> bool {
        self.at.elapsed() < PING_HOLDS
    }
}

impl Allowance {
    /// Takes some requests; `false`, and none is taken, if this minute has not as many left.
    pub(super) fn take(&self, requests: usize) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|at| at.elapsed() < MINUTE);
        let has_room = spent.len() + requests <= REQUESTS;
        if has_room {
            spent.extend(std::iter::repeat_n(Instant::now(), requests));
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_requests() {
        let allowance = Allowance::default();
        assert!(allowance.take(REQUESTS - 1));
        assert!(!allowance.take(2));
        assert!(allowance.take(1) && !allowance.take(1));
    }
}
