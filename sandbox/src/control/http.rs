//! The controls over HTTP. They ask for no token: a sandbox is for one machine.
//!
//! ```text
//! GET    /sandbox/state    200, all users with their tokens, all rooms with all messages (`StateReport`)
//! POST   /sandbox/users    a `NewUser`; 200 {"id", "username", "display_name", "token", "tokens"}
//! PATCH  /sandbox/users/{username}  a `UserChange`; 204
//! DELETE /sandbox/users/{username}  204; the row is gone, and messages of theirs have no author
//! POST   /sandbox/rooms    a `NewRoom`; 200 {"id", "uri"}
//! PATCH  /sandbox/rooms/{id}        a `RoomChange`; 204
//! POST   /sandbox/files?username=&room=&name=   a file of the request's content type; 200 {"id", "url"} of the
//!                          message and the file
//! POST   /sandbox/faults   a fault or an array of them (see `faults`); 204
//! DELETE /sandbox/faults   204; the faults that have not happened yet never will
//! ```
//!
//! A body that cannot be used, or that clashes with what is there, is answered `{"error"}` with 400, 404, 409,
//! 415 or 422.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRef, FromRequest, Path, Query, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, patch, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ActError, Control, Uploaded};
use crate::{
    faults::Fault,
    object_id::ObjectId,
    seed::{NewRoom, NewUser, RoomChange, UserChange},
    server::Server,
    state::{MAX_UPLOAD, SetupError, StateReport},
};

impl FromRef<Arc<Server>> for Control {
    fn from_ref(server: &Arc<Server>) -> Self {
        Self::new(server.clone())
    }
}

/// The control endpoints.
pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/state", get(state))
        .route("/users", post(add_user))
        .route("/users/{username}", patch(alter_user).delete(erase_user))
        .route("/rooms", post(add_room))
        .route("/rooms/{room}", patch(alter_room))
        .route("/files", post(upload).layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        .route("/faults", post(add_faults).delete(clear_faults))
}

async fn state(State(control): State<Control>) -> Json<StateReport> {
    Json(control.state())
}

async fn add_user(
    State(control): State<Control>,
    Body(user): Body<NewUser>,
) -> Result<Json<Value>, SetupError> {
    let user = control.add_user(&user)?;
    Ok(Json(json!({
        "id": user.id,
        "username": user.username,
        "display_name": user.display_name,
        "token": user.tokens.first().map(|token| &token.token),
        "tokens": user.tokens,
    })))
}

async fn add_room(
    State(control): State<Control>,
    Body(room): Body<NewRoom>,
) -> Result<Json<Value>, SetupError> {
    let id = control.add_room(&room)?;
    Ok(Json(json!({ "id": id, "uri": room.uri })))
}

async fn alter_user(
    State(control): State<Control>,
    Path(username): Path<String>,
    Body(change): Body<UserChange>,
) -> Result<StatusCode, SetupError> {
    control.alter_user(&username, &change)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn erase_user(
    State(control): State<Control>,
    Path(username): Path<String>,
) -> Result<StatusCode, SetupError> {
    control.erase_user(&username)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn alter_room(
    State(control): State<Control>,
    Path(room): Path<ObjectId>,
    Body(change): Body<RoomChange>,
) -> Result<StatusCode, SetupError> {
    control.alter_room(room, &change)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who uploads what where.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upload {
    username: String,
    room: ObjectId,
    name: String,
}

async fn upload(
    State(control): State<Control>,
    Query(upload): Query<Upload>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Uploaded>, ActError> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream");
    let Upload { username, room, name } = upload;
    control
        .upload(&username, room, &name, content_type, bytes.into())
        .map(Json)
}

/// All or none of the faults are taken.
async fn add_faults(State(control): State<Control>, Body(faults): Body<Value>) -> Response {
    let faults = match faults {
        many @ Value::Array(_) => many,
        one => json!([one]),
    };
    match serde_json::from_value::<Vec<Fault>>(faults) {
        Ok(faults) => {
            for fault in faults {
                control.add_fault(fault);
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => error_response(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn clear_faults(State(control): State<Control>) -> StatusCode {
    control.clear_faults();
    StatusCode::NO_CONTENT
}

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(BadBody))]
struct Body<T>(T);

/// A body that does not have the shape asked for.
struct BadBody(JsonRejection);

impl From<JsonRejection> for BadBody {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection)
    }
}

impl IntoResponse for BadBody {
    fn into_response(self) -> Response {
        error_response(self.0.status(), &self.0.body_text())
    }
}

impl IntoResponse for ActError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoSuchUser(_) => StatusCode::NOT_FOUND,
            Self::Refused { status, .. } => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            Self::NoMessage => StatusCode::INTERNAL_SERVER_ERROR,
        };
        error_response(status, &self.to_string())
    }
}

impl IntoResponse for SetupError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NameTaken(_) | Self::IdTaken(_) | Self::TokenTaken(_) => StatusCode::CONFLICT,
            Self::UnknownRoom(_) => StatusCode::NOT_FOUND,
            Self::BadUsername(_) | Self::BadUri(_) | Self::UnknownUser(_) | Self::NoBridgeToken => {
                StatusCode::BAD_REQUEST
            }
        };
        error_response(status, &self.to_string())
    }
}

fn error_response(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
