//! Makes requests suffer the faults that were asked for (see `faults`).

use std::{sync::Arc, time::Duration};

use axum::{
    body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jiff::fmt::rfc2822::DateTimePrinter;

use super::answer::error_response;
use crate::{
    connection::ResetHandle,
    faults::{RequestEffect, When},
    server::Server,
};

/// Longer bodies are not taken in at all. Far above Gitter's own limit, so that clients see its refusal.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Carries a request out, unless a fault comes before, and answers it, unless one comes after.
///
/// A request that was taken in is carried out even when its client does not wait for it, as on a real server.
pub(super) async fn suffer(
    State(server): State<Arc<Server>>,
    ConnectInfo(connection): ConnectInfo<ResetHandle>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = body::to_bytes(body, MAX_BODY).await else {
        return error_response(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let request = Request::from_parts(parts, body.into());
    let tasks = server.tasks.clone();
    let carried_out = tasks
        .spawn(carry_out(server.clone(), connection, request, next))
        .await;
    let mut response = carried_out.unwrap_or_else(|error| {
        tracing::error!(%error, "A request failed; this is a bug in the sandbox");
        error_response(StatusCode::INTERNAL_SERVER_ERROR)
    });
    date(&server, &mut response);
    response
}

async fn carry_out(server: Arc<Server>, connection: ResetHandle, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if let Some(response) = happen(&server, &connection, When::Before, &method, &path).await {
        return response;
    }
    let response = next.run(request).await;
    let instead = happen(&server, &connection, When::After, &method, &path).await;
    instead.unwrap_or(response)
}

/// Lets the faults of a request happen; the answer, if one of them ends it.
async fn happen(
    server: &Server,
    connection: &ResetHandle,
    when: When,
    method: &Method,
    path: &str,
) -> Option<Response> {
    let effects = server.lock().faults.request_effects(when, method.as_str(), path);
    for effect in effects {
        tracing::info!(http.method = %method, http.path = path, ?when, ?effect, "A fault happens as asked");
        match effect {
            RequestEffect::Status(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Some(error_response(status));
            }
            RequestEffect::Reset => {
                connection.reset();
                // Never arrives: the connection is reset where this would be written.
                return Some(StatusCode::INTERNAL_SERVER_ERROR.into_response());
            }
            RequestEffect::LatencyMs(latency) => {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(latency)) => {}
                    () = server.stopping.cancelled() => {}
                }
            }
        }
    }
    None
}

/// Dates an answer by the sandbox's own clock, which a fault may have put wrong.
fn date(server: &Server, response: &mut Response) {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&server.now());
    let date = date.ok().and_then(|date| HeaderValue::try_from(date).ok());
    if let Some(date) = date {
        response.headers_mut().insert(header::DATE, date);
    }
}
