//! What all tasks of a running sandbox share: the state behind its mutex, the clock, and the order to stop.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::state::State;

/// A running sandbox.
pub(crate) struct Server {
    state: Mutex<State>,
    /// How far the clock is ahead, in milliseconds.
    clock_skew: AtomicI64,
    /// Cancelled when the sandbox is to stop.
    pub(crate) stopping: CancellationToken,
    /// The tasks of requests and sockets.
    pub(crate) tasks: TaskTracker,
}

impl Server {
    /// A server with the state it starts with.
    pub(crate) fn new(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            clock_skew: AtomicI64::new(0),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// The state. Nothing waits while it is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in one request leaves the state as whole as any refused operation does.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time by the sandbox's own clock, in the whole milliseconds that Gitter stores.
    pub(crate) fn now(&self) -> Timestamp {
        let skew = SignedDuration::from_millis(self.clock_skew.load(Ordering::Relaxed));
        let now = true_time();
        now.checked_add(skew).unwrap_or(now)
    }

    /// Sets the clock ahead, or behind where negative.
    pub(crate) fn skew_clock(&self, milliseconds: i64) {
        self.clock_skew.store(milliseconds, Ordering::Relaxed);
    }
}

/// The time, in whole milliseconds.
pub(crate) fn true_time() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
