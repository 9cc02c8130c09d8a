//! The API of users (gitter-api 2 and 4.6).

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde_json::Value;

use super::{Answer, Shared, only_oneself};
use crate::{refusal::Refusal, state::Caller};

/// `GET user`: an array of the caller alone.
pub(super) async fn current_users(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
) -> Json<Value> {
    let user = server.lock().current_user(&caller);
    Json(user.into_iter().collect())
}

/// `GET user/{user}`.
pub(super) async fn current_user(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(user): Path<String>,
) -> Answer {
    only_oneself(&caller, &user)?;
    let user = server.lock().current_user(&caller);
    user.map(Json).ok_or(Refusal::not_found("the account is gone"))
}

/// `GET users/{username}`: the profile of anybody.
pub(super) async fn profile(State(server): Shared, Path(username): Path<String>) -> Answer {
    server.lock().profile(&username).map(Json)
}
