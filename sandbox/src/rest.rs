//! The HTTP face: Gitter's REST API, its pictures, and the door to Bayeux.
//!
//! Handlers take requests apart and put answers together; what they mean is the state's to say.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, Query, State, WebSocketUpgrade},
    http::header,
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use serde_json::{Value, json};

use crate::{
    avatar, bayeux,
    connection::ResetHandle,
    control, page,
    refusal::Refusal,
    server::Server,
    state::{Caller, Mount},
};

mod answer;
mod faulty;
mod files;
mod gate;
mod groups;
mod messages;
mod rooms;
mod security;
mod users;

type Shared = State<Arc<Server>>;
type Answer = Result<Json<Value>, Refusal>;

/// Everything that the sandbox serves.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let api = Router::new()
        .merge(room_routes())
        .route("/user", get(users::current_users))
        .route("/user/{user}", get(users::current_user))
        .route("/user/{user}/rooms", get(rooms::own_rooms).post(rooms::join))
        .route("/user/{user}/rooms/{room}", delete(rooms::hide))
        .route("/user/{user}/rooms/{room}/unreadItems", post(messages::read))
        .route("/users/{username}", get(users::profile))
        .route("/groups", get(groups::groups))
        .route("/groups/{group}", get(groups::group))
        .route(
            "/groups/{group}/rooms",
            get(groups::rooms).post(groups::create_room),
        )
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        .layer(middleware::from_fn_with_state(server.clone(), gate::admit));
    let gitter = Router::new()
        .nest("/api/v1", api.clone())
        // Where a Gitter has its API in a process of its own.
        .nest("/v1", api)
        .route("/api/private/avatars/{*name}", get(picture))
        .route("/api_web/export/rooms/{room}/{file}", get(files::room_export))
        .route("/api_web/export/user/{user}/{file}", get(files::user_export))
        .route("/camo/{digest}/{hex}", get(files::proxied_image))
        .route("/{room}/{key}/{name}", get(files::upload))
        .route("/{room}/{key}/thumb/{name}", get(files::thumbnail))
        .route("/bayeux", bayeux_at(Mount::Bayeux))
        .route("/faye", bayeux_at(Mount::Legacy))
        .layer(middleware::from_fn_with_state(server.clone(), faulty::suffer));
    gitter
        .nest("/sandbox", control::http::router())
        .nest("/sandbox/page", page::files())
        .merge(page::router())
        .fallback(nothing_here)
        .with_state(server)
}

fn room_routes() -> Router<Arc<Server>> {
    Router::new()
        .route("/rooms", get(rooms::rooms).post(rooms::resolve_room))
        .route(
            "/rooms/{room}",
            get(rooms::room)
                .put(rooms::change_room)
                .delete(rooms::delete_room),
        )
        .route("/rooms/{room}/users", get(rooms::members).post(rooms::invite))
        .route("/rooms/{room}/users/{user}", delete(rooms::leave))
        .route("/rooms/{room}/security/extraAdmins", get(security::extra_admins))
        .route("/rooms/{room}/bans", get(rooms::bans).post(rooms::ban))
        .route("/rooms/{room}/bans/{username}", delete(rooms::unban))
        .route("/rooms/{room}/events", get(rooms::activity))
        .route(
            "/rooms/{room}/chatMessages",
            get(messages::messages).post(messages::create_message),
        )
        .route(
            "/rooms/{room}/chatMessages/{message}",
            get(messages::message)
                .put(messages::update_message)
                .delete(messages::delete_message),
        )
        .route(
            "/rooms/{room}/chatMessages/{message}/thread",
            get(messages::thread),
        )
        .route(
            "/rooms/{room}/chatMessages/{message}/readBy",
            get(messages::readers),
        )
}

async fn nothing_here() -> Refusal {
    Refusal::not_found("there is no such path")
}

/// Only the caller can be asked for, by id or as `me`.
fn only_oneself(caller: &Caller, user: &str) -> Result<(), Refusal> {
    if user == "me" || user == caller.user.to_string() {
        return Ok(());
    }
    Err(Refusal::forbidden("only the account itself can be asked for"))
}

/// What Gitter answers where there is nothing more to say.
fn success() -> Json<Value> {
    Json(json!({ "success": true }))
}

/// A picture of whatever the path names last, `?s=` pixels wide.
async fn picture(
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response, Refusal> {
    let size = query.get("s").and_then(|size| size.parse().ok());
    let name = name.rsplit('/').next().unwrap_or_default();
    drawn(name, size)
}

fn drawn(name: &str, size: Option<u32>) -> Result<Response, Refusal> {
    let image = avatar::draw(name, size).map_err(|_| Refusal::stumbled("the picture cannot be drawn"))?;
    Ok(([(header::CONTENT_TYPE, "image/png")], image).into_response())
}

fn bayeux_at(mount: Mount) -> MethodRouter<Arc<Server>> {
    get(
        move |State(server): Shared, upgrade: WebSocketUpgrade| async move {
            let tracker = server.tasks.clone();
            upgrade.on_upgrade(move |websocket| {
                tracker.track_future(bayeux::socket::serve(server, mount, websocket))
            })
        },
    )
    .post(
        move |State(server): Shared,
              ConnectInfo(connection): ConnectInfo<ResetHandle>,
              Json(batch): Json<Value>| async move {
            let batch = match batch {
                Value::Array(batch) => batch,
                message => vec![message],
            };
            let answers = bayeux::poll::answer_batch(server, mount, batch).await;
            answers.map(Json).ok_or_else(|| {
                connection.reset();
                Refusal::stumbled("the connection is cut as asked")
            })
        },
    )
}
