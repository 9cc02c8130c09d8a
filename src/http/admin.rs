//! What operators call (DESIGN 6.3): health, the provisioning API, and the status page.

mod accounts;
mod items;
mod life;
mod measure;
mod page;
mod people;
mod settings;
mod status;

use std::sync::{Arc, OnceLock};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{Path, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use tracing::error;

use super::{
    error::{ApiError, check_token},
    health,
};
use crate::{
    bridge::{
        Bridge, BridgeError,
        provision::{LinkRequest, Linked, ProvisionError},
    },
    config::Config,
    doctor,
    health::Health,
};

/// What the endpoints need.
#[derive(Debug, Clone)]
pub struct AdminState {
    /// The bridge, once it runs.
    pub bridge: Arc<OnceLock<Arc<Bridge>>>,
    /// The token of `admin.token_file`.
    pub token: SecretString,
    /// What the doctor looks at.
    pub config: Arc<Config>,
    /// Whether the bridge is ready.
    pub health: Health,
    /// When the process started.
    pub started_at: Timestamp,
}

impl AdminState {
    fn bridge(&self) -> Result<&Arc<Bridge>, ApiError> {
        self.bridge.get().ok_or_else(|| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "M_UNKNOWN",
                "the bridge is still starting",
            )
            .with_mend("look at its log for what it waits for")
        })
    }
}

/// The admin endpoints.
pub fn router(state: AdminState) -> Router {
    let provision = Router::new()
        .route("/rooms", get(list).post(link))
        .route("/rooms/{room}", get(show).delete(unlink))
        .route("/rooms/{room}/sync", post(sync))
        .route("/rooms/{room}/media", delete(revoke_of_room))
        .route("/media/{target}", delete(revoke))
        .route("/doctor", get(examine))
        .merge(accounts::router())
        .merge(items::router())
        .merge(life::router())
        .merge(people::router())
        .merge(settings::router())
        .merge(status::router())
        .fallback(|| async { ApiError::unrecognized(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { ApiError::unrecognized(StatusCode::METHOD_NOT_ALLOWED) })
        .route_layer(middleware::from_fn_with_state(state.clone(), authenticate));
    let page = page::router(&state);
    Router::new()
        .route("/live", get(health::live))
        .route("/ready", get(ready))
        .route(
            "/metrics",
            get(measure::measure).layer(Extension(measure::Measuring::default())),
        )
        .nest("/_matrix/provision/v1", provision)
        .fallback(|| async { ApiError::unrecognized(StatusCode::NOT_FOUND) })
        .with_state(state)
        .merge(page)
}

async fn authenticate(
    State(state): State<AdminState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    check_token(request.headers(), &state.token, StatusCode::UNAUTHORIZED)
        .map_err(|refusal| refusal.with_mend("show the token that is in admin.token_file of this bridge"))?;
    Ok(next.run(request).await)
}

async fn ready(State(state): State<AdminState>) -> Response {
    health::ready(&state.health)
}

/// Also while the bridge still starts: that is when it is wanted most.
async fn examine(State(state): State<AdminState>) -> Json<Value> {
    Json(json!({ "checks": doctor::examine(&state.config).await }))
}

async fn list(State(state): State<AdminState>) -> Result<Json<Value>, ApiError> {
    let portals = state.bridge()?.portals().await?;
    Ok(Json(json!({ "rooms": portals })))
}

async fn show(State(state): State<AdminState>, Path(room): Path<String>) -> Result<Response, ApiError> {
    Ok(Json(state.bridge()?.portal(&room).await?).into_response())
}

async fn link(State(state): State<AdminState>, body: Bytes) -> Result<Response, ApiError> {
    let request: LinkRequest = serde_json::from_slice(&body).map_err(|error| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "M_BAD_JSON",
            format!("the body cannot be read: {error}"),
        )
        .with_mend(r##"send {"gitter_uri": "group/room", "matrix_room": "#alias:server"}"##)
    })?;
    let bridge = Arc::clone(state.bridge()?);
    // In a task of its own: a caller who goes away does not leave a half-made link.
    let linked = bridge
        .clone()
        .tracker
        .spawn(async move { bridge.link(&request).await })
        .await
        .map_err(|failure| {
            error!(error = %failure, "Linking broke off");
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "M_UNKNOWN",
                "linking broke off",
            )
        })??;
    Ok(match linked {
        Linked::New(link) => (StatusCode::CREATED, Json(link)).into_response(),
        Linked::Before(portal) => Json(portal).into_response(),
        Linked::DryRun(checks) => Json(json!({ "checks": checks })).into_response(),
    })
}

async fn unlink(State(state): State<AdminState>, Path(room): Path<String>) -> Result<StatusCode, ApiError> {
    let bridge = Arc::clone(state.bridge()?);
    bridge
        .clone()
        .tracker
        .spawn(async move { bridge.unlink(&room).await })
        .await
        .map_err(|failure| {
            error!(error = %failure, "Unlinking broke off");
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "M_UNKNOWN",
                "unlinking broke off",
            )
        })??;
    Ok(StatusCode::NO_CONTENT)
}

async fn sync(State(state): State<AdminState>, Path(room): Path<String>) -> Result<StatusCode, ApiError> {
    state.bridge()?.sync(&room).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Ends the links that a link, an `mxc:` address or an event id stands for.
async fn revoke(
    State(state): State<AdminState>,
    Path(target): Path<String>,
) -> Result<Json<Value>, ApiError> {
    revoked(state.bridge()?.revoke_media(&target).await?)
}

async fn revoke_of_room(
    State(state): State<AdminState>,
    Path(room): Path<String>,
) -> Result<Json<Value>, ApiError> {
    revoked(state.bridge()?.revoke_media_of_room(&room).await?)
}

fn revoked(count: usize) -> Result<Json<Value>, ApiError> {
    if count > 0 {
        return Ok(Json(json!({ "revoked": count })));
    }
    let error = "no link leads there, or all have ended already";
    Err(ApiError::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", error))
}

impl From<ProvisionError> for ApiError {
    fn from(error: ProvisionError) -> Self {
        let message = error.to_string();
        match error {
            ProvisionError::Invalid { mend, .. } => {
                Self::new(StatusCode::BAD_REQUEST, "M_INVALID_PARAM", message).with_mend(mend)
            }
            ProvisionError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", message)
                .with_mend("list the linked rooms: gitter-matrix-bridge room list"),
            ProvisionError::AlreadyLinked { mend, .. } => {
                Self::new(StatusCode::CONFLICT, "GITTER_ALREADY_LINKED", message).with_mend(mend)
            }
            ProvisionError::Checks(checks) => {
                let mends: Vec<&str> = checks
                    .iter()
                    .filter(|check| !check.ok)
                    .map(|check| check.mend.as_str())
                    .collect();
                let mend = mends.join("; ");
                Self {
                    more: Some(("checks", json!(checks))),
                    ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "GITTER_CHECK_FAILED", message)
                        .with_mend(mend)
                }
            }
            ProvisionError::NoSubscription => {
                Self::new(StatusCode::BAD_GATEWAY, "GITTER_UNREACHABLE", message)
                    .with_mend("check gitter.realtime_url")
            }
            ProvisionError::Bridge(BridgeError::Gitter(_)) => {
                Self::new(StatusCode::BAD_GATEWAY, "GITTER_UNREACHABLE", message)
                    .with_mend("check gitter.api_url and the token")
            }
            ProvisionError::Bridge(BridgeError::Matrix(_)) => {
                Self::new(StatusCode::BAD_GATEWAY, "MATRIX_UNREACHABLE", message)
                    .with_mend("check homeserver.url and the registration")
            }
            ProvisionError::Bridge(failure) => database_failed(&failure),
        }
    }
}

/// The answer where nobody but the database is to blame. What it said is for the log.
fn database_failed(failure: &BridgeError) -> ApiError {
    error!(error = %failure, "An admin request failed");
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "M_UNKNOWN",
        "the database failed",
    )
    .with_mend("look at the bridge's log")
}
