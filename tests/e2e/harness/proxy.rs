//! A reverse proxy before the homeserver, which can lose an answer.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use reqwest::Client;
use tokio::{net::TcpListener, sync::Notify};
use url::Url;

/// What the proxy does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It passes them on.
    Pass,
    /// It passes them on, but loses the answer to the first that sends an event, and goes to `Refuse`.
    LoseNextSend,
    /// It answers 502, as proxies do whose backend is away.
    Refuse,
}

/// A running proxy. It ends with the test's runtime.
pub(crate) struct Proxy {
    url: Url,
    shared: Arc<Shared>,
}

struct Shared {
    http: Client,
    target: Url,
    mode: Mutex<Mode>,
    lost: Notify,
    sends: Mutex<Vec<String>>,
}

impl Proxy {
    /// Starts before `target`.
    pub(crate) async fn start(target: Url) -> Result<Self> {
        let shared = Arc::new(Shared {
            http: xtask::http::client()?,
            target,
            mode: Mutex::new(Mode::Pass),
            lost: Notify::new(),
            sends: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?).parse()?;
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Self { url, shared })
    }

    /// Its address.
    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// From now on: loses the answer to the next request that sends an event, then refuses all requests.
    pub(crate) fn lose_next_send(&self) {
        self.shared.set(Mode::LoseNextSend);
    }

    /// Waits until the answer is lost.
    pub(crate) async fn lost(&self) {
        self.shared.lost.notified().await;
    }

    /// Passes all requests on again.
    pub(crate) fn pass(&self) {
        self.shared.set(Mode::Pass);
    }

    /// The paths of all requests that sent an event and were passed on.
    pub(crate) fn sends(&self) -> Vec<String> {
        self.shared
            .sends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Shared {
    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// Decides about a request, and whether its answer is to be lost.
    fn admit(&self, path: &str) -> Option<bool> {
        let is_send = path.contains("/send/m.room.message/");
        let mut mode = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        if *mode == Mode::Refuse {
            return None;
        }
        let lose = is_send && *mode == Mode::LoseNextSend;
        if lose {
            *mode = Mode::Refuse;
        }
        if is_send {
            self.sends
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(path.to_owned());
        }
        Some(lose)
    }
}

async fn forward(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let Some(lose) = shared.admit(request.uri().path()) else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let answer = pass_on(&shared, request).await;
    if lose {
        shared.lost.notify_one();
        return StatusCode::GATEWAY_TIMEOUT.into_response();
    }
    answer.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
}

async fn pass_on(shared: &Shared, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let mut url = shared.target.clone();
    url.set_path(parts.uri.path());
    url.set_query(parts.uri.query());
    let body = axum::body::to_bytes(body, usize::MAX).await?;
    let answer = shared
        .http
        .request(parts.method, url)
        .headers(parts.headers)
        .body(body)
        .send()
        .await?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        // The body is sent on as it was read: unpacked and in one piece.
        if !["content-encoding", "content-length", "transfer-encoding"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    Ok(response.body(Body::from(answer.bytes().await?))?)
}
