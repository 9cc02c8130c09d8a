//! Waiting for a condition: never for a time.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::{Instant, sleep};

/// How soon a condition is looked at again.
const FIRST_PAUSE: Duration = Duration::from_millis(30);

/// How soon at most, once the wait is long: looking costs what is waited for its time.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Asks `probe` until it has a value.
///
/// # Errors
/// When `limit` is over, naming `what` was waited for and why the last probe had no value; a probe's own
/// error does not end the wait.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        let last = match probe().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if Instant::now() >= deadline {
            let waited = format!("waited {} s for {what}", limit.as_secs());
            return Err(match last {
                Some(error) => error.context(waited),
                None => anyhow!(waited),
            });
        }
        sleep(pause).await;
        pause = (pause * 5 / 4).min(LONGEST_PAUSE);
    }
}
