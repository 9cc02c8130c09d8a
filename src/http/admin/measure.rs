//! `/metrics`. Nobody needs a token for it, so whoever asks at about the same time shares one look at the database.

use std::sync::Arc;

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use tokio::{
    sync::Mutex,
    time::{Duration, Instant},
};
use tracing::error;

use super::AdminState;
use crate::{
    bridge::Bridge,
    http::{error::ApiError, health},
    metrics::Reading,
};

/// How long a look counts.
const COUNTS: Duration = Duration::from_millis(100);

/// The last look, for whoever asks.
#[derive(Clone, Default)]
pub(super) struct Measuring {
    last: Arc<Mutex<Option<Look>>>,
}

struct Look {
    /// When it ended.
    at: Instant,
    /// None where the database failed.
    reading: Option<Reading>,
}

/// In Prometheus's text format. While the bridge still starts there is little to tell.
pub(super) async fn measure(
    State(state): State<AdminState>,
    Extension(measuring): Extension<Measuring>,
) -> Result<Response, ApiError> {
    let Some(bridge) = state.bridge.get() else {
        return Ok(health::measured(None));
    };
    let mut last = measuring.last.lock().await;
    let look = match last.take().filter(|look| look.at.elapsed() < COUNTS) {
        Some(look) => look,
        None => look_at(bridge).await,
    };
    let measured = match &look.reading {
        Some(reading) => Ok(health::measured(Some(reading))),
        None => Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "M_UNKNOWN",
            "the database failed",
        )
        .with_mend("look at the bridge's log")),
    };
    *last = Some(look);
    measured
}

async fn look_at(bridge: &Bridge) -> Look {
    let read = bridge.reading().await;
    if let Err(failure) = &read {
        error!(error = %failure, "Nothing can be measured");
    }
    Look {
        at: Instant::now(),
        reading: read.ok(),
    }
}
