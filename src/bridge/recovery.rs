//! When the homeserver may leave events out: for some time after the bridge started, refused a transaction, or was
//! sent something late, and after the homeserver could not be reached.
//!
//! Synapse can leave an event out when it ends its catching up: an event that it stores just then is neither pushed
//! with the old ones nor with the new, but only after the next failure. And one that it stored just before a crash
//! it may never push at all. `bridge::look_back` makes up for both.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use tokio::sync::Notify;

/// How long the homeserver may go on catching up after the last sign of it, in milliseconds.
const PERIOD: i64 = 30_000;

/// How late a pushed event is a sign, in milliseconds. Synapse waits at least 2 s after a failure.
const LATE: i64 = 1_500;

/// Whether the homeserver may be catching up.
#[derive(Debug)]
pub struct Recovery {
    until: AtomicI64,
    /// Whether rooms are still to be read back to what a backup knows; nothing new has its place before that.
    restored: AtomicBool,
    /// Raised when events were held back.
    pub(super) held: Notify,
}

impl Recovery {
    /// The bridge just started, perhaps on a database that was restored.
    pub const fn begin(now: i64, restored: bool) -> Self {
        Self {
            until: AtomicI64::new(now + PERIOD),
            restored: AtomicBool::new(restored),
            held: Notify::const_new(),
        }
    }

    /// A transaction was refused then, or the homeserver could not be reached: it will catch up, or start anew.
    pub(super) fn refused(&self, now: i64) {
        self.until.fetch_max(now + PERIOD, Ordering::Relaxed);
    }

    /// An event of a person was pushed; whether the homeserver may be catching up.
    pub(super) fn pushed(&self, now: i64, made_at: i64) {
        if now - made_at > LATE {
            self.refused(now);
        }
    }

    /// Whether the homeserver may be catching up.
    pub(super) fn is_on(&self, now: i64) -> bool {
        now < self.until.load(Ordering::Relaxed) || self.restored.load(Ordering::Relaxed)
    }

    /// All rooms are read back to what the backup knows.
    pub(super) fn looked_back(&self) {
        self.restored.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_a_while_after_the_start() {
        let recovery = Recovery::begin(1_000, false);
        assert!(recovery.is_on(1_000));
        assert!(!recovery.is_on(1_000 + PERIOD));
    }

    #[test]
    fn a_late_event_or_a_refusal_begins_it_anew() {
        let recovery = Recovery::begin(0, false);
        recovery.pushed(100_000, 99_000);
        assert!(!recovery.is_on(100_000));
        recovery.pushed(100_000, 98_000);
        assert!(recovery.is_on(100_000));
        recovery.refused(200_000);
        assert!(recovery.is_on(200_000));
        recovery.pushed(200_001, 0);
        assert!(recovery.is_on(200_000 + PERIOD));
    }
}
