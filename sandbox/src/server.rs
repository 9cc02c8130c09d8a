//! What all tasks of a running sandbox share: the state behind its mutex, the clock, and the order to stop.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::state::State;

/// A running sandbox.
pub(crate) struct Server {
    state: Mutex<State>,
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
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// The state. Nothing waits while it is held.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in one request leaves the state as whole as any refused operation does.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, in the whole milliseconds that Gitter stores.
    pub(crate) fn now() -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}
