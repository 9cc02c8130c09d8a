//! Files: authenticated downloads and thumbnails, as Synapse answers them.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};

use serde_json::{Value, json};

use super::{Authenticated, Parameters};
use crate::homeserver::{
    Shared,
    error::{Refusal, not_found, refuse},
};

pub(super) async fn config(_: Authenticated) -> Json<Value> {
    Json(json!({ "m.upload.size": 50 * 1024 * 1024 }))
}

pub(super) async fn download(
    State(shared): State<Arc<Shared>>,
    _: Authenticated,
    Path((server, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (content_type, bytes) = find(&shared, &server, &id)?;
    Ok(([(CONTENT_TYPE, content_type)], bytes).into_response())
}

/// No picture is drawn: the bytes say which size was asked for.
pub(super) async fn thumbnail(
    State(shared): State<Arc<Shared>>,
    _: Authenticated,
    Path((server, id)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Refusal> {
    let (content_type, _) = find(&shared, &server, &id)?;
    if !["image/png", "image/jpeg", "image/gif"].contains(&&content_type[..]) {
        return Err(refuse(400, "M_UNKNOWN", "Cannot generate thumbnails"));
    }
    let [width, height, method] = ["width", "height", "method"].map(|name| &parameters[name]);
    let drawn = format!("{width}x{height} {method}");
    Ok(([(CONTENT_TYPE, "image/png")], drawn).into_response())
}

fn find(shared: &Shared, server: &str, id: &str) -> Result<(String, Vec<u8>), Refusal> {
    let found = shared.world().media(&format!("mxc://{server}/{id}"));
    found.ok_or_else(|| not_found("Not found"))
}
