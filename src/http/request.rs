//! What holds for every request, whatever it asks for: an id in the log and in the answer, a time, and errors in
//! Matrix's form.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, debug, info_span, warn};

use super::error::{self, ApiError};

/// The header with a request's id, in the request and in the answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a request.
const LONGEST_ID: usize = 64;

/// The longest text of an answer that is put into Matrix's form.
const LONGEST_TEXT: usize = 1024;

/// Answers a request within a time, under an id.
pub(super) async fn guard(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    // Not the path: those of media are what opens them.
    let span = info_span!("request", request.id = id, request.method = %request.method());
    let mut answer = answer(limit, request, next).instrument(span).await;
    if let Ok(id) = HeaderValue::try_from(id) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    answer
}

async fn answer(limit: Duration, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let is_whole = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let request = request.map(|body| {
        Body::new(Watched {
            body,
            is_whole: Arc::clone(&is_whole),
        })
    });
    let answer = match timeout(limit, next.run(request)).await {
        Ok(answer) => in_matrix_form(answer).await,
        Err(_) if is_whole.load(Ordering::Relaxed) => {
            warn!(
                seconds = limit.as_secs(),
                "A request took too long and is given up"
            );
            let told = "it takes too long; what has begun may go on";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", told).into_response()
        }
        Err(_) => {
            let told = "the request did not arrive in time";
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "M_UNKNOWN", told).into_response()
        }
    };
    debug!(
        request.status = answer.status().as_u16(),
        milliseconds = began.elapsed().as_millis(),
        "Answered a request"
    );
    answer
}

/// The id that a request brings, if that is a word that is safe in logs; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match given {
        Some(id) if !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(is_plain) => id.to_owned(),
        _ => format!("{:016x}", rand::random::<u64>()),
    }
}

/// Puts into Matrix's form what the HTTP library refuses by itself, in plain text or without a word.
async fn in_matrix_form(answer: Response) -> Response {
    let status = answer.status();
    // A file that has no such part is told of in headers.
    let is_refusal =
        (status.is_client_error() || status.is_server_error()) && status != StatusCode::RANGE_NOT_SATISFIABLE;
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !is_refusal || !is_plain {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let text = to_bytes(body, LONGEST_TEXT).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let text = if text.trim().is_empty() {
        status.canonical_reason().unwrap_or_default()
    } else {
        text.trim()
    };
    let (kind, body) = ApiError::new(status, error::code_of(status), text)
        .into_response()
        .into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.extend(kind.headers);
    Response::from_parts(head, body)
}

/// The body of a request, which tells when all of it has come.
struct Watched {
    body: Body,
    is_whole: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.is_whole.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
