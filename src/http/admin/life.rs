//! Stopping portals and letting them go on.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};

use super::AdminState;
use crate::http::error::ApiError;

/// The endpoints, behind the token.
pub(super) fn router() -> Router<AdminState> {
    Router::new()
        .route("/rooms/{room}/pause", post(pause))
        .route("/rooms/{room}/resume", post(resume))
}

async fn pause(State(state): State<AdminState>, Path(room): Path<String>) -> Result<StatusCode, ApiError> {
    state.bridge()?.pause(&room).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn resume(State(state): State<AdminState>, Path(room): Path<String>) -> Result<StatusCode, ApiError> {
    Arc::clone(state.bridge()?).resume(&room).await?;
    Ok(StatusCode::ACCEPTED)
}
