//! How the homeserver says no.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A refusal: the status, the Matrix error code and words for people.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) errcode: &'static str,
    pub(super) error: String,
}

pub(super) fn refuse(status: u16, errcode: &'static str, error: impl Into<String>) -> Refusal {
    Refusal {
        status: StatusCode::from_u16(status).expect("refusals have valid statuses"),
        errcode,
        error: error.into(),
    }
}

pub(super) fn forbidden(error: impl Into<String>) -> Refusal {
    refuse(403, "M_FORBIDDEN", error)
}

pub(super) fn not_found(error: impl Into<String>) -> Refusal {
    refuse(404, "M_NOT_FOUND", error)
}

pub(super) fn unrecognized() -> Refusal {
    refuse(404, "M_UNRECOGNIZED", "Unrecognized request")
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "errcode": self.errcode, "error": self.error });
        (self.status, Json(body)).into_response()
    }
}
