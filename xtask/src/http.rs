//! One way to speak JSON over HTTP, for the clients of both sides.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

/// A client with time limits.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<Client> {
    // Installed already when this is not the first client: that is no failure.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(Duration::from_secs(30))
        // Gitter closes idle connections after five seconds (gitter-api 14).
        .pool_idle_timeout(Duration::from_secs(3))
        .build()
        .context("setting up HTTP")
}

/// Sends a request and reads the JSON answer; an empty body is `null`.
///
/// # Errors
/// When there is no answer, its status is not a success (the error has the status and body), or its body
/// is not JSON.
pub async fn json(request: RequestBuilder) -> Result<Value> {
    let response = request.send().await.context("sending a request")?;
    let (status, path) = (response.status(), response.url().path().to_owned());
    let body = response.text().await.context("reading an answer")?;
    if !status.is_success() {
        bail!("{path} answered {status}: {body}");
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&body).with_context(|| format!("{path} answered no JSON: {body}"))
}

/// The text at a JSON pointer.
///
/// # Errors
/// When there is no text there.
pub fn text_at<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .with_context(|| format!("no text at {pointer} in {value}"))
}
