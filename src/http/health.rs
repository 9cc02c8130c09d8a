//! What monitoring asks: whether the process lives, and whether the bridge is ready. Neither asks anybody else.
//! And what is measured, as its text.

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::error::ApiError;
use crate::{
    health::Health,
    metrics::{self, Reading},
};

/// The answer for `/live`.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// The answer for `/ready`.
pub(super) fn ready(health: &Health) -> Response {
    let view = health.view();
    let status = if view.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(view)).into_response()
}

/// What `appservice.listen` says of the bridge's health: the paths of mautrix's bridges.
pub fn appservice_router(health: Health) -> Router {
    Router::new()
        .route("/_matrix/mau/live", get(live))
        .route("/_matrix/mau/ready", get(move || async move { ready(&health) }))
}

/// What `admin.listen` says before there is a database.
pub fn admin_router(health: Health) -> Router {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(move || async move { ready(&health) }))
        .route("/metrics", get(|| async { measured(None) }))
}

/// What is measured, in Prometheus's text format.
pub(super) fn measured(reading: Option<&Reading>) -> Response {
    let format = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (format, metrics::render(reading)).into_response()
}

/// For a bridge that waits for what it needs at its start: its health, and to everything else that it waits. The
/// homeserver sends again later what it sends now.
pub fn waiting_router(health: Router) -> Router {
    health.fallback(|| async {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "M_UNKNOWN",
            "the bridge is still starting",
        )
        .with_mend("ask /ready what it waits for")
    })
}
