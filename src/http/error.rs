//! Answers that say no, and the check of a bearer token.

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

/// An error in Matrix's form, with what to do about it where that is known.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) errcode: &'static str,
    pub(super) error: String,
    pub(super) mend: Option<String>,
    pub(super) more: Option<(&'static str, Value)>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, errcode: &'static str, error: impl Into<String>) -> Self {
        Self {
            status,
            errcode,
            error: error.into(),
            mend: None,
            more: None,
        }
    }

    pub(super) fn with_mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// The answer for paths and methods that do not exist.
    pub(super) fn unrecognized(status: StatusCode) -> Self {
        Self::new(status, "M_UNRECOGNIZED", "there is no such endpoint")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "errcode": self.errcode, "error": self.error });
        if let Some(object) = body.as_object_mut() {
            object.extend(self.mend.map(|mend| ("mend".to_owned(), Value::String(mend))));
            object.extend(self.more.map(|(key, value)| (key.to_owned(), value)));
        }
        (self.status, Json(body)).into_response()
    }
}

/// The code of what the HTTP library refuses by itself.
pub(super) const fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::UNPROCESSABLE_ENTITY => {
            "M_INVALID_PARAM"
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "M_UNRECOGNIZED",
        StatusCode::PAYLOAD_TOO_LARGE => "M_TOO_LARGE",
        _ => "M_UNKNOWN",
    }
}

/// Checks the bearer token of a request, in constant time. `wrong` is the answer's status for a wrong token:
/// the application service API says 403, the admin API 401.
pub(super) fn check_token(
    headers: &HeaderMap,
    token: &SecretString,
    wrong: StatusCode,
) -> Result<(), ApiError> {
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let given = headers
        .next()
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let Some(given) = given else {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "M_MISSING_TOKEN",
            "the bearer token is missing",
        ));
    };
    // Of two tokens nobody could say which one counts.
    let is_alone = headers.next().is_none();
    if is_alone && bool::from(given.as_bytes().ct_eq(token.expose_secret().as_bytes())) {
        Ok(())
    } else {
        let errcode = if wrong == StatusCode::FORBIDDEN {
            "M_FORBIDDEN"
        } else {
            "M_UNKNOWN_TOKEN"
        };
        Err(ApiError::new(wrong, errcode, "the bearer token is wrong"))
    }
}
