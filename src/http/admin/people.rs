//! Forgetting a person, over the admin API.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::delete,
};
use tracing::error;

use super::AdminState;
use crate::{bridge::forget::Forgotten, http::error::ApiError};

/// The endpoint, behind the token.
pub(super) fn router() -> Router<AdminState> {
    Router::new().route("/users/{id}", delete(forget))
}

/// In a task of its own: a caller who goes away leaves nobody half forgotten.
async fn forget(
    State(state): State<AdminState>,
    Path(user): Path<String>,
) -> Result<Json<Forgotten>, ApiError> {
    let bridge = Arc::clone(state.bridge()?);
    let forgetting = bridge
        .clone()
        .tracker
        .spawn(async move { bridge.forget(&user).await });
    let forgotten = forgetting.await.map_err(|failure| {
        error!(error = %failure, "Forgetting broke off");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "M_UNKNOWN",
            "forgetting broke off",
        )
        .with_mend("ask again: what is forgotten stays so")
    })??;
    Ok(Json(forgotten))
}
