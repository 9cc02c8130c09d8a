//! What the homeserver calls (Application Service API, DESIGN 6.3).
//!
//! A transaction is answered once its events are committed, and never refused for what is in it.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, post, put},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tracing::error;

use super::error::{ApiError, check_token};
use crate::bridge::Acceptor;

/// The largest transaction, in bytes.
const LARGEST_TRANSACTION: usize = 64 * 1024 * 1024;

/// What the endpoints need.
#[derive(Debug, Clone)]
pub struct AppserviceState {
    /// Takes transactions.
    pub acceptor: Acceptor,
    /// The registration's `hs_token`.
    pub hs_token: SecretString,
}

/// The application service's endpoints.
pub fn router(state: AppserviceState) -> Router {
    Router::new()
        .route("/_matrix/app/v1/transactions/{transaction_id}", put(transaction))
        .route("/_matrix/app/v1/ping", post(ping))
        .route("/_matrix/app/v1/users/{user_id}", get(no_user))
        .route("/_matrix/app/v1/rooms/{*room_alias}", get(no_room))
        .fallback(|| async { ApiError::unrecognized(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { ApiError::unrecognized(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(DefaultBodyLimit::max(LARGEST_TRANSACTION))
        .route_layer(middleware::from_fn_with_state(
            state.hs_token.clone(),
            authenticate,
        ))
        .with_state(state)
}

/// Answers the homeserver's ping and takes nothing: what is pushed meanwhile is pushed again later.
pub fn ping_router(hs_token: SecretString) -> Router {
    Router::new()
        .route("/_matrix/app/v1/ping", post(ping))
        .route_layer(middleware::from_fn_with_state(hs_token, authenticate))
        .fallback(|| async {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "M_UNKNOWN",
                "the bridge does not run; its doctor is looking at things",
            )
        })
}

async fn authenticate(
    State(hs_token): State<SecretString>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    check_token(request.headers(), &hs_token, StatusCode::FORBIDDEN)?;
    Ok(next.run(request).await)
}

async fn transaction(
    State(state): State<AppserviceState>,
    Path(transaction_id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    state
        .acceptor
        .transaction(&transaction_id, &body)
        .await
        .map_err(|failure| {
            error!(transaction.id = transaction_id, error = %failure, "A transaction could not be stored");
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "M_UNKNOWN",
                "the events could not be stored",
            )
        })?;
    Ok(Json(json!({})))
}

async fn ping() -> Json<Value> {
    Json(json!({}))
}

async fn no_user(Path(user_id): Path<String>) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "M_NOT_FOUND",
        format!("there is no ghost {user_id}"),
    )
}

async fn no_room(Path(room_alias): Path<String>) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "M_NOT_FOUND",
        format!("there is no room {room_alias}"),
    )
}
