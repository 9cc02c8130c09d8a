//! What a person sees while work goes on: one line on stderr as a step begins, and one with its time as it
//! ends.

use std::time::Instant;

use anyhow::{Context, Result};

/// Does one step of a longer work, saying so on stderr.
///
/// # Errors
/// The step's own, with its name.
pub async fn step<T>(name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    eprintln!("... {name}");
    let started = Instant::now();
    let result = work.await;
    let seconds = started.elapsed().as_secs_f64();
    let ending = if result.is_ok() { "ok " } else { "FAILED" };
    eprintln!("{ending} {name} ({seconds:.1} s)");
    result.with_context(|| format!("failed: {name}"))
}
