//! The API of messages (gitter-api 5).

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};

use serde_json::json;

use super::{Answer, Shared, gate::Body, only_oneself, success};
use crate::{
    object_id::ObjectId,
    refusal::Refusal,
    state::{Caller, ListQuery},
};

/// `GET rooms/{room}/chatMessages`: a page.
pub(super) async fn messages(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let messages = server.lock().messages(&caller, &room, &query)?;
    Ok(Json(messages.into()))
}

/// `GET rooms/{room}/chatMessages/{message}`.
pub(super) async fn message(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
) -> Answer {
    server.lock().message(&caller, &room, &message).map(Json)
}

/// `GET rooms/{room}/chatMessages/{message}/thread`: a page of the replies.
pub(super) async fn thread(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let replies = server.lock().thread(&caller, &room, &message, &query)?;
    Ok(Json(replies.into()))
}

/// `POST rooms/{room}/chatMessages`.
pub(super) async fn create_message(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    server
        .lock()
        .create_message(server.now(), &caller, &room, &body)
        .map(Json)
}

/// `PUT rooms/{room}/chatMessages/{message}`.
pub(super) async fn update_message(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    server
        .lock()
        .update_message(server.now(), &caller, &room, &message, &body)
        .map(Json)
}

/// `DELETE rooms/{room}/chatMessages/{message}`.
pub(super) async fn delete_message(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    server.lock().delete_message(&caller, &room, &message)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET rooms/{room}/chatMessages/{message}/readBy`: the readers.
pub(super) async fn readers(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
) -> Answer {
    let readers = server.lock().readers(&caller, &room, &message)?;
    Ok(Json(readers.into()))
}

/// `POST user/{user}/rooms/{room}/unreadItems`: the messages of `chat` are read.
pub(super) async fn read(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((user, room)): Path<(String, String)>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    only_oneself(&caller, &user)?;
    let ids = body.get("chat").cloned().unwrap_or_else(|| json!([]));
    let ids: Vec<ObjectId> =
        serde_json::from_value(ids).map_err(|_| Refusal::bad_request("chat is no list of message ids"))?;
    server.lock().read_messages(&caller, &room, &ids)?;
    Ok(success())
}
