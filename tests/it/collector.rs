//! A collector of OpenTelemetry, as far as the bridge needs one: it takes OTLP over HTTP and keeps what came.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::HeaderMap;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message as _;
use url::Url;

use crate::world::until;

/// A span that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// Empty for the first of a trace.
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) failed: bool,
    /// The process that it is of.
    pub(crate) instance: String,
}

/// The collector; it ends when this is dropped.
pub(crate) struct Collector {
    pub(crate) url: Url,
    state: Arc<Mutex<Taken>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Taken {
    spans: Vec<Seen>,
    headers: Vec<HeaderMap>,
    bodies: Vec<u8>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let state = Arc::<Mutex<Taken>>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&state));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url: url.parse().unwrap(),
            state,
            task,
        }
    }

    /// The spans of the trace of an event or a Gitter message, in one direction, oldest first, once it has its outcome.
    pub(crate) async fn trace_of(&self, direction: &str, source: &str) -> Vec<Seen> {
        let found = self.spans_of(direction, source, &["settle", "deliver"]).await;
        assert!(found.iter().all(|span| span.trace == found[0].trace), "{found:?}");
        found
    }

    /// The spans of such a trace, once these are among them.
    pub(crate) async fn spans_of(&self, direction: &str, source: &str, expected: &[&str]) -> Vec<Seen> {
        until(&format!("{expected:?} in the trace of {source}"), async || {
            let spans = self.state.lock().unwrap().spans.clone();
            let names = |span: &Seen| {
                let is =
                    |key: &str, value: &str| span.attributes.get(key).is_some_and(|found| found == value);
                is("item.source", source) && is("lane.direction", direction)
            };
            let Some(named) = spans.iter().find(|span| names(span)) else {
                anyhow::bail!("no trace of {source} yet");
            };
            let mut found: Vec<Seen> = spans
                .iter()
                .filter(|span| span.trace == named.trace)
                .cloned()
                .collect();
            found.sort_by_key(|span| (span.begun, std::cmp::Reverse(span.ended)));
            let is_there = |name: &&str| found.iter().any(|span| span.name == **name);
            Ok(expected.iter().all(is_there).then_some(found))
        })
        .await
    }

    /// The value that each request had for a header.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let values = state.headers.iter().filter_map(|headers| headers.get(name));
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// Whether something stands in what came, whatever it is there.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let state = self.state.lock().unwrap();
        state
            .bodies
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(state): State<Arc<Mutex<Taken>>>, headers: HeaderMap, body: Bytes) -> Vec<u8> {
    let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
    let mut state = state.lock().unwrap();
    state.headers.push(headers);
    state.bodies.extend_from_slice(&body);
    for of_resource in request.resource_spans {
        let resource = of_resource.resource.unwrap();
        let instance = attributes(&resource.attributes)["service.instance.id"].clone();
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        state.spans.extend(spans.map(|span| seen(span, &instance)));
    }
    Vec::new()
}

fn seen(span: Span, instance: &str) -> Seen {
    Seen {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        begun: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
        attributes: attributes(&span.attributes),
        failed: span.status.is_some_and(|status| status.code == 2),
        instance: instance.to_owned(),
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let value = |pair: &KeyValue| match pair.value.clone().unwrap().value.unwrap() {
        any_value::Value::StringValue(text) => text,
        any_value::Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), value(pair))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A trace as a tree for people: when each span began, how long it took, what it is, and what it says beyond those that
/// it is a part of.
pub(crate) fn tree(spans: &[Seen]) -> String {
    let mut text = String::new();
    let first = spans.iter().find(|span| span.parent.is_empty()).unwrap();
    branch(&mut text, spans, &[first]);
    text
}

/// The last span of a path, and its parts.
fn branch(text: &mut String, spans: &[Seen], path: &[&Seen]) {
    let milliseconds = |nanoseconds: u64| Duration::from_nanos(nanoseconds).as_secs_f64() * 1_000.0;
    let (span, above) = path.split_last().unwrap();
    let name = format!("{:indent$}{}", "", span.name, indent = above.len() * 2);
    let is_new = |(key, value): &(&String, &String)| {
        let mut told = above.iter().rev().filter_map(|span| span.attributes.get(*key));
        told.next() != Some(*value)
    };
    let new = span.attributes.iter().filter(is_new);
    let attributes: Vec<String> = new.map(|(key, value)| format!("{key}={value}")).collect();
    let line = format!(
        "{:>6.1} ms {:>6.1} ms  {name:<28} {}",
        milliseconds(span.begun.saturating_sub(path[0].begun)),
        milliseconds(span.ended - span.begun),
        attributes.join(" ")
    );
    let _ = writeln!(text, "{}", line.trim_end());
    for part in spans.iter().filter(|part| part.parent == span.id) {
        branch(text, spans, &[path, &[part]].concat());
    }
}
