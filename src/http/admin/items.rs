//! The ledger over the admin API (DESIGN 6.3): items are listed, retried and dropped, and ids explained.

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    routing::{delete, get, post},
};

use super::{AdminState, database_failed};
use crate::{
    bridge::ledger::{Explanation, ItemPage, ItemQuery, LedgerError},
    http::error::ApiError,
};

/// The endpoints, behind the token.
pub(super) fn router() -> Router<AdminState> {
    Router::new()
        .route("/items", get(list))
        .route("/items/{id}", delete(drop_item))
        .route("/items/{id}/retry", post(retry))
        .route("/explain/{id}", get(explain))
}

async fn list(
    State(state): State<AdminState>,
    query: Result<Query<ItemQuery>, QueryRejection>,
) -> Result<Json<ItemPage>, ApiError> {
    let Query(query) = query.map_err(|refusal| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "M_INVALID_PARAM",
            format!("the query cannot be read: {}", refusal.body_text()),
        )
        .with_mend("the parameters are state, room and after")
    })?;
    Ok(Json(state.bridge()?.items(&query).await?))
}

async fn retry(State(state): State<AdminState>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    state.bridge()?.retry_item(&id).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn drop_item(State(state): State<AdminState>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    state.bridge()?.drop_item(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn explain(
    State(state): State<AdminState>,
    Path(id): Path<String>,
) -> Result<Json<Explanation>, ApiError> {
    Ok(Json(state.bridge()?.explain(&id).await?))
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        let message = error.to_string();
        let (status, errcode, mend) = match error {
            LedgerError::Invalid { mend, .. } => (StatusCode::BAD_REQUEST, "M_INVALID_PARAM", mend),
            LedgerError::NotFound { mend, .. } => (StatusCode::NOT_FOUND, "M_NOT_FOUND", mend),
            LedgerError::NotRetried { mend, .. } => (StatusCode::CONFLICT, "GITTER_NOT_RETRIED", mend),
            LedgerError::NotDropped { mend, .. } => (StatusCode::CONFLICT, "GITTER_NOT_DROPPED", mend),
            LedgerError::Bridge(failure) => return database_failed(&failure),
        };
        Self::new(status, errcode, message).with_mend(mend)
    }
}
