//! `health`: whether the running bridge is ready, for container health checks: no shell, no other program.

use std::{fmt::Write as _, path::Path};

use anyhow::bail;
use serde::Deserialize;

use super::{Exit, admin, output};
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
        let readiness: Readiness = answer.read().unwrap_or_default();
        for missing in readiness.missing() {
            let _ = write!(message, "\n  {missing}");
        }
        bail!("{message}\nits log says more");
    }
    output::line("The bridge is ready.")?;
    Ok(Exit::Done)
}

/// The answer to `/ready`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Readiness {
    /// Whether nothing is missing.
    pub(super) ready: bool,
    parts: Vec<ReadinessPart>,
    /// What an operator has to know, though the bridge works.
    pub(super) warnings: Vec<String>,
}

impl Readiness {
    /// What the bridge says it lacks.
    pub(super) fn missing(&self) -> impl Iterator<Item = String> {
        let missing = self.parts.iter().filter(|part| !part.ok);
        missing.map(
            |ReadinessPart {
                 part, since, detail, ..
             }| format!("{part}: {detail} (since {since})"),
        )
    }
}

#[derive(Debug, Deserialize)]
struct ReadinessPart {
    part: String,
    ok: bool,
    since: String,
    #[serde(default)]
    detail: String,
}
