//! Pauses of a whole side: a homeserver or Gitter server that cannot be reached, or takes no more for now.

use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use crate::{gitter::Token, store::Direction};

/// The longest pause, in milliseconds.
const LONGEST: i64 = 60_000;

#[derive(Debug, Default, Clone, Copy)]
struct Side {
    paused_until: i64,
    failures: u32,
}

/// Which sides take messages now. In memory: a new process finds out for itself.
#[derive(Debug)]
pub(super) struct Sides {
    /// As long as Gitter refuses it, nothing goes there.
    token: Token,
    gitter: Mutex<Side>,
    matrix: Mutex<Side>,
}

impl Sides {
    pub(super) fn new(token: Token) -> Self {
        Self {
            token,
            gitter: Mutex::default(),
            matrix: Mutex::default(),
        }
    }

    fn side(&self, direction: Direction) -> (&Mutex<Side>, &'static str) {
        match direction {
            Direction::ToGitter => (&self.gitter, "Gitter"),
            Direction::ToMatrix => (&self.matrix, "the homeserver"),
        }
    }

    /// Whether the side that items of this direction go to takes messages.
    pub(super) fn is_open(&self, direction: Direction, now: i64) -> bool {
        let is_refused = direction == Direction::ToGitter && self.token.is_refused();
        self.closed_until(direction, now).is_none() && !is_refused
    }

    /// When the side is tried again that items of this direction go to; `None` if it is not paused.
    pub(super) fn closed_until(&self, direction: Direction, now: i64) -> Option<i64> {
        let side = self.side(direction).0.lock();
        let paused_until = side.unwrap_or_else(PoisonError::into_inner).paused_until;
        Some(paused_until).filter(|until| *until > now)
    }

    /// Pauses a side, until a time the side named or for a growing time, and gives the end of the pause.
    /// Failures of requests that were under way together count once.
    pub(super) fn pause(&self, direction: Direction, until: Option<i64>, why: &str, now: i64) -> i64 {
        let (side, name) = self.side(direction);
        let mut side = side.lock().unwrap_or_else(PoisonError::into_inner);
        if side.paused_until <= now {
            side.failures = side.failures.saturating_add(1);
            let wait = until.map_or_else(
                || super::failure::back_off(side.failures, LONGEST),
                |until| until - now,
            );
            side.paused_until = now + wait.max(100);
            warn!(
                side.name = name,
                pause.milliseconds = wait,
                why,
                "A side does not take messages; waiting"
            );
        } else if let Some(until) = until {
            side.paused_until = side.paused_until.max(until);
        }
        side.paused_until
    }

    /// Notes that a side took a message.
    pub(super) fn succeeded(&self, direction: Direction) {
        let (side, name) = self.side(direction);
        let mut side = side.lock().unwrap_or_else(PoisonError::into_inner);
        if side.failures > 0 {
            info!(side.name = name, "A side takes messages again");
            *side = Side::default();
        }
    }
}
