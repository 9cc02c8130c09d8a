//! Faults on order: the next requests of some kind are answered wrongly, late or not at all.

use std::{future, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header::RETRY_AFTER},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Shared;

/// Cancelling it breaks the connection that a request came on.
#[derive(Debug, Clone)]
pub(super) struct Connection(pub(super) CancellationToken);

/// Something that goes wrong with requests to come. The first fault that matches a request is used up by it.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The method of the requests meant.
    pub(crate) method: Method,
    /// What their paths contain, such as `/send/`.
    pub(crate) path: &'static str,
    /// How many of them it hits.
    pub(crate) times: u32,
    /// Whether the request is carried out.
    pub(crate) stage: Stage,
    /// What happens.
    pub(crate) effect: Effect,
}

/// When a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Instead of what was asked for.
    Before,
    /// After it was done.
    After,
}

/// What a fault does.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// Answers with a status and an error code.
    Status {
        /// The status.
        status: StatusCode,
        /// The error code; an empty body if none, as of a proxy.
        errcode: Option<&'static str>,
        /// How long to wait is asked for, in the body and, in whole seconds, as a header.
        retry_after: Option<Duration>,
    },
    /// Breaks the connection.
    Reset,
    /// Answers late, else as always: before or after it is done.
    Latency(Duration),
}

/// The layer that lets faults happen.
pub(super) async fn layer(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let fault = take(&shared, request.method(), request.uri().path());
    match fault {
        None => next.run(request).await,
        Some((Stage::Before, Effect::Latency(latency))) => {
            tokio::time::sleep(latency).await;
            next.run(request).await
        }
        Some((Stage::Before, effect)) => happen(effect, &connection, None).await,
        Some((Stage::After, effect)) => {
            let answer = next.run(request).await;
            happen(effect, &connection, Some(answer)).await
        }
    }
}

fn take(shared: &Shared, method: &Method, path: &str) -> Option<(Stage, Effect)> {
    let mut world = shared.world();
    let fault = world
        .faults
        .iter_mut()
        .find(|fault| fault.times > 0 && fault.method == *method && path.contains(fault.path))?;
    fault.times -= 1;
    Some((fault.stage, fault.effect.clone()))
}

async fn happen(effect: Effect, connection: &Connection, answer: Option<Response>) -> Response {
    match effect {
        Effect::Status {
            status,
            errcode,
            retry_after,
        } => refusal(status, errcode, retry_after),
        Effect::Reset => {
            connection.0.cancel();
            future::pending().await
        }
        Effect::Latency(latency) => {
            tokio::time::sleep(latency).await;
            answer.unwrap_or_default()
        }
    }
}

fn refusal(status: StatusCode, errcode: Option<&str>, retry_after: Option<Duration>) -> Response {
    let mut response = match errcode {
        None => status.into_response(),
        Some(errcode) => {
            let mut body = json!({ "errcode": errcode, "error": "a fault on order" });
            if let Some(retry_after) = retry_after {
                body["retry_after_ms"] = json!(retry_after.as_millis());
            }
            (status, Json(body)).into_response()
        }
    };
    if let Some(retry_after) = retry_after {
        let seconds = HeaderValue::from(retry_after.as_secs());
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}
