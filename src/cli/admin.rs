//! The admin API of the running bridge (DESIGN 6.3), as the commands use it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use crate::config::{
    Config,
    secret::{self, SecretError},
};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take: linking waits for both sides.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);

/// Speaks to the bridge at `admin.listen`.
pub(super) struct AdminClient {
    http: Client,
    base: Url,
    token: SecretString,
}

/// What the bridge answered.
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// The body as it came.
    pub(super) body: String,
}

/// A portal, as the API shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Portal {
    pub(super) gitter_room_id: String,
    pub(super) gitter_uri: String,
    pub(super) matrix_room_id: String,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) waiting: u64,
    pub(super) failed: u64,
    pub(super) last_bridged_at: Option<String>,
    #[serde(default)]
    pub(super) state_detail: Option<String>,
}

impl Portal {
    /// Whether something is to do about it.
    pub(super) fn needs_somebody(&self) -> bool {
        self.failed > 0 || !["active", "catching_up"].contains(&self.state.as_str())
    }
}

/// The answer to `GET rooms`.
#[derive(Debug, Deserialize)]
pub(super) struct Portals {
    pub(super) rooms: Vec<Portal>,
}

/// One thing that was looked at, and what to do if it is not well.
#[derive(Debug, Deserialize)]
pub(super) struct Check {
    #[serde(rename = "check")]
    pub(super) name: String,
    pub(super) ok: bool,
    #[serde(default)]
    pub(super) detail: Option<String>,
    #[serde(default)]
    pub(super) mend: Option<String>,
}

/// The answer to a link that was made.
#[derive(Debug, Deserialize)]
pub(super) struct NewLink {
    #[serde(flatten)]
    pub(super) portal: Portal,
    #[serde(default)]
    pub(super) notes: Vec<Check>,
}

/// The answer to a dry run.
#[derive(Debug, Deserialize)]
pub(super) struct Checks {
    pub(super) checks: Vec<Check>,
}

/// An answer that says why not.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) errcode: String,
    pub(super) error: String,
    #[serde(default)]
    pub(super) mend: Option<String>,
    #[serde(default)]
    pub(super) checks: Vec<Check>,
}

impl AdminClient {
    /// Prepares to speak to the bridge of a configuration. Nothing is sent yet.
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let base = address(config, "/_matrix/provision/v1")?;
        let token = secret::read(&config.admin.token_file).map_err(|error| {
            let advice = match error {
                SecretError::Unreadable { .. } => format!(
                    "no admin token (the bridge makes one when it starts): is it running at {}? \
                     Start it with `gitter-matrix-bridge serve`",
                    origin(&base)
                ),
                _ => "admin.token_file cannot be used".to_owned(),
            };
            anyhow::Error::new(error).context(advice)
        })?;
        let http = client(ANSWER_TIMEOUT)?;
        Ok(Self { http, base, token })
    }

    /// Asks for something; `path` is what follows the API's base, each part as it is before escaping.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.request(method, path)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request, &self.base).await
    }

    /// Asks with parameters.
    pub(super) async fn query(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Answer> {
        let request = self.request(Method::GET, path)?.query(query);
        answer(request, &self.base).await
    }

    fn request(&self, method: Method, path: &[&str]) -> anyhow::Result<RequestBuilder> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("admin.listen makes no usable address"))?
            .extend(path);
        let request = self.http.request(method, url);
        Ok(request.bearer_auth(self.token.expose_secret()))
    }
}

/// Asks whether the bridge is ready, which needs no token (DESIGN 6.3).
pub(super) async fn ready(config: &Config) -> anyhow::Result<Answer> {
    let url = address(config, "/ready")?;
    answer(client(CONNECT_TIMEOUT)?.get(url.clone()), &url).await
}

fn client(timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .build()
}

async fn answer(request: RequestBuilder, url: &Url) -> anyhow::Result<Answer> {
    let response = request.send().await.map_err(reqwest::Error::without_url);
    let response = response.with_context(|| {
        format!(
            "the bridge is not reachable at {} (admin.listen); start it with `gitter-matrix-bridge serve`",
            origin(url)
        )
    })?;
    Ok(Answer {
        status: response.status(),
        body: response
            .text()
            .await
            .context("the answer of the bridge broke off")?,
    })
}

impl Answer {
    /// Reads the body of a success.
    pub(super) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_str(&self.body)
            .context("the bridge answered something else than expected; is it another version?")
    }

    /// Reads the body of a refusal.
    pub(super) fn refusal(&self) -> anyhow::Result<Refusal> {
        serde_json::from_str(&self.body).with_context(|| {
            format!(
                "{} answered, but not like the bridge; does admin.listen lead to it?",
                self.status
            )
        })
    }
}

/// The address of something that the admin listener serves.
fn address(config: &Config, path: &str) -> Result<Url, url::ParseError> {
    Url::parse(&format!("http://{}{path}", reachable(config.admin.listen)))
}

/// Where to connect for an address that is listened on: "all addresses" is none to connect to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
