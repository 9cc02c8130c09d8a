//! The Gitter accounts over the admin API: which of them send nothing, and letting one go on.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{AdminState, database_failed};
use crate::{
    bridge::account::{AccountError, AccountView},
    http::error::ApiError,
};

/// The endpoints, behind the token.
pub(super) fn router() -> Router<AdminState> {
    Router::new()
        .route("/accounts", get(list))
        .route("/accounts/{id}/resume", post(resume))
}

async fn list(State(state): State<AdminState>) -> Result<Json<Value>, ApiError> {
    let accounts = state.bridge()?.accounts().await?;
    Ok(Json(json!({ "accounts": accounts })))
}

async fn resume(
    State(state): State<AdminState>,
    Path(id): Path<String>,
) -> Result<Json<AccountView>, ApiError> {
    Ok(Json(state.bridge()?.resume_account(&id).await?))
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match &error {
            AccountError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", error.to_string())
                .with_mend("list the accounts: gitter-matrix-bridge account list"),
            AccountError::Bridge(failure) => database_failed(failure),
        }
    }
}
