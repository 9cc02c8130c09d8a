//! The head of Gitter's replies: `X-RateLimit-*` and `Date`. One field a line, as `name: value`.

#![no_main]

use std::{sync::LazyLock, time::Duration};

use gitter_matrix_bridge::gitter::fuzzing;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

/// Whoever waits for the budget waits on its clock.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().expect("a runtime")
});

fuzz_target!(|head: &[u8]| {
    let _entered = RUNTIME.enter();
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        if let (Some(name), Some(value)) = (parts.next(), parts.next())
            && let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    let replied = fuzzing::reply(&headers);
    // Nothing that a server says keeps the bridge from asking again soon.
    let latest = Timestamp::now() + SignedDuration::from_mins(11);
    assert!(replied.refused_until.is_none_or(|until| until <= latest));
    if let Some(budget) = replied.budget {
        assert!(budget.resets_at.is_none_or(|resets_at| resets_at <= latest));
        assert!(
            budget.live_wait <= Duration::from_mins(11),
            "{:?}",
            budget.live_wait
        );
    }
    let _ = (replied.longest_wait, replied.clock_offset);
});
