//! Whether this process still holds the lanes it claimed, by a clock that also counts suspension.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use boot_time::Instant;

/// How long a claim holds unless renewed.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// How often claims are renewed.
pub(super) const RENEWAL: Duration = Duration::from_secs(4);

/// A claim is not relied on for this long before its end: a request must have left by then.
const MARGIN: Duration = Duration::from_secs(3);

/// When the claims of this process were last renewed.
#[derive(Debug)]
pub(super) struct LeaseClock {
    renewed: Mutex<Instant>,
}

impl LeaseClock {
    pub(super) fn new() -> Self {
        Self {
            renewed: Mutex::new(Instant::now()),
        }
    }

    /// Notes a renewal that was asked for at `asked`.
    pub(super) fn renewed(&self, asked: Instant) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }

    /// Whether claims still hold, with a margin.
    pub(super) fn holds(&self) -> bool {
        self.renewed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
            < LEASE.saturating_sub(MARGIN)
    }
}
