//! What holds in one room, over the admin API.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use serde_json::Value;

use super::AdminState;
use crate::{bridge::room_settings::SettingsView, http::error::ApiError};

/// The endpoints, behind the token.
pub(super) fn router() -> Router<AdminState> {
    Router::new().route("/rooms/{room}/settings", get(show).put(change))
}

async fn show(
    State(state): State<AdminState>,
    Path(room): Path<String>,
) -> Result<Json<SettingsView>, ApiError> {
    Ok(Json(state.bridge()?.settings_of(&room).await?))
}

async fn change(
    State(state): State<AdminState>,
    Path(room): Path<String>,
    body: Bytes,
) -> Result<Json<SettingsView>, ApiError> {
    let changes: BTreeMap<String, Value> = serde_json::from_slice(&body).map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "M_BAD_JSON",
            format!("the body cannot be read: {error}"),
        )
        .with_mend(r#"send {"threads": "reply"}, or null instead of a value for what the configuration says"#)
    })?;
    Ok(Json(state.bridge()?.change_settings(&room, &changes).await?))
}
