//! Requests of ruma's types over HTTP: written, sent with the token, read back under limits.
//!
//! It never repeats a request. (The HTTP library does where the request provably never left.)

use std::{
    borrow::Cow,
    error::Error as StdError,
    fmt,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{StatusCode, header::AUTHORIZATION};
use reqwest::{Client, redirect};
use ruma::api::{
    AppserviceUserIdentity, IncomingResponseExt as _, MatrixVersion, OutgoingRequest,
    OutgoingRequestAppserviceExt as _, SupportedVersions,
    auth_scheme::{AuthScheme, SendAccessToken},
    error::FromHttpResponseError,
    path_builder::PathBuilder,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{Endpoint, MatrixError};
use crate::{
    metrics::{requested, result_of},
    telemetry::Step,
};

/// To connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the first byte sent to the last byte received.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// The same for uploads, which are as slow as the way there: 100 MiB at 1.4 Mbit/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);
/// Shorter than Synapse (60 s) and common proxies (75 s) keep a quiet connection, so that requests are
/// not written to connections that are just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer: a page of 100 full events is 6.4 MiB, the members of a room of 100,000 about 20 MiB.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The connection to one homeserver, with the application service's token.
pub(super) struct Transport {
    http: Client,
    /// `homeserver.url`, without a slash at its end.
    base_url: String,
    as_token: SecretString,
    /// Every call used here has had its path since Matrix 1.1, the ping since 1.7; an older homeserver
    /// answers the ping with 404, as it would any other path of it.
    versions: SupportedVersions,
}

impl Transport {
    /// Needs the process's rustls provider to be installed.
    pub(super) fn new(homeserver_url: &Url, as_token: SecretString) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(USER_AGENT)
            .build()?;
        Ok(Self {
            http,
            base_url: homeserver_url.as_str().trim_end_matches('/').to_owned(),
            as_token,
            versions: SupportedVersions {
                // 1.16 for custom fields of profiles, which a homeserver may lack; all else is as in 1.11.
                versions: [MatrixVersion::V1_11, MatrixVersion::V1_16].into(),
                features: [].into(),
            },
        })
    }

    /// Sends a request as `identity` and reads its answer.
    pub(super) async fn call<R>(
        &self,
        endpoint: Endpoint,
        identity: AppserviceUserIdentity<'_>,
        request: R,
    ) -> Result<R::IncomingResponse, MatrixError>
    where
        R: OutgoingRequest,
        for<'a> R::Authentication: AuthScheme<Input<'a> = SendAccessToken<'a>>,
        for<'a> R::PathBuilder: PathBuilder<Input<'a> = Cow<'a, SupportedVersions>>,
    {
        let request = request
            .try_into_http_request_with_identity::<Vec<u8>>(
                &self.base_url,
                self.token(),
                identity,
                Cow::Borrowed(&self.versions),
            )
            .map_err(|source| unwritable(endpoint, source))?;
        self.exchange::<R>(endpoint, request).await
    }

    /// Sends a request that is already written, and reads its answer as that of `R`.
    pub(super) async fn exchange<R: OutgoingRequest>(
        &self,
        endpoint: Endpoint,
        request: http::Request<Vec<u8>>,
    ) -> Result<R::IncomingResponse, MatrixError> {
        let exchange = self.exchange_once::<R>(endpoint, request);
        observed(endpoint, |_| StatusCode::OK, exchange).await
    }

    async fn exchange_once<R: OutgoingRequest>(
        &self,
        endpoint: Endpoint,
        request: http::Request<Vec<u8>>,
    ) -> Result<R::IncomingResponse, MatrixError> {
        let mut request = reqwest::Request::try_from(request)
            .map_err(|source| unwritable(endpoint, source.without_url()))?;
        if let Some(token) = request.headers_mut().get_mut(AUTHORIZATION) {
            token.set_sensitive(true);
        }
        if endpoint == Endpoint::Upload {
            *request.timeout_mut() = Some(UPLOAD_TIMEOUT);
        }
        let response = self
            .http
            .execute(request)
            .await
            .map_err(|source| self.failed(endpoint, source))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(endpoint, response).await;
        if !status.is_success() {
            // The status says no, whether or not the explanation came whole.
            let body = body.unwrap_or_default();
            return Err(MatrixError::from_answer(endpoint, status, &headers, &body));
        }
        let body = body?;
        let mut answer = http::Response::new(&*body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        R::IncomingResponse::try_from_http_response(answer).map_err(|error| match error {
            FromHttpResponseError::Deserialization(source) => unreadable(endpoint, source),
            other => unreadable(endpoint, other.to_string()),
        })
    }

    /// A request of no type of ruma's, with the token.
    pub(super) fn request(&self, method: http::Method, url: Url) -> reqwest::RequestBuilder {
        self.http
            .request(method, url)
            .bearer_auth(self.as_token.expose_secret())
    }

    /// Sends a request of no type of ruma's, and reads its whole answer.
    pub(super) async fn answer(
        &self,
        endpoint: Endpoint,
        request: reqwest::RequestBuilder,
    ) -> Result<(StatusCode, http::HeaderMap, Bytes), MatrixError> {
        let answer = async {
            let response = request.send().await;
            let response = response.map_err(|source| self.failed(endpoint, source))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = self.read(endpoint, response).await?;
            Ok((status, headers, body))
        };
        observed(endpoint, |(status, ..)| *status, answer).await
    }

    /// Sends a request of no type of ruma's, whose answer is read later if it is good.
    pub(super) async fn begin(
        &self,
        endpoint: Endpoint,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, MatrixError> {
        let answer = async {
            let response = request.send().await;
            let response = response.map_err(|source| self.failed(endpoint, source))?;
            if response.status().is_success() {
                return Ok(response);
            }
            let (status, headers) = (response.status(), response.headers().clone());
            let body = self.read(endpoint, response).await.unwrap_or_default();
            Err(MatrixError::from_answer(endpoint, status, &headers, &body))
        };
        observed(endpoint, reqwest::Response::status, answer).await
    }

    /// The base that paths are appended to.
    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The token, for every call: those that need none are used with it, since some homeservers ask more
    /// than the specification.
    pub(super) fn token(&self) -> SendAccessToken<'_> {
        SendAccessToken::Always(self.as_token.expose_secret())
    }

    async fn read(&self, endpoint: Endpoint, mut response: reqwest::Response) -> Result<Bytes, MatrixError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|source| self.failed(endpoint, source))?
        {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(unreadable(
                    endpoint,
                    format!("it is larger than {MAX_ANSWER_BYTES} bytes"),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn failed(&self, endpoint: Endpoint, source: reqwest::Error) -> MatrixError {
        let source = source.without_url();
        if source.is_connect() {
            let homeserver = self.base_url.clone();
            MatrixError::Unreachable {
                endpoint,
                homeserver,
                source,
            }
        } else {
            MatrixError::Interrupted { endpoint, source }
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transport")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// Makes a request, and tells how it ended.
async fn observed<T>(
    endpoint: Endpoint,
    status: impl FnOnce(&T) -> StatusCode,
    request: impl Future<Output = Result<T, MatrixError>>,
) -> Result<T, MatrixError> {
    let (step, begun) = (Step::request("matrix", endpoint.as_str()), Instant::now());
    let answered = step.run(request).await;
    let (result, status) = match &answered {
        Ok(answer) => {
            let status = status(answer);
            (result_of(status), Some(status))
        }
        Err(error) => (error.result(), error.status()),
    };
    step.ended(result, status);
    requested("matrix", endpoint.as_str(), result, begun.elapsed());
    answered
}

pub(super) fn unreadable(
    endpoint: Endpoint,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> MatrixError {
    MatrixError::Unreadable {
        endpoint,
        source: source.into(),
    }
}

pub(super) fn unwritable(
    endpoint: Endpoint,
    source: impl Into<Box<dyn StdError + Send + Sync>>,
) -> MatrixError {
    MatrixError::Unwritable {
        endpoint,
        source: source.into(),
    }
}
