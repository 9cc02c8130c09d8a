//! The ids of traces: an item's follow from its direction and its source key, which are unique together, so that
//! every process finds the same, before a crash and after it, and on every replica.

use std::cell::Cell;

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use sha2::{Digest as _, Sha256};

/// A trace, and a span in it.
pub(super) type Ids = (TraceId, SpanId);

thread_local! {
    /// The ids of the span that is just being made, where they are not to be random.
    static GIVEN: Cell<Option<Ids>> = const { Cell::new(None) };
}

/// The trace of an item, and its first span.
pub(super) fn of_item(direction: &str, source_key: &str) -> Ids {
    let digest = Sha256::new()
        .chain_update(direction)
        .chain_update([0])
        .chain_update(source_key)
        .finalize();
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    for (byte, from) in trace.iter_mut().chain(&mut span).zip(digest) {
        *byte = from;
    }
    (TraceId::from_bytes(trace), SpanId::from_bytes(span))
}

/// A span that another process may have made, as a parent.
pub(super) fn remote((trace, span): Ids) -> Context {
    let parent = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
    Context::new().with_remote_span_context(parent)
}

/// Makes a span that has these ids.
pub(super) fn given<T>(ids: Ids, make: impl FnOnce() -> T) -> T {
    GIVEN.set(Some(ids));
    let made = make();
    GIVEN.set(None);
    made
}

/// Random ids, but for spans that are [`given`] theirs.
#[derive(Debug, Default)]
pub(super) struct Generator(RandomIdGenerator);

impl IdGenerator for Generator {
    fn new_trace_id(&self) -> TraceId {
        GIVEN
            .get()
            .map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        GIVEN.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_the_same_ids_everywhere_and_no_other_has_them() {
        let (trace, span) = of_item("to_gitter", "$event");
        // Written down: another version of the bridge goes on with the traces of this one.
        assert_eq!(trace.to_string(), "e285ff9db5b4e3aa5fbb65eba7405d31");
        assert_eq!(span.to_string(), "1b1a75fc0a5df0fe");
        assert_eq!(of_item("to_gitter", "$event"), (trace, span));
        for other in [
            ("to_matrix", "$event"),
            ("to_gitter", "$event2"),
            ("to_gitte", "r$event"),
        ] {
            assert_ne!(of_item(other.0, other.1).0, trace);
        }
    }

    #[test]
    fn only_the_span_that_is_given_ids_has_them() {
        let (generator, ids) = (Generator::default(), of_item("to_gitter", "$event"));
        let made = given(ids, || (generator.new_trace_id(), generator.new_span_id()));
        assert_eq!(made, ids);
        assert_ne!(generator.new_trace_id(), ids.0);
        assert_ne!(generator.new_span_id(), ids.1);
    }
}
