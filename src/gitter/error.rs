//! What can go wrong on the REST side, told apart by what a caller can do about it.
//!
//! Nothing here decides whether to try again: `bridge::deliver` does. Gitter's error texts are only the
//! names of the statuses (gitter-api 3.2), so none is kept.

use http::StatusCode;
use jiff::Timestamp;

use crate::metrics::result_of;

/// Why a request to Gitter did not give what was asked for. `endpoint` is this bridge's name of the call.
#[derive(Debug, thiserror::Error)]
pub enum GitterError {
    /// A reply with a status that the call does not expect.
    #[error("Gitter answered {status} to \"{endpoint}\"")]
    Status {
        /// The call.
        endpoint: &'static str,
        /// The status.
        status: StatusCode,
    },
    /// 429: the budget is spent; the request had no effect (gitter-api 3.1).
    #[error("Gitter's request budget is spent until {until} (\"{endpoint}\")")]
    RateLimited {
        /// The call.
        endpoint: &'static str,
        /// When there is a new budget, by our clock.
        until: Timestamp,
    },
    /// 401: the token is not, or no longer, one of a user.
    #[error("Gitter refused the token (\"{endpoint}\"); put a valid one into `gitter.token_file`{}", login(*login_required))]
    Unauthorized {
        /// The call.
        endpoint: &'static str,
        /// Gitter has destroyed all tokens of the account; its owner has to sign in again (gitter-api 2).
        login_required: bool,
    },
    /// No connection: the request surely was not sent.
    #[error("Gitter cannot be reached (\"{endpoint}\"); check `gitter.api_url` and the network")]
    Unreachable {
        /// The call.
        endpoint: &'static str,
        /// What the connection failed of.
        source: reqwest::Error,
    },
    /// Time-out or loss of the connection after the request may have been sent.
    #[error("the connection to Gitter broke before it answered \"{endpoint}\"")]
    Interrupted {
        /// The call.
        endpoint: &'static str,
        /// What the request failed of.
        source: reqwest::Error,
    },
    /// A reply of success whose body is not what the call gives.
    #[error("Gitter answered {status} to \"{endpoint}\" with a body that cannot be read")]
    Unreadable {
        /// The call.
        endpoint: &'static str,
        /// The status.
        status: StatusCode,
        /// What is wrong with the body.
        source: BodyError,
    },
    /// Not the URI of a group's room. It was not sent: for a user's name Gitter would make a one-to-one room.
    #[error("{uri:?} is not a Gitter room; write group/room")]
    NotARoomUri {
        /// The URI asked for.
        uri: String,
    },
    /// The room is a one-to-one room, which is never bridged.
    #[error("{uri:?} is a one-to-one room on Gitter, which cannot be bridged")]
    OneToOne {
        /// The URI asked for.
        uri: String,
    },
    /// The room was renamed; Gitter does not say to what (gitter-api 4.5).
    #[error("the Gitter room {uri:?} was renamed; ask for it by its new name")]
    Renamed {
        /// The URI asked for.
        uri: String,
    },
    /// Gitter answered with another room than was asked for.
    #[error("Gitter answered with room {found:?} when asked for {uri:?}")]
    OtherRoom {
        /// The URI asked for.
        uri: String,
        /// The URI of the answer.
        found: String,
    },
}

impl GitterError {
    /// Whether Gitter says that there is no such thing, or that the account may not see it.
    pub fn refuses(&self) -> bool {
        let refusals = [
            StatusCode::NOT_FOUND,
            StatusCode::FORBIDDEN,
            StatusCode::BAD_REQUEST,
        ];
        matches!(self, Self::Status { status, .. } if refusals.contains(status))
    }

    /// Whether a request that changes something may have taken effect all the same: it was cut off, any 5xx,
    /// or an unreadable success.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::Unreadable { .. } => true,
            Self::Status { status, .. } => status.is_server_error(),
            _ => false,
        }
    }

    /// The word for how the request ended.
    pub(super) fn result(&self) -> &'static str {
        match self {
            Self::Status { status, .. } => result_of(*status),
            Self::RateLimited { .. } => result_of(StatusCode::TOO_MANY_REQUESTS),
            Self::Unauthorized { .. } => result_of(StatusCode::UNAUTHORIZED),
            Self::Unreachable { .. } => "unreachable",
            Self::Interrupted { .. } => "interrupted",
            Self::Unreadable { .. } => "unreadable",
            Self::NotARoomUri { .. }
            | Self::OneToOne { .. }
            | Self::Renamed { .. }
            | Self::OtherRoom { .. } => "ok",
        }
    }

    /// The status that the call did not expect.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

fn login(required: bool) -> &'static str {
    if required {
        ". Gitter has destroyed the account's tokens: its owner signs in on Gitter again first"
    } else {
        ""
    }
}

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is not the JSON that the call gives.
    #[error("not the JSON of this call")]
    Json(#[from] serde_json::Error),
    /// It is larger than any honest reply.
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The most that is taken.
        limit: usize,
    },
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The token holds characters that no HTTP header can.
    #[error("the Gitter token holds characters that cannot be sent; write it alone into `gitter.token_file`")]
    Token,
    /// Nothing can be joined to the URL.
    #[error("`gitter.api_url` is not a web address: {0}")]
    ApiUrl(url::Url),
    /// The HTTP client cannot be made.
    #[error("the HTTP client for Gitter cannot be made")]
    Http(#[from] reqwest::Error),
}
