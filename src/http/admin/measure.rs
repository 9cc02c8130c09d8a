//! `/metrics`. Nobody needs a token for it, so whoever asks within a second shares one look at the database.

use std::sync::{Arc, OnceLock};

use axum::{Router, extract::State, http::StatusCode, response::Response, routing::get};
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
const COUNTS: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Measuring {
    bridge: Arc<OnceLock<Arc<Bridge>>>,
    last: Arc<Mutex<Option<Look>>>,
}

struct Look {
    /// When it ended.
    at: Instant,
    /// None where the database failed.
    reading: Option<Reading>,
}

/// The endpoint, whatever state the others have.
pub(super) fn router<S>(state: &AdminState) -> Router<S> {
    let measuring = Measuring {
        bridge: Arc::clone(&state.bridge),
        last: Arc::default(),
    };
    Router::new()
        .route("/metrics", get(measure))
        .with_state(measuring)
}

/// In Prometheus's text format. While the bridge still starts there is little to tell.
async fn measure(State(measuring): State<Measuring>) -> Result<Response, ApiError> {
    let Some(bridge) = measuring.bridge.get() else {
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
