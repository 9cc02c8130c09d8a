//! What the homeserver calls (Application Service API, DESIGN 6.3).
//!
//! A transaction is answered once its events are committed, and never refused for what is in it.

use std::sync::{Arc, OnceLock};

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
use tracing::{error, warn};

use super::{
    error::{ApiError, check_token},
    thirdparty,
};
use crate::bridge::{Acceptor, Bridge, BridgeError, alias::AliasAnswer, provision::ProvisionError};

/// The largest transaction, in bytes.
const LARGEST_TRANSACTION: usize = 64 * 1024 * 1024;

/// What the endpoints need.
#[derive(Debug, Clone)]
pub struct AppserviceState {
    /// Takes transactions.
    pub acceptor: Acceptor,
    /// The registration's `hs_token`.
    pub hs_token: SecretString,
    /// The bridge, once it runs.
    pub bridge: Arc<OnceLock<Arc<Bridge>>>,
}

impl AppserviceState {
    /// The bridge, if it runs already.
    pub(super) fn bridge(&self) -> Result<&Arc<Bridge>, ApiError> {
        let starting = "the bridge is still starting";
        let running = self.bridge.get();
        running.ok_or_else(|| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", starting))
    }
}

/// The application service's endpoints.
pub fn router(state: AppserviceState) -> Router {
    Router::new()
        .route("/_matrix/app/v1/transactions/{transaction_id}", put(transaction))
        .route("/_matrix/app/v1/ping", post(ping))
        .route("/_matrix/app/v1/users/{user_id}", get(user))
        .route("/_matrix/app/v1/rooms/{*room_alias}", get(room))
        .nest("/_matrix/app/v1/thirdparty", thirdparty::router())
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

/// Whether there is a ghost. No Gitter user is looked for: only those become ghosts who say something.
async fn user(
    State(state): State<AppserviceState>,
    Path(user_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let known = state.bridge()?.is_ghost(&user_id).await;
    if known.map_err(|failure| failed(&failure))? {
        return Ok(Json(json!({})));
    }
    Err(not_found(format!("there is no ghost {user_id}")))
}

/// Whether an alias leads somewhere; it does once this is answered with success. A slash in it arrives as it is.
async fn room(
    State(state): State<AppserviceState>,
    Path(room_alias): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let nothing = || not_found(format!("there is no room {room_alias}"));
    match state.bridge()?.query_alias(&room_alias).await {
        Ok(AliasAnswer::Room) => Ok(Json(json!({}))),
        Ok(AliasAnswer::Nothing) => Err(nothing()),
        Ok(AliasAnswer::Later) => Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "M_LIMIT_EXCEEDED",
            "too many aliases were asked for; try again in a minute",
        )),
        Err(ProvisionError::Bridge(failure)) => Err(failed(&failure)),
        Err(refusal) => {
            warn!(alias = room_alias, error = %refusal, "A room for an alias could not be made");
            Err(nothing())
        }
    }
}

fn not_found(error: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", error)
}

/// The answer where one of the sides or the database failed. What it said is for the log.
pub(super) fn failed(failure: &BridgeError) -> ApiError {
    error!(error = %failure, "A query of the homeserver failed");
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "M_UNKNOWN",
        "it could not be looked at",
    )
}
