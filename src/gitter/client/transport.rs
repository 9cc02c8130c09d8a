//! One request and its reply: token, budget, time-outs, size cap, and what a failure means.
//!
//! It never sends anything twice: the caller decides.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::{sync::watch, time::Instant};
use url::Url;

use super::ClientSettings;
use crate::{
    gitter::{
        MAX_REPLY_BYTES, USER_AGENT,
        budget::{Budget, Class, Permit, Report},
        error::{BodyError, GitterError, SetupError},
        token::Token,
    },
    metrics::{requested, result_of},
    telemetry::Step,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Gitter closes an idle connection after 5 s; a POST on one that is just being closed would be reset.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(super) struct Transport {
    http: reqwest::Client,
    pub(super) api_url: Url,
    pub(super) token: Token,
    pub(super) budget: Budget,
    clock_offset: watch::Sender<Option<SignedDuration>>,
}

impl Transport {
    pub(super) fn new(settings: &ClientSettings) -> Result<Self, SetupError> {
        let api_url = settings.api_url.clone();
        if api_url.cannot_be_a_base() {
            return Err(SetupError::ApiUrl(api_url));
        }
        authorization(&settings.token.secret()).ok_or(SetupError::Token)?;
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            api_url,
            token: settings.token.clone(),
            budget: Budget::new(),
            clock_offset: watch::Sender::new(None),
        })
    }

    /// A request to a path under the API's URL. Its body, if any, is set with `json`, which sends it with
    /// `Content-Length`: Gitter refuses chunked ones (gitter-api 3.1).
    pub(super) fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.api_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        self.http.request(method, url)
    }

    /// Waits for the budget, sends the request and reads the reply, whatever its status; only 401 and 429 are
    /// always errors.
    pub(super) async fn send(
        &self,
        class: Class,
        endpoint: &'static str,
        request: RequestBuilder,
    ) -> Result<Reply, GitterError> {
        let permit = self.permit(class).await;
        self.send_with(permit, endpoint, request).await
    }

    /// Waits until the budget has room for a request.
    pub(super) async fn permit(&self, class: Class) -> Permit {
        self.budget.acquire(class).await
    }

    /// Sends a request that the budget has room for.
    pub(super) async fn send_with(
        &self,
        permit: Permit,
        endpoint: &'static str,
        request: RequestBuilder,
    ) -> Result<Reply, GitterError> {
        let (step, begun) = (Step::request("gitter", endpoint), Instant::now());
        let replied = step.run(self.exchange(permit, endpoint, request)).await;
        let (result, status) = match &replied {
            Ok(reply) => (result_of(reply.status), Some(reply.status)),
            Err(error) => (error.result(), error.status()),
        };
        step.ended(result, status);
        requested("gitter", endpoint, result, begun.elapsed());
        replied
    }

    async fn exchange(
        &self,
        permit: Permit,
        endpoint: &'static str,
        request: RequestBuilder,
    ) -> Result<Reply, GitterError> {
        let secret = self.token.secret();
        let sent_at = Timestamp::now();
        let started = Instant::now();
        let request = authorization(&secret)
            .into_iter()
            .fold(request, |request, value| {
                request.header(header::AUTHORIZATION, value)
            });
        let mut response = request.send().await.map_err(|source| failure(endpoint, source))?;
        let status = response.status();
        let took = started.elapsed();
        tracing::debug!(
            gitter.endpoint = endpoint,
            http.status = status.as_u16(),
            took.milliseconds = took.as_millis(),
            "Gitter answered a request"
        );
        let date = date(response.headers());
        if let Some(offset) = date.and_then(|date| offset(date, sent_at, took)) {
            self.clock_offset.send_replace(Some(offset));
        }
        settle(permit, endpoint, &response, date.unwrap_or_else(Timestamp::now))?;
        // The status alone says enough of a failure; the body is read so that the connection can be used again.
        let body = match read(endpoint, &mut response).await {
            Err(_) if !status.is_success() => Vec::new(),
            body => body?,
        };
        if status == StatusCode::UNAUTHORIZED {
            let login_required = login_required(&body);
            self.token.refused(&secret, login_required);
            return Err(GitterError::Unauthorized {
                endpoint,
                login_required,
            });
        }
        Ok(Reply {
            endpoint,
            status,
            body,
        })
    }

    /// Gitter's clock less ours, as of the last reply that told its time.
    pub(super) fn clock_offset(&self) -> Option<SignedDuration> {
        *self.clock_offset.borrow()
    }
}

/// A reply, with its whole body.
pub(super) struct Reply {
    endpoint: &'static str,
    pub(super) status: StatusCode,
    body: Vec<u8>,
}

impl Reply {
    /// The reply if its status is one of success.
    pub(super) fn success(self) -> Result<Self, GitterError> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.unexpected())
        }
    }

    /// The status as an error.
    pub(super) fn unexpected(&self) -> GitterError {
        GitterError::Status {
            endpoint: self.endpoint,
            status: self.status,
        }
    }

    /// The body of a successful reply.
    pub(super) fn json<T: DeserializeOwned>(self) -> Result<T, GitterError> {
        let reply = self.success()?;
        serde_json::from_slice(&reply.body).map_err(|source| GitterError::Unreadable {
            endpoint: reply.endpoint,
            status: reply.status,
            source: source.into(),
        })
    }
}

/// The header that shows a token; `None` for one that no header can hold.
fn authorization(token: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What a request without a reply means. A connection that was never made surely carried nothing.
fn failure(endpoint: &'static str, source: reqwest::Error) -> GitterError {
    if source.is_connect() || source.is_builder() {
        GitterError::Unreachable { endpoint, source }
    } else {
        GitterError::Interrupted { endpoint, source }
    }
}

/// Tells the budget what the reply said of it.
fn settle(
    permit: Permit,
    endpoint: &'static str,
    response: &Response,
    server_now: Timestamp,
) -> Result<(), GitterError> {
    let report = report(response.headers(), server_now);
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        let until = permit.refused(report.map(|report| report.resets_in));
        return Err(GitterError::RateLimited { endpoint, until });
    }
    permit.answered(report);
    Ok(())
}

/// The budget as a reply tells it. The end of the window is a time of Gitter's clock, so it is compared with
/// Gitter's own time.
pub(in crate::gitter) fn report(headers: &HeaderMap, server_now: Timestamp) -> Option<Report> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let reset = Timestamp::from_millisecond(number("x-ratelimit-reset")?).ok()?;
    Some(Report {
        limit: u32::try_from(number("x-ratelimit-limit")?).ok()?,
        remaining: u32::try_from(number("x-ratelimit-remaining")?).ok()?,
        resets_in: Duration::try_from(reset.duration_since(server_now)).unwrap_or_default(),
    })
}

/// When Gitter made the reply, in whole seconds.
pub(in crate::gitter) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Gitter's clock less ours, taking that it made the reply half-way through the request. Half a second is
/// added for the part that the header cuts off.
pub(in crate::gitter) fn offset(
    date: Timestamp,
    sent_at: Timestamp,
    took: Duration,
) -> Option<SignedDuration> {
    let half = SignedDuration::try_from(took / 2).ok()?;
    let ours = sent_at.checked_add(half).ok()?;
    Some(date.duration_since(ours) + SignedDuration::from_millis(500))
}

/// Whether a 401 says that the account's tokens are all destroyed (gitter-api 2).
fn login_required(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Refusal {
        login_required: bool,
    }
    serde_json::from_slice::<Refusal>(body).is_ok_and(|refusal| refusal.login_required)
}

async fn read(endpoint: &'static str, response: &mut Response) -> Result<Vec<u8>, GitterError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|source| GitterError::Interrupted { endpoint, source })?
    {
        if body.len() + chunk.len() > MAX_REPLY_BYTES {
            return Err(GitterError::Unreadable {
                endpoint,
                status: response.status(),
                source: BodyError::TooLarge {
                    limit: MAX_REPLY_BYTES,
                },
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
