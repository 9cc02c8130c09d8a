//! `health`: whether the running bridge is ready, for container health checks: no shell, no other program.

use std::path::Path;

use anyhow::bail;

use super::{Exit, admin, output};
use crate::config::Config;

/// Asks the bridge at `admin.listen`.
pub(super) async fn run(file: &Path) -> anyhow::Result<Exit> {
    let config = Config::load(file)?;
    let answer = admin::ready(&config).await?;
    if !answer.status.is_success() {
        bail!(
            "the bridge at {} (admin.listen) is not ready: it answered {}; its log says what it waits for",
            config.admin.listen,
            answer.status
        );
    }
    output::line("The bridge is ready.")?;
    Ok(Exit::Done)
}
