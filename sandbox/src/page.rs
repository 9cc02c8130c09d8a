//! The web page: the list of rooms at `/`, and a room at `/<group>/<room>`, where permalinks (`?at=<message
//! id>`) point. A Gitter user to be is chosen in it, or by `?as=<user name>`.
//!
//! One document for both, with its own style and scripts. They use the REST API and Bayeux like any other
//! client, at the cost of that user's budget. Nothing here reads or changes a room.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{
        HeaderName,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::IntoResponse,
    routing::get,
};
use serde_json::Value;

use crate::{refusal::Refusal, server::Server};

/// The document.
const DOCUMENT: &str = include_str!("page/index.html");

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What the document loads: name, type, content.
const FILES: [(&str, &str, &str); 7] = [
    ("api.js", JAVASCRIPT, include_str!("page/api.js")),
    ("bayeux.js", JAVASCRIPT, include_str!("page/bayeux.js")),
    ("composer.js", JAVASCRIPT, include_str!("page/composer.js")),
    ("main.js", JAVASCRIPT, include_str!("page/main.js")),
    ("message.js", JAVASCRIPT, include_str!("page/message.js")),
    ("style.css", CSS, include_str!("page/style.css")),
    ("timeline.js", JAVASCRIPT, include_str!("page/timeline.js")),
];

/// Even if a message could bring a script along, it would not run. Pictures come from anywhere, as in messages.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src http: https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The paths that people open.
pub(crate) fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/", get(|| async { file(HTML, DOCUMENT) }))
        .route("/{group}/{room}", get(room))
}

/// The paths that the document uses; nested below `/sandbox/page`.
pub(crate) fn files() -> Router<Arc<Server>> {
    Router::new()
        .route("/directory", get(directory))
        .route("/{name}", get(named))
}

async fn room(
    State(server): State<Arc<Server>>,
    Path((group, room)): Path<(String, String)>,
) -> Result<impl IntoResponse, Refusal> {
    let known = server.lock().room_id(&format!("{group}/{room}"));
    known
        .map(|_| file(HTML, DOCUMENT))
        .ok_or(Refusal::not_found("there is no such room"))
}

/// The rooms and people to choose from, tokens included: whoever reaches a sandbox may be anybody in it.
async fn directory(State(server): State<Arc<Server>>) -> Json<Value> {
    Json(server.lock().directory())
}

async fn named(Path(name): Path<String>) -> Result<impl IntoResponse, Refusal> {
    FILES
        .into_iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, kind, content)| file(kind, content))
        .ok_or(Refusal::not_found("the page has no such file"))
}

fn file(kind: &'static str, content: &'static str) -> ([(HeaderName, &'static str); 4], &'static str) {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A sandbox of another day may be of another version.
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, content)
}
