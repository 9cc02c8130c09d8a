//! `health`: whether the running bridge is ready, for container health checks: no shell, no other program.

use std::{fmt::Write as _, path::Path};

use anyhow::bail;
use serde::Deserialize;

use super::{
    Exit,
    admin::{self, Answer},
    output,
};
use crate::config::Config;

/// Asks the bridge at `admin.listen`.
pub(super) async fn run(file: &Path) -> anyhow::Result<Exit> {
    let config = Config::load_without_token(file)?;
    let answer = admin::ready(&config).await?;
    if !answer.status.is_success() {
        let mut message = format!(
            "the bridge at {} (admin.listen) is not ready: it answered {}",
            config.admin.listen, answer.status
        );
        for missing in missing(&answer) {
            let _ = write!(message, "\n  {missing}");
        }
        bail!("{message}\nits log says more");
    }
    output::line("The bridge is ready.")?;
    Ok(Exit::Done)
}

/// What it says it lacks; nothing if it is an answer without that.
fn missing(answer: &Answer) -> Vec<String> {
    let readiness: Readiness = answer.read().unwrap_or_default();
    let missing = readiness.parts.into_iter().filter(|part| !part.ok);
    missing
        .map(
            |ReadinessPart {
                 part, since, detail, ..
             }| format!("{part}: {detail} (since {since})"),
        )
        .collect()
}

/// The answer to `/ready`.
#[derive(Debug, Default, Deserialize)]
struct Readiness {
    parts: Vec<ReadinessPart>,
}

#[derive(Debug, Deserialize)]
struct ReadinessPart {
    part: String,
    ok: bool,
    since: String,
    #[serde(default)]
    detail: String,
}
