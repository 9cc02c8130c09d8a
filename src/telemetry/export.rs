//! Sends spans to the collector, in the background: OTLP, as protobuf over HTTP.
//!
//! Nothing waits for it. Spans pass a bounded queue, and what finds it full is lost; a collector that is away costs one
//! line of the log a minute.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::BytesMut;
use http::{HeaderMap, Request, Response};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tracing::warn;
use url::Url;

use super::ids::Generator;
use crate::config::HeaderFile;

/// How many spans wait for the collector at most: of about 200 messages.
const QUEUE: usize = 4_096;

/// How long spans are collected before they are sent.
const COLLECTED: Duration = Duration::from_secs(1);

/// To connect, and the whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the log says that the collector takes nothing.
const TOLD_EVERY: Duration = Duration::from_mins(1);

/// The most that is read of an answer, in bytes; what it says beyond is of no use.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The path of traces under an OTLP endpoint (OpenTelemetry Protocol Specification, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The HTTP client cannot be made.
    #[error("telemetry: no connections can be made to the collector")]
    Client(#[from] reqwest::Error),
    /// The endpoint cannot be used.
    #[error("telemetry.otlp_endpoint cannot be used")]
    Exporter(#[from] ExporterBuildError),
}

/// What makes spans and sends them. Must be called in the runtime that is to send.
pub(super) fn build(
    endpoint: &Url,
    headers: Option<&HeaderFile>,
) -> Result<(SdkTracerProvider, SdkTracer), TelemetryError> {
    let client = Collector {
        http: reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?,
        headers: headers.map(|file| file.headers.clone()).unwrap_or_default(),
        runtime: Handle::current(),
        told: Mutex::default(),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(traces_url(endpoint))
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(REQUEST_TIMEOUT)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_scheduled_delay(COLLECTED)
        .build();
    let processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches)
        .build();
    let instance = format!("{:032x}", rand::random::<u128>());
    let resource = Resource::builder_empty().with_attributes([
        KeyValue::new("service.name", env!("CARGO_PKG_NAME")),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance),
    ]);
    let provider = SdkTracerProvider::builder()
        .with_id_generator(Generator::default())
        // Whole traces or none: a sampler would judge each process's part of a trace by itself.
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(processor)
        .with_resource(resource.build())
        .build();
    let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
    Ok((provider, tracer))
}

/// The address that takes traces: the endpoint's, unless it is that already.
fn traces_url(endpoint: &Url) -> String {
    let base = endpoint.as_str().trim_end_matches('/');
    match base.strip_suffix(PATH) {
        Some(_) => base.to_owned(),
        None => format!("{base}{PATH}"),
    }
}

/// The connection to the collector.
struct Collector {
    http: reqwest::Client,
    headers: HeaderMap,
    /// Where requests run: the exporter asks from a thread of its own.
    runtime: Handle,
    /// When the log last said that the collector takes nothing.
    told: Mutex<Option<Instant>>,
}

impl Collector {
    fn tell(&self, why: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            *told = Some(Instant::now());
            warn!(why, "The collector takes no traces; messages cross all the same");
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        request.headers_mut().extend(self.headers.clone());
        let request = reqwest::Request::try_from(request)?;
        let http = self.http.clone();
        let answered = self.runtime.spawn(async move {
            let mut answer = http.execute(request).await?;
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await?
                && body.len() + chunk.len() <= LARGEST_ANSWER
            {
                body.extend_from_slice(&chunk);
            }
            Ok::<_, reqwest::Error>((answer.status(), body.freeze()))
        });
        match answered.await? {
            Ok((status, body)) => {
                if !status.is_success() {
                    self.tell(&format!("it answered {status}"));
                }
                Ok(Response::builder().status(status).body(body)?)
            }
            Err(error) => {
                let error = error.without_url();
                self.tell(&format!("{:#}", anyhow::Error::new(error)));
                Err("the collector cannot be reached".into())
            }
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_to_their_path() {
        for (endpoint, url) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("https://example.org/otlp", "https://example.org/otlp/v1/traces"),
            (
                "https://example.org/otlp/v1/traces",
                "https://example.org/otlp/v1/traces",
            ),
        ] {
            assert_eq!(traces_url(&endpoint.parse().unwrap()), url);
        }
    }
}
