//! Why Gitter does not do what it was asked, as HTTP statuses: Gitter's own code thinks in them too, and its
//! Bayeux errors start with the same numbers.

use axum::http::StatusCode;

/// A refusal. The reason is for the log: clients only get the status (gitter-api 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", status.as_u16())]
pub(crate) struct Refusal {
    /// The status that the client sees.
    pub(crate) status: StatusCode,
    /// Which rule refused.
    pub(crate) reason: &'static str,
}

impl Refusal {
    /// 301: it is elsewhere, and Gitter does not say where.
    pub(crate) fn moved(reason: &'static str) -> Self {
        Self {
            status: StatusCode::MOVED_PERMANENTLY,
            reason,
        }
    }

    /// 400: the request breaks a rule of its own.
    pub(crate) fn bad_request(reason: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason,
        }
    }

    /// 403: the caller may not.
    pub(crate) fn forbidden(reason: &'static str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            reason,
        }
    }

    /// 404: it is not there, or the caller may not know that it is.
    pub(crate) fn not_found(reason: &'static str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            reason,
        }
    }

    /// 413: it is more than is taken in.
    pub(crate) fn too_large(reason: &'static str) -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            reason,
        }
    }

    /// 429: a budget is spent.
    pub(crate) fn too_many(reason: &'static str) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            reason,
        }
    }

    /// 409: something of that name exists.
    pub(crate) fn conflict(reason: &'static str) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            reason,
        }
    }

    /// 500, where Gitter stumbles over input that it should have refused.
    pub(crate) fn stumbled(reason: &'static str) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            reason,
        }
    }
}
