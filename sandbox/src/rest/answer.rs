//! How refusals look to HTTP clients (gitter-api 3.2).

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{refusal::Refusal, server::true_time};

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::debug!(
            http.status = self.status.as_u16(),
            reason = self.reason,
            "Request refused"
        );
        error_response(self.status)
    }
}

/// An error as Gitter's middleware writes it: the status's own words, and an id for faults of the server.
pub(super) fn error_response(status: StatusCode) -> Response {
    let mut body = json!({ "error": status.canonical_reason().unwrap_or("Unknown") });
    if status.is_server_error()
        && let Some(fields) = body.as_object_mut()
    {
        fields.insert("uniqueId".to_owned(), json!(true_time().as_millisecond()));
    }
    (status, Json(body)).into_response()
}
