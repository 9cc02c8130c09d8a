//! Each row of the table (DESIGN 3.2).

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::matrix::Endpoint;

const NOW: i64 = 1_000_000;

fn of_gitter(status: u16) -> GitterError {
    GitterError::Status {
        endpoint: "create message",
        status: StatusCode::from_u16(status).unwrap(),
    }
}

fn of_matrix(status: u16, errcode: &str, retry_after: Option<Duration>) -> MatrixError {
    MatrixError::Api {
        endpoint: Endpoint::Send,
        status: StatusCode::from_u16(status).unwrap(),
        errcode: Some(errcode.to_owned()),
        message: String::new(),
        retry_after,
    }
}

/// Any error of the HTTP client.
fn network() -> reqwest::Error {
    reqwest::Proxy::http("http://[").unwrap_err()
}

fn is_retry(decision: Decision, least: i64, most: i64) -> bool {
    matches!(decision, Decision::Retry { after } if (least..=most).contains(&after))
}

#[test]
fn creating_on_gitter() {
    for (error, decision) in [
        (of_gitter(404), Decision::BreakPortal),
        (of_gitter(413), Decision::Reject(Reason::TooLarge)),
        (of_gitter(400), Decision::Reject(Reason::BadEvent)),
        (of_gitter(403), Decision::Reject(Reason::Forbidden)),
        (of_gitter(409), Decision::Reject(Reason::Forbidden)),
    ] {
        assert_eq!(gitter_create(&error, 1), decision, "{error}");
    }
    for login_required in [false, true] {
        let error = GitterError::Unauthorized {
            endpoint: "create message",
            login_required,
        };
        assert_eq!(gitter_create(&error, 1), Decision::AwaitToken);
    }
    let until = Timestamp::from_millisecond(NOW).unwrap();
    let endpoint = "create message";
    let limited = GitterError::RateLimited { endpoint, until };
    let until = Some(NOW);
    assert_eq!(gitter_create(&limited, 1), Decision::PauseSide { until });
    let source = network();
    let unreachable = GitterError::Unreachable { endpoint, source };
    assert_eq!(
        gitter_create(&unreachable, 1),
        Decision::PauseSide { until: None }
    );
    let source = network();
    for error in [
        of_gitter(500),
        of_gitter(503),
        GitterError::Interrupted { endpoint, source },
    ] {
        assert!(is_retry(gitter_create(&error, 1), 500, 1_000), "{error}");
        assert!(is_retry(gitter_create(&error, 3), 2_000, 4_000), "{error}");
        assert!(error.outcome_unknown(), "{error}");
    }
}

#[test]
fn changing_on_gitter() {
    for (status, decision) in [
        (404, Decision::Skip(Reason::Gone)),
        (403, Decision::Reject(Reason::Forbidden)),
        (413, Decision::Reject(Reason::TooLarge)),
    ] {
        assert_eq!(gitter_change(&of_gitter(status), 1), decision, "{status}");
    }
    assert!(is_retry(gitter_change(&of_gitter(502), 1), 500, 1_000));
    assert!(is_past_window(&of_gitter(400)) && !is_past_window(&of_gitter(403)));
}

#[test]
fn sending_to_matrix() {
    for (status, errcode, decision) in [
        (404, "M_NOT_FOUND", Decision::BreakPortal),
        (413, "M_TOO_LARGE", Decision::Reject(Reason::TooLarge)),
        (400, "M_BAD_JSON", Decision::Reject(Reason::BadEvent)),
        (403, "M_FORBIDDEN", Decision::Reject(Reason::Forbidden)),
        (409, "M_UNKNOWN", Decision::Reject(Reason::Forbidden)),
    ] {
        let error = of_matrix(status, errcode, None);
        assert_eq!(matrix_send(&error, 1, NOW), decision, "{error}");
    }
    let until = Some(NOW + REFUSED_TOKEN);
    let refused = of_matrix(401, "M_UNKNOWN_TOKEN", None);
    assert_eq!(matrix_send(&refused, 1, NOW), Decision::PauseSide { until });
    for errcode in ["M_UNKNOWN_DEVICE", "M_EXCLUSIVE"] {
        let error = of_matrix(400, errcode, None);
        assert!(is_retry(matrix_send(&error, 1, NOW), 500, 1_000), "{error}");
    }
    let anothers = of_matrix(400, "M_EXCLUSIVE", None);
    let ends = matrix_send(&anothers, TRIES_OF_EXCLUSIVE + 1, NOW);
    assert_eq!(ends, Decision::Reject(Reason::BadEvent));
    let (endpoint, source) = (Endpoint::Send, network());
    let homeserver = String::new();
    let unreachable = MatrixError::Unreachable {
        endpoint,
        homeserver,
        source,
    };
    assert_eq!(
        matrix_send(&unreachable, 1, NOW),
        Decision::PauseSide { until: None }
    );
    let source = network();
    let interrupted = MatrixError::Interrupted { endpoint, source };
    assert!(is_retry(matrix_send(&interrupted, 1, NOW), 500, 1_000));
    let source = "no words for it".into();
    let unwritable = MatrixError::Unwritable { endpoint, source };
    assert_eq!(
        matrix_send(&unwritable, 1, NOW),
        Decision::Reject(Reason::BadEvent)
    );
}

#[test]
fn what_a_homeserver_asks_for_is_honoured_within_bounds() {
    let after = |seconds| Some(Duration::from_secs(seconds));
    for (asked, until) in [
        (None, 1_000),
        (after(0), 1_000),
        (after(30), 30_000),
        (after(86_400), LONGEST_ASKED),
    ] {
        let error = of_matrix(429, "M_LIMIT_EXCEEDED", asked);
        let until = Some(NOW + until);
        assert_eq!(
            matrix_send(&error, 1, NOW),
            Decision::PauseSide { until },
            "{asked:?}"
        );
    }
    // An overloaded server or a proxy says it with a 503.
    let overloaded = of_matrix(503, "M_UNKNOWN", after(30));
    assert!(is_retry(matrix_send(&overloaded, 1, NOW), 30_000, 30_000));
    assert!(is_retry(
        matrix_send(&of_matrix(503, "M_UNKNOWN", None), 1, NOW),
        500,
        1_000
    ));
    let overloaded = of_matrix(503, "M_UNKNOWN", after(1));
    assert!(
        is_retry(matrix_send(&overloaded, 9, NOW), 100_000, 300_000),
        "its own wait is longer"
    );
}

#[test]
fn redacting_on_matrix() {
    let gone = of_matrix(404, "M_NOT_FOUND", None);
    assert_eq!(matrix_redact(&gone, 1, NOW), Decision::Skip(Reason::NotFound));
    let refused = of_matrix(403, "M_FORBIDDEN", None);
    assert_eq!(
        matrix_redact(&refused, 1, NOW),
        Decision::Reject(Reason::Forbidden)
    );
}

#[test]
fn reading_ends_no_item_and_stops_no_side() {
    for (sending, least, most) in [
        (Decision::PauseSide { until: None }, UNREACHED, UNREACHED),
        (Decision::PauseSide { until: Some(NOW + 7) }, 7, 7),
        (Decision::PauseSide { until: Some(NOW - 7) }, 0, 0),
        (Decision::AwaitToken, UNREACHED, UNREACHED),
        (Decision::Retry { after: 9 }, 9, 9),
        (Decision::BreakPortal, 500, 1_000),
        (Decision::Skip(Reason::Gone), 500, 1_000),
        (Decision::Reject(Reason::Forbidden), 500, 1_000),
        (Decision::PauseAccount, 500, 1_000),
    ] {
        assert!(is_retry(of_reading(sending, 1, NOW), least, most), "{sending:?}");
    }
}

#[test]
fn waits_grow_to_a_bound_and_differ() {
    let waits: std::collections::BTreeSet<i64> = (0..50).map(|_| back_off(30, LONGEST)).collect();
    assert!(
        waits.len() > 1 && waits.iter().all(|wait| (LONGEST / 2..=LONGEST).contains(wait)),
        "{waits:?}"
    );
}
