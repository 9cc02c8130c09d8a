//! What a failure means: the table of DESIGN 3.2. Only `deliver` acts on it.

#[cfg(test)]
mod tests;

use http::StatusCode;

use crate::{gitter::GitterError, matrix::MatrixError, outcome::Reason};

/// The longest back-off of an item, in milliseconds.
const LONGEST: i64 = 300_000;

/// The longest that a homeserver's wish to wait is followed, in milliseconds.
const LONGEST_ASKED: i64 = 600_000;

/// How long an item waits that needs something from a side that cannot be reached, in milliseconds.
const UNREACHED: i64 = 5_000;

/// How long the account waits after its token was refused, in milliseconds.
const REFUSED_TOKEN: i64 = 60_000;

/// How often an item is tried whose user the homeserver does not give to the bridge: about an hour.
const TRIES_OF_EXCLUSIVE: i64 = 20;

/// What to do about a failed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Try the item again after this many milliseconds; its lane waits, others go on.
    Retry { after: i64 },
    /// The whole side waits: until this time, or for a growing time.
    PauseSide { until: Option<i64> },
    /// Gitter refuses the token: nothing goes there until it takes one.
    AwaitToken,
    /// The room refuses everybody: its portal stops until an operator looks at it.
    BreakPortal,
    /// There is nothing left to do.
    Skip(Reason),
    /// The item has failed.
    Reject(Reason),
    /// The item has failed, and the account must not post until an operator lets it: Gitter does not store what it
    /// posts.
    PauseAccount,
}

/// A growing wait with jitter, in milliseconds: about 1 s, 2 s, 4 s, ... up to `longest`.
pub(super) fn back_off(failures: u32, longest: i64) -> i64 {
    let base = 1_000_i64
        .saturating_mul(1_i64 << failures.saturating_sub(1).min(20))
        .min(longest);
    base / 2 + rand::random_range(0..=base / 2)
}

fn retry(tries: i64) -> Decision {
    Decision::Retry {
        after: back_off(u32::try_from(tries).unwrap_or(u32::MAX), LONGEST),
    }
}

/// Creating a message on Gitter failed. `tries` counts this one.
///
/// | status | decision |
/// |---|---|
/// | no connection, 429 | the side waits |
/// | 401 | the side waits for a token that is taken |
/// | time-out, reset, 5xx, unreadable 200 | retry, after looking whether it arrived |
/// | 404 | the portal stops: the room is gone |
/// | 413 | rejected as too large |
/// | 403, other 4xx | rejected: this person, or this message |
pub(super) fn gitter_create(error: &GitterError, tries: i64) -> Decision {
    match error {
        GitterError::Unreachable { .. } => Decision::PauseSide { until: None },
        GitterError::RateLimited { until, .. } => Decision::PauseSide {
            until: Some(until.as_millisecond()),
        },
        GitterError::Unauthorized { .. } => Decision::AwaitToken,
        GitterError::Status { status, .. } => match *status {
            StatusCode::NOT_FOUND => Decision::BreakPortal,
            StatusCode::PAYLOAD_TOO_LARGE => Decision::Reject(Reason::TooLarge),
            StatusCode::BAD_REQUEST => Decision::Reject(Reason::BadEvent),
            status if status.is_server_error() => retry(tries),
            _ => Decision::Reject(Reason::Forbidden),
        },
        _ => retry(tries),
    }
}

/// Changing a message on Gitter failed. `tries` counts this one. A change may be repeated, so an unknown
/// outcome is no other than a failure.
///
/// | status | decision |
/// |---|---|
/// | no connection, 429 | the side waits |
/// | 401 | the side waits for a token that is taken |
/// | time-out, reset, 5xx, unreadable 200 | retry |
/// | 404 | skipped: the message is gone |
/// | 400 of an edit | see [`is_past_window`] |
/// | 403, other 4xx | rejected |
pub(super) fn gitter_change(error: &GitterError, tries: i64) -> Decision {
    match gitter_create(error, tries) {
        Decision::BreakPortal => Decision::Skip(Reason::Gone),
        decision => decision,
    }
}

/// Whether Gitter refused an edit for the message's age, as far as it tells (gitter-api 5.3): the item is then
/// translated again, with the window closed.
pub(super) fn is_past_window(error: &GitterError) -> bool {
    error.status() == Some(StatusCode::BAD_REQUEST)
}

/// What translation needs could not be read. That ends no item and stops no side; `sending` is what the failure
/// would mean there.
pub(super) fn of_reading(sending: Decision, tries: i64, now: i64) -> Decision {
    match sending {
        Decision::PauseSide { until } => Decision::Retry {
            after: until.map_or(UNREACHED, |until| (until - now).max(0)),
        },
        Decision::AwaitToken => Decision::Retry { after: UNREACHED },
        Decision::Retry { after } => Decision::Retry { after },
        Decision::BreakPortal | Decision::Skip(_) | Decision::Reject(_) | Decision::PauseAccount => {
            retry(tries)
        }
    }
}

/// Redacting an event failed. `tries` counts this one. As [`matrix_send`], but a 404 says that the event is
/// not there.
pub(super) fn matrix_redact(error: &MatrixError, tries: i64, now: i64) -> Decision {
    match matrix_send(error, tries, now) {
        Decision::BreakPortal => Decision::Skip(Reason::NotFound),
        decision => decision,
    }
}

/// Sending an event to the homeserver failed. `tries` counts this one.
///
/// | status | decision |
/// |---|---|
/// | no connection, 429, 401 | the side waits |
/// | time-out, reset, 5xx, unreadable 200 | retry, not before `Retry-After`: the transaction id makes it safe |
/// | 404 | the portal stops: the room is gone |
/// | 413 `M_TOO_LARGE` | rejected as too large |
/// | 400 `M_UNKNOWN_DEVICE` | retry: the device is made anew |
/// | 400 `M_EXCLUSIVE` | retry for about an hour: the homeserver has an older registration, or another bridge owns the name |
/// | 403, other 4xx | rejected |
pub(super) fn matrix_send(error: &MatrixError, tries: i64, now: i64) -> Decision {
    let status = match error {
        MatrixError::Unreachable { .. } => return Decision::PauseSide { until: None },
        MatrixError::Unwritable { .. } => return Decision::Reject(Reason::BadEvent),
        MatrixError::Api { status, .. } => *status,
        _ => return retry(tries),
    };
    let asked = error
        .retry_after()
        .and_then(|wait| i64::try_from(wait.as_millis()).ok())
        .map_or(0, |asked| asked.min(LONGEST_ASKED));
    match status {
        StatusCode::TOO_MANY_REQUESTS => Decision::PauseSide {
            until: Some(now.saturating_add(asked.max(1_000))),
        },
        StatusCode::UNAUTHORIZED => Decision::PauseSide {
            until: Some(now + REFUSED_TOKEN),
        },
        StatusCode::NOT_FOUND => Decision::BreakPortal,
        StatusCode::PAYLOAD_TOO_LARGE => Decision::Reject(Reason::TooLarge),
        StatusCode::BAD_REQUEST if error.is("M_UNKNOWN_DEVICE") => retry(tries),
        StatusCode::BAD_REQUEST if error.is("M_EXCLUSIVE") && tries <= TRIES_OF_EXCLUSIVE => retry(tries),
        StatusCode::BAD_REQUEST => Decision::Reject(Reason::BadEvent),
        status if status.is_server_error() => match retry(tries) {
            Decision::Retry { after } => Decision::Retry {
                after: after.max(asked),
            },
            decision => decision,
        },
        _ => Decision::Reject(Reason::Forbidden),
    }
}
