//! Bayeux over HTTP long-polling, for where no WebSocket gets through (gitter-api 7.1): each frame is a POST, and
//! what it is answered is a frame.
//!
//! The outstanding connect has a request of its own, since Gitter holds it; everything else goes one after
//! another, so that nothing overtakes. It decides nothing.

use std::{
    collections::VecDeque,
    future::{self, Future},
    pin::Pin,
    time::Duration,
};

use http::{HeaderValue, header};
use tokio::select;
use url::Url;

use super::wire::WireError;
use crate::gitter::{MAX_REPLY_BYTES, USER_AGENT, bayeux::Frame};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Gitter closes an idle connection after 5 s; a POST on one that is just being closed would be reset.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Everything but a connect is answered at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The session's own deadline for a held connect comes before this.
const HELD_TIMEOUT: Duration = Duration::from_mins(12);

type Request = Pin<Box<dyn Future<Output = Result<String, WireError>> + Send>>;

/// The requests to one server.
pub(super) struct Polling {
    http: reqwest::Client,
    url: Url,
    /// The connect that Gitter holds.
    held: Option<Request>,
    /// The request under way.
    current: Option<Request>,
    /// What waits for it to end.
    waiting: VecDeque<Frame>,
}

impl Polling {
    /// Speaks to the server at an `http` or `https` address. Nothing is sent yet.
    pub(super) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            url,
            held: None,
            current: None,
            waiting: VecDeque::new(),
        })
    }

    /// Takes a frame to send; it leaves when [`Self::next`] is awaited.
    pub(super) fn send(&mut self, frame: Frame) {
        if frame.is_connect() {
            self.held = Some(self.post(frame, HELD_TIMEOUT));
        } else {
            self.waiting.push_back(frame);
        }
    }

    /// The next answer; never, where nothing is asked. Can be dropped at any time without losing any.
    pub(super) async fn next(&mut self) -> Result<String, WireError> {
        if self.current.is_none() {
            self.current = self
                .waiting
                .pop_front()
                .map(|frame| self.post(frame, REQUEST_TIMEOUT));
        }
        select! {
            answer = finished(&mut self.current) => answer,
            answer = finished(&mut self.held) => answer,
        }
    }

    /// Sends what is still to be sent, and gives the held connect up.
    pub(super) async fn finish(&mut self) {
        self.held = None;
        while self.current.is_some() || !self.waiting.is_empty() {
            if self.next().await.is_err() {
                return;
            }
        }
    }

    fn post(&self, frame: Frame, limit: Duration) -> Request {
        // A text as body is sent with `Content-Length`: Gitter refuses chunked ones (gitter-api 3.1).
        let request = self
            .http
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .timeout(limit)
            .body(frame.into_text());
        Box::pin(answer(request))
    }
}

/// The end of a request; never, where there is none.
async fn finished(request: &mut Option<Request>) -> Result<String, WireError> {
    let Some(running) = request else {
        return future::pending().await;
    };
    let answer = running.await;
    *request = None;
    answer
}

async fn answer(request: reqwest::RequestBuilder) -> Result<String, WireError> {
    let mut response = request.send().await?;
    if !response.status().is_success() {
        return Err(WireError::Status(response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_REPLY_BYTES {
            return Err(WireError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| WireError::NotText)
}
