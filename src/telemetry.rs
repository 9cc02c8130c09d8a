//! Traces for an OpenTelemetry collector (`telemetry` of the configuration): each item has one, from its acceptance to
//! its outcome, whichever process works it, however often it is tried.
//!
//! The trace's id and that of its first span follow from what the store knows the item by (`ids`), so nothing has to be
//! stored or passed on for them. What is not written here does not leave: spans hold ids, words of the product and
//! numbers, never what somebody said. Without a collector all of this does nothing.

mod export;
mod ids;

use std::{
    future::Future,
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::StatusCode;
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{FutureExt as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

pub use self::export::TelemetryError;
use crate::config;

/// How long the end of the process may wait for the collector.
const FLUSH: Duration = Duration::from_secs(3);

/// The longest id of the sources that is told.
const LONGEST_SOURCE: usize = 255;

/// Where spans go; nowhere without a collector.
static EXPORT: OnceLock<Export> = OnceLock::new();

#[derive(Debug)]
struct Export {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// Starts sending traces, if there is a collector to send them to. Once in a process.
pub fn start(settings: &config::Telemetry) -> Result<(), TelemetryError> {
    let Some(endpoint) = &settings.otlp_endpoint else {
        return Ok(());
    };
    let (provider, tracer) = export::build(endpoint, settings.headers_file.as_ref())?;
    // Only the first counts; there is no second.
    EXPORT.set(Export { provider, tracer }).ok();
    Ok(())
}

/// Sends what is left, for a short while at most.
pub async fn stop() {
    if let Some(export) = EXPORT.get() {
        let provider = export.provider.clone();
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        if !matches!(stopped.await, Ok(Ok(()))) {
            tracing::info!("The last traces did not reach the collector");
        }
    }
}

/// Whether there is a collector.
pub fn is_on() -> bool {
    EXPORT.get().is_some()
}

/// An item, as its trace knows it.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The word for its direction.
    pub direction: &'a str,
    /// What the store tells repeats by, in that direction.
    pub source_key: &'a str,
    /// Its id in the ledger.
    pub id: &'a str,
    /// The event or Gitter message it came from.
    pub source: &'a str,
    /// The Gitter room of its portal; empty where there is none.
    pub room: &'a str,
}

impl Item<'_> {
    /// The trace's first span: it was accepted. Told when that is committed.
    pub fn accepted(self, begun: SystemTime) {
        if let Some(export) = EXPORT.get() {
            let builder = SpanBuilder::from_name("accept")
                .with_kind(SpanKind::Consumer)
                .with_start_time(begun)
                .with_attributes(self.attributes());
            let first = ids::of_item(self.direction, self.source_key);
            drop(ids::given(first, || {
                export.tracer.build_with_context(builder, &Context::new())
            }));
        }
    }

    /// It has waited in its lane since then, in milliseconds since 1970.
    pub fn waited(self, since: i64) {
        if let Some(export) = EXPORT.get() {
            let since = UNIX_EPOCH + Duration::from_millis(u64::try_from(since).unwrap_or(0));
            let builder = SpanBuilder::from_name("wait").with_start_time(since);
            drop(export.tracer.build_with_context(builder, &self.context()));
        }
    }

    /// A step of its way begins.
    pub fn step(self, name: &'static str) -> Step {
        let builder = || SpanBuilder::from_name(name).with_attributes(self.attributes());
        Step::begin(builder, || self.context())
    }

    /// It has got its outcome, for a reason where that is not `bridged`. Told when that is committed; in the step that
    /// did it where that is one of this item.
    pub fn settled(self, outcome: &'static str, reason: &'static str) {
        let builder = || {
            let mut attributes = self.attributes();
            attributes.push(KeyValue::new("item.outcome", outcome));
            if !reason.is_empty() {
                attributes.push(KeyValue::new("item.reason", reason));
            }
            SpanBuilder::from_name("settle").with_attributes(attributes)
        };
        let parent = || {
            let (own, current) = (self.context(), Context::current());
            let trace = |context: &Context| context.span().span_context().trace_id();
            if trace(&own) == trace(&current) {
                current
            } else {
                own
            }
        };
        let step = Step::begin(builder, parent);
        if outcome == "failed" {
            step.fail(reason);
        }
    }

    /// The first span as a parent, whichever process has made it.
    fn context(self) -> Context {
        ids::remote(ids::of_item(self.direction, self.source_key))
    }

    fn attributes(self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("item.id", self.id.to_owned()),
            KeyValue::new("lane.direction", self.direction.to_owned()),
        ];
        if !self.room.is_empty() {
            attributes.push(KeyValue::new("portal.room", self.room.to_owned()));
        }
        if is_id(self.source) {
            attributes.push(KeyValue::new("item.source", self.source.to_owned()));
        }
        attributes
    }
}

/// Whether a source is the id of an event or of a Gitter message, and not one that names a person, or anything, as of what
/// could not be read.
fn is_id(source: &str) -> bool {
    let of_matrix = source.starts_with('$')
        && source.len() <= LONGEST_SOURCE
        && source.bytes().all(|byte| byte.is_ascii_graphic());
    let of_gitter = source.len() == 24 && source.bytes().all(|byte| byte.is_ascii_hexdigit());
    of_matrix || of_gitter
}

/// A span that is under way; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Step(Option<Context>);

impl Step {
    fn begin(builder: impl FnOnce() -> SpanBuilder, parent: impl FnOnce() -> Context) -> Self {
        Self(EXPORT.get().map(|export| {
            let parent = parent();
            let span = export.tracer.build_with_context(builder(), &parent);
            parent.with_span(span)
        }))
    }

    /// A part of the step that is under way in this task; nothing where no item is worked.
    pub fn part(name: &'static str) -> Self {
        Self::within(|| SpanBuilder::from_name(name))
    }

    /// A request to one of the sides; nothing where no item is worked.
    pub fn request(side: &'static str, endpoint: &'static str) -> Self {
        Self::within(|| {
            SpanBuilder::from_name(format!("{side}: {endpoint}"))
                .with_kind(SpanKind::Client)
                .with_attributes([KeyValue::new("peer.service", side)])
        })
    }

    fn within(builder: impl FnOnce() -> SpanBuilder) -> Self {
        if is_on() && Context::current().has_active_span() {
            Self::begin(builder, Context::current)
        } else {
            Self(None)
        }
    }

    /// Does something as this step: what it does in turn are parts of it.
    pub fn run<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_context(self.0.clone().unwrap_or_else(Context::current))
    }

    /// Notes a word of the product, or a number.
    pub fn note(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Notes that it failed; why is a word of the product.
    pub fn fail(&self, why: &'static str) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(why));
        }
    }

    /// Notes how a request ended: a word for it, `ok` if well, and the status where there was an answer.
    pub fn ended(&self, result: &'static str, status: Option<StatusCode>) {
        if let Some(status) = status {
            self.note("http.response.status_code", i64::from(status.as_u16()));
        }
        if result != "ok" {
            self.fail(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_that_name_somebody_are_not_told() {
        assert!(is_id("$event:example.org") && is_id("5f0000000000000000000d01"));
        for other in ["member:ana:example.org", "", "$an event", "ana", "$\u{e9}"] {
            assert!(!is_id(other), "{other}");
        }
    }
}
