//! Makes requests suffer the faults that were asked for (see `faults`).

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::answer::error_response;
use crate::{
    connection::ResetHandle,
    faults::{RequestEffect, When},
    server::Server,
};

/// Carries a request out, unless a fault comes before, and answers it, unless one comes after.
pub(super) async fn suffer(
    State(server): State<Arc<Server>>,
    ConnectInfo(connection): ConnectInfo<ResetHandle>,
    request: Request,
    next: Next,
) -> Response {
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
                return Some(error_response(status, Server::now()));
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
