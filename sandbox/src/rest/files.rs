//! What the web site serves beside its pages: uploads, thumbnails, the image proxy and exports (gitter-api 6
//! and 10).

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::{Shared, gate};
use crate::{refusal::Refusal, server::Server, state::Caller};

/// The MIME type of exports.
const NDJSON: &str = "application/x-ndjson";

/// `GET /{room}/{key}/{name}`: an upload.
pub(super) async fn upload(
    State(server): Shared,
    Path((room, key, name)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let file = server.lock().file(&room, &key, &name)?;
    Ok(([(header::CONTENT_TYPE, file.content_type)], file.bytes).into_response())
}

/// `GET /{room}/{key}/thumb/{name}`: a picture that stands for an upload; for a picture itself, unscaled.
pub(super) async fn thumbnail(
    State(server): Shared,
    Path((room, key, name)): Path<(String, String, String)>,
) -> Result<Response, Refusal> {
    let file = server.lock().file(&room, &key, &name)?;
    if file.content_type.starts_with("image/") {
        return Ok(([(header::CONTENT_TYPE, file.content_type)], file.bytes).into_response());
    }
    super::drawn(&name, None)
}

/// `GET /camo/{digest}/{hex}`: to where the picture is. A real proxy fetches it itself.
pub(super) async fn proxied_image(
    State(server): Shared,
    Path((digest, hex)): Path<(String, String)>,
) -> Result<Redirect, Refusal> {
    let url = server.lock().original_of(&digest, &hex);
    let url = url.ok_or(Refusal::not_found("the image proxy did not make this URL"))?;
    Ok(Redirect::temporary(&url))
}

/// `GET /api_web/export/rooms/{room}/{file}.ndjson`.
pub(super) async fn room_export(
    State(server): Shared,
    Path((room, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let (caller, file) = admit(&server, request, "room", &file).await?;
    let rows = server.lock().export_room(&caller, &room, &file)?;
    Ok(ndjson(server.now(), "room", &file, &rows))
}

/// `GET /api_web/export/user/{user}/{file}.ndjson`.
pub(super) async fn user_export(
    State(server): Shared,
    Path((user, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let (caller, file) = admit(&server, request, "user", &file).await?;
    let rows = server.lock().export_user(&caller, &user, &file)?;
    Ok(ndjson(server.now(), "user", &file, &rows))
}

/// The caller of an export and the name of its file. The limit is counted before anything is looked at but the
/// token, so a refusal spends it too.
async fn admit(server: &Server, request: Request, of: &str, file: &str) -> Result<(Caller, String), Refusal> {
    let accepted = accepts_ndjson(request.headers());
    let (_, caller) = gate::identify(server, request).await?;
    server
        .lock()
        .charge_export(server.now(), &caller, &format!("{of}-{file}"))?;
    if !accepted {
        return Err(Refusal {
            status: StatusCode::NOT_ACCEPTABLE,
            reason: "the export is NDJSON, which the client does not accept",
        });
    }
    let name = file.strip_suffix(".ndjson");
    let name = name.ok_or(Refusal::not_found("exports end in .ndjson"))?;
    Ok((caller, name.to_owned()))
}

fn accepts_ndjson(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT);
    accepted.is_none_or(|accepted| {
        let accepted = accepted.to_str().unwrap_or_default();
        [NDJSON, "application/*", "*/*"]
            .iter()
            .any(|kind| accepted.contains(kind))
    })
}

fn ndjson(now: Timestamp, of: &str, file: &str, rows: &[Value]) -> Response {
    let date = now.to_zoned(TimeZone::UTC).date();
    let name = format!(
        "gitter-{of}-{file}-{}-{}-{}.ndjson",
        date.year(),
        date.month(),
        date.day()
    );
    let body = rows
        .iter()
        .fold(String::new(), |body, row| body + &row.to_string() + "\n");
    let headers = [
        (header::CONTENT_TYPE, NDJSON.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (headers, body).into_response()
}
