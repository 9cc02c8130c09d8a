//! The API of rooms, their members and their bans (gitter-api 4 and 8).

use std::collections::HashMap;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Answer, Shared, gate::Body, only_oneself, success};
use crate::{
    refusal::Refusal,
    state::{Caller, MemberQuery},
};

/// Rooms of a search where no limit is given.
const DEFAULT_SEARCH: usize = 10;

/// `GET rooms`: the caller's, or with `?q=` those found.
pub(super) async fn rooms(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let number = |key| query.get(key).and_then(|text| text.parse().ok());
    let state = server.lock();
    Json(match query.get("q") {
        Some(words) => {
            let limit = number("limit").unwrap_or(DEFAULT_SEARCH);
            let found = state.search_rooms(&caller, words, limit, number("skip").unwrap_or(0));
            json!({ "results": found })
        }
        None => state.rooms(&caller).into(),
    })
}

/// `GET user/{user}/rooms`: the caller's rooms.
pub(super) async fn own_rooms(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(user): Path<String>,
) -> Answer {
    only_oneself(&caller, &user)?;
    let rooms = server.lock().rooms(&caller);
    Ok(Json(rooms.into()))
}

/// `POST rooms {uri}`: resolves a URI.
pub(super) async fn resolve_room(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    server.lock().resolve_room(server.now(), &caller, &body).map(Json)
}

/// `GET rooms/{room}`. What has nothing to show is answered with the bare text `OK` (gitter-api 3.2).
pub(super) async fn room(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
) -> Result<Response, Refusal> {
    let room = server.lock().room(&caller, &room)?;
    Ok(json_or_ok(room))
}

/// `PUT rooms/{room}`: `topic`, `tags`, `noindex` and `providers`.
pub(super) async fn change_room(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Extension(Body(body)): Extension<Body>,
) -> Result<Response, Refusal> {
    let room = server.lock().change_room(&caller, &room, &body)?;
    Ok(json_or_ok(room))
}

/// `DELETE rooms/{room}`.
pub(super) async fn delete_room(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
) -> Answer {
    server.lock().delete_room(&caller, &room)?;
    Ok(success())
}

/// `GET rooms/{room}/users`: a page of the members.
pub(super) async fn members(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Query(query): Query<MemberQuery>,
) -> Answer {
    let members = server.lock().members(&caller, &room, &query)?;
    Ok(Json(members.into()))
}

/// `POST rooms/{room}/users {username}`: adds a member.
pub(super) async fn invite(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    server.lock().invite(&caller, &room, &body).map(Json)
}

/// `DELETE rooms/{room}/users/{user}`, or `?type=username` with a name.
pub(super) async fn leave(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, user)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let by_name = query.get("type").is_some_and(|kind| kind == "username");
    let user = if user == "me" {
        caller.user.to_string()
    } else {
        user
    };
    server.lock().leave(&caller, &room, &user, by_name)?;
    Ok(success())
}

/// `POST user/{user}/rooms {id}`: joins.
pub(super) async fn join(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(user): Path<String>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    only_oneself(&caller, &user)?;
    server.lock().join(&caller, &body).map(Json)
}

/// `DELETE user/{user}/rooms/{room}`: hides the room. A sandbox hides nothing, but checks that it is there.
pub(super) async fn hide(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((user, room)): Path<(String, String)>,
) -> Answer {
    only_oneself(&caller, &user)?;
    server.lock().room(&caller, &room)?;
    Ok(success())
}

/// `GET rooms/{room}/bans`.
pub(super) async fn bans(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
) -> Answer {
    let bans = server.lock().bans(&caller, &room)?;
    Ok(Json(bans.into()))
}

/// `POST rooms/{room}/bans`.
pub(super) async fn ban(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Extension(Body(body)): Extension<Body>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let (status, ban) = server.lock().ban(server.now(), &caller, &room, &body)?;
    Ok((status, Json(ban)))
}

/// `DELETE rooms/{room}/bans/{username}`.
pub(super) async fn unban(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, username)): Path<(String, String)>,
) -> Answer {
    server.lock().unban(server.now(), &caller, &room, &username)?;
    Ok(success())
}

/// `GET rooms/{room}/events`: the activity feed.
pub(super) async fn activity(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok());
    let before = query.get("beforeId").map(String::as_str);
    let activity = server.lock().activity(&caller, &room, limit, before)?;
    Ok(Json(activity.into()))
}

fn json_or_ok(value: Option<Value>) -> Response {
    value.map_or_else(|| "OK".into_response(), |value| Json(value).into_response())
}
