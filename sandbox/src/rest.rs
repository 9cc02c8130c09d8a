//! The HTTP face: Gitter's REST API, its pictures, and the door to Bayeux.
//!
//! Handlers take requests apart and put answers together; what they mean is the state's to say.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State, WebSocketUpgrade},
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::Value;

use self::gate::Body;
use crate::{
    avatar, bayeux, control,
    refusal::Refusal,
    server::Server,
    state::{Caller, ListQuery},
};

mod answer;
mod faulty;
mod gate;

type Shared = State<Arc<Server>>;
type Answer = Result<Json<Value>, Refusal>;

/// Everything that the sandbox serves.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let api = Router::new()
        .route("/user", get(current_users))
        .route("/user/{user}", get(current_user))
        .route("/rooms", get(rooms).post(resolve_room))
        .route("/rooms/{room}", get(room))
        .route("/rooms/{room}/chatMessages", get(messages).post(create_message))
        .route(
            "/rooms/{room}/chatMessages/{message}",
            get(message).put(update_message).delete(delete_message),
        )
        .route("/rooms/{room}/chatMessages/{message}/thread", get(thread))
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        .layer(middleware::from_fn_with_state(server.clone(), gate::admit));
    let gitter = Router::new()
        .nest("/api/v1", api.clone())
        // Where a Gitter has its API in a process of its own.
        .nest("/v1", api)
        .route("/api/private/avatars/{*name}", get(picture))
        .route("/bayeux", any(realtime))
        .route("/faye", any(realtime))
        .layer(middleware::from_fn_with_state(server.clone(), faulty::suffer));
    gitter
        .nest("/sandbox", control::http::router())
        .fallback(nothing_here)
        .with_state(server)
}

async fn nothing_here() -> Refusal {
    Refusal::not_found("there is no such path")
}

async fn current_users(State(server): Shared, Extension(caller): Extension<Caller>) -> Json<Value> {
    let user = server.lock().current_user(&caller);
    Json(user.into_iter().collect())
}

/// Only the caller can be asked for, by id or as `me`.
async fn current_user(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(user): Path<String>,
) -> Answer {
    if user != "me" && user != caller.user.to_string() {
        return Err(Refusal::forbidden("only the account itself can be asked for"));
    }
    let user = server.lock().current_user(&caller);
    user.map(Json).ok_or(Refusal::not_found("the account is gone"))
}

async fn rooms(State(server): Shared, Extension(caller): Extension<Caller>) -> Json<Value> {
    let rooms = server.lock().rooms(&caller);
    Json(rooms.into())
}

async fn resolve_room(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    server
        .lock()
        .resolve_room(Server::now(), &caller, &body)
        .map(Json)
}

/// What has nothing to show is answered with the bare text `OK` (gitter-api 3.2).
async fn room(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
) -> Result<Response, Refusal> {
    let room = server.lock().room(&caller, &room)?;
    Ok(room.map_or_else(|| "OK".into_response(), |room| Json(room).into_response()))
}

async fn messages(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let messages = server.lock().messages(&caller, &room, &query)?;
    Ok(Json(messages.into()))
}

async fn message(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
) -> Answer {
    server.lock().message(&caller, &room, &message).map(Json)
}

async fn thread(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
    Query(query): Query<ListQuery>,
) -> Answer {
    let replies = server.lock().thread(&caller, &room, &message, &query)?;
    Ok(Json(replies.into()))
}

async fn create_message(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    server
        .lock()
        .create_message(Server::now(), &caller, &room, &body)
        .map(Json)
}

async fn update_message(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
    Extension(Body(body)): Extension<Body>,
) -> Answer {
    server
        .lock()
        .update_message(Server::now(), &caller, &room, &message, &body)
        .map(Json)
}

async fn delete_message(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path((room, message)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    server.lock().delete_message(&caller, &room, &message)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A picture of whatever the path names last, `?s=` pixels wide.
async fn picture(
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let size = query.get("s").and_then(|size| size.parse().ok());
    let name = name.rsplit('/').next().unwrap_or_default();
    let image = avatar::draw(name, size).map_err(|_| Refusal::stumbled("the picture cannot be drawn"))?;
    Ok(([(header::CONTENT_TYPE, "image/png")], image).into_response())
}

async fn realtime(State(server): Shared, upgrade: WebSocketUpgrade) -> Response {
    let tracker = server.tasks.clone();
    upgrade.on_upgrade(move |websocket| tracker.track_future(bayeux::socket::serve(server, websocket)))
}
