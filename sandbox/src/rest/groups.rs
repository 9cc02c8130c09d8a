//! The API of groups (gitter-api 4.7).

use std::collections::HashMap;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};

use super::{Answer, Shared, gate::Body};
use crate::state::Caller;

/// `GET groups`, or `?type=admin` for those that the caller administers.
pub(super) async fn groups(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let administered = query.get("type").is_some_and(|kind| kind == "admin");
    let groups = server.lock().groups(&caller, administered);
    Ok(Json(groups.into()))
}

/// `GET groups/{group}`.
pub(super) async fn group(State(server): Shared, Path(group): Path<String>) -> Answer {
    server.lock().group(&group).map(Json)
}

/// `GET groups/{group}/rooms`.
pub(super) async fn rooms(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(group): Path<String>,
) -> Answer {
    let rooms = server.lock().group_rooms(&caller, &group)?;
    Ok(Json(rooms.into()))
}

/// `POST groups/{group}/rooms`.
pub(super) async fn create_room(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(group): Path<String>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    server
        .lock()
        .create_group_room(server.now(), &caller, &group, &body)
        .map(Json)
}
