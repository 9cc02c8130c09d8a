//! How a request to the homeserver can go wrong, told apart by what may have happened there.

use std::{error::Error as StdError, time::Duration};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;

use super::Endpoint;
use crate::metrics::result_of;

/// The most of a homeserver's message that is kept, in characters: a proxy may answer with a page.
const MESSAGE_CHARS: usize = 300;

/// Why a request to the homeserver failed. It never holds a token, and of bodies only the homeserver's
/// own error message.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The homeserver, or a proxy before it, answered with something else than success: it did not do it.
    /// Only a 5xx leaves that open.
    #[error("the homeserver answered {endpoint} with {status}{}: {message}", with_space(errcode.as_deref()))]
    Api {
        /// The call.
        endpoint: Endpoint,
        /// The HTTP status.
        status: StatusCode,
        /// The Matrix error code, such as `M_FORBIDDEN`; none if a proxy answered.
        errcode: Option<String>,
        /// The homeserver's words, cut to 300 characters.
        message: String,
        /// How long the homeserver asks to wait (`retry_after_ms`, else the header `Retry-After`).
        retry_after: Option<Duration>,
    },

    /// No connection could be made, so nothing was sent.
    #[error(
        "the homeserver cannot be reached at {homeserver} ({endpoint}); is homeserver.url right, and does it run?"
    )]
    Unreachable {
        /// The call.
        endpoint: Endpoint,
        /// `homeserver.url`.
        homeserver: String,
        /// What the network said.
        source: reqwest::Error,
    },

    /// The connection broke or the time was up after the request may have been sent: it may have been done.
    #[error("the connection to the homeserver broke during {endpoint}, which may or may not be done")]
    Interrupted {
        /// The call.
        endpoint: Endpoint,
        /// What the network said.
        source: reqwest::Error,
    },

    /// The homeserver answered with success, but not in a form that can be read: it may have been done.
    #[error("the homeserver's answer to {endpoint} cannot be read")]
    Unreadable {
        /// The call.
        endpoint: Endpoint,
        /// What is wrong with the answer.
        source: Box<dyn StdError + Send + Sync>,
    },

    /// The request could not be put into words, so nothing was sent.
    #[error("{endpoint} cannot be written as a request")]
    Unwritable {
        /// The call.
        endpoint: Endpoint,
        /// What is wrong with it.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl MatrixError {
    /// The call that failed.
    pub const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Api { endpoint, .. }
            | Self::Unreachable { endpoint, .. }
            | Self::Interrupted { endpoint, .. }
            | Self::Unreadable { endpoint, .. }
            | Self::Unwritable { endpoint, .. } => *endpoint,
        }
    }

    /// Whether the homeserver answered with this error code.
    pub fn is(&self, code: &str) -> bool {
        matches!(self, Self::Api { errcode: Some(errcode), .. } if errcode == code)
    }

    /// The HTTP status of the answer; none if there was no answer, or one of success.
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Api { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether asking again would be answered in the same way. Not so where the token is not taken: it may be a new one's
    /// turn.
    pub fn refuses(&self) -> bool {
        let passing = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS];
        self.status()
            .is_some_and(|status| status.is_client_error() && !passing.contains(&status))
    }

    /// The word for how the request ended.
    pub(super) fn result(&self) -> &'static str {
        match self {
            Self::Api { status, .. } => result_of(*status),
            Self::Unreachable { .. } => "unreachable",
            Self::Interrupted { .. } => "interrupted",
            Self::Unreadable { .. } => "unreadable",
            Self::Unwritable { .. } => "unwritable",
        }
    }

    /// How long the homeserver asks to wait. It may be shorter than a back-off of one's own: use the larger.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the homeserver does not know the call at all, or not this use of it (404, 405 or
    /// `M_UNRECOGNIZED`; client-server API, "Common error codes").
    pub fn is_unsupported(&self) -> bool {
        self.is("M_UNRECOGNIZED")
            || matches!(
                self.status(),
                Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
            )
    }

    /// Reads an answer that is no success: the standard error body, or whatever else it is.
    pub(super) fn from_answer(
        endpoint: Endpoint,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Self {
        let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
        let message = body
            .error
            .or_else(|| status.canonical_reason().map(str::to_owned))
            .unwrap_or_default();
        Self::Api {
            endpoint,
            status,
            errcode: body.errcode,
            message: message.chars().take(MESSAGE_CHARS).collect(),
            retry_after: body
                .retry_after_ms
                .map(Duration::from_millis)
                .or_else(|| retry_after_header(headers)),
        }
    }
}

/// The standard error body (client-server API, "Standard error response"). Read by hand because ruma cuts
/// `retry_after_ms` to whole seconds.
#[derive(Default, Deserialize)]
struct ErrorBody {
    errcode: Option<String>,
    error: Option<String>,
    retry_after_ms: Option<u64>,
}

fn retry_after_header(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn with_space(errcode: Option<&str>) -> String {
    errcode.map(|errcode| format!(" {errcode}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(status: u16, headers: &HeaderMap, body: &str) -> MatrixError {
        let status = StatusCode::from_u16(status).unwrap();
        MatrixError::from_answer(Endpoint::Send, status, headers, body.as_bytes())
    }

    #[test]
    fn the_standard_body_keeps_code_message_and_milliseconds() {
        let body = r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too many","retry_after_ms":50}"#;
        let error = answer(429, &HeaderMap::new(), body);
        assert!(error.is("M_LIMIT_EXCEEDED"));
        assert!(!error.is("M_FORBIDDEN"));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(50)));
        assert_eq!(
            error.to_string(),
            "the homeserver answered send with 429 Too Many Requests M_LIMIT_EXCEEDED: Too many"
        );
    }

    #[test]
    fn a_proxys_page_is_not_taken_for_a_message() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
        let error = answer(502, &headers, "<html>nginx</html>");
        assert_eq!(error.status(), Some(StatusCode::BAD_GATEWAY));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(
            error.to_string(),
            "the homeserver answered send with 502 Bad Gateway: Bad Gateway"
        );
    }

    #[test]
    fn unsupported_is_not_forbidden() {
        let headers = HeaderMap::new();
        assert!(answer(405, &headers, "").is_unsupported());
        assert!(answer(400, &headers, r#"{"errcode":"M_UNRECOGNIZED","error":""}"#).is_unsupported());
        assert!(!answer(403, &headers, r#"{"errcode":"M_FORBIDDEN","error":""}"#).is_unsupported());
        assert!(!answer(400, &headers, r#"{"errcode":"M_UNKNOWN_DEVICE","error":""}"#).is_unsupported());
    }

    #[test]
    fn a_long_message_is_cut() {
        let body = serde_json::json!({"errcode": "M_UNKNOWN", "error": "é".repeat(5_000)}).to_string();
        let MatrixError::Api { message, .. } = answer(400, &HeaderMap::new(), &body) else {
            panic!("an answer is an Api error");
        };
        assert_eq!(message.chars().count(), MESSAGE_CHARS);
    }
}
