//! Installs Synapse into a virtual environment of its own, once per checkout.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::{packages, progress::step, workspace};

/// The version that the project is tested with.
const VERSION: &str = "1.163.2";

/// A virtual environment with Synapse in it.
#[derive(Debug, Clone)]
pub struct Installation {
    python: PathBuf,
}

impl Installation {
    /// The environment's Python.
    pub fn python(&self) -> &Path {
        &self.python
    }
}

/// Installs Synapse, or finds it installed: then this takes milliseconds. Concurrent calls wait for one
/// another, in other processes too.
///
/// # Errors
/// When Python is missing and cannot be installed (the error names it), or pip fails (with its output).
pub async fn install() -> Result<Installation> {
    let name = format!("synapse-{VERSION}");
    let folder = workspace::cache().join(&name);
    let installation = Installation {
        python: folder.join("bin/python"),
    };
    let _lock = workspace::lock(&name).await?;
    // Written last: a folder without it is what an interrupted installation left.
    let stamp = folder.join("installed");
    if stamp.exists() {
        return Ok(installation);
    }
    step(
        &format!("Install Synapse {VERSION} (about half a minute, the first time only)"),
        async {
            make_environment(&folder).await?;
            packages::run(
                Command::new(installation.python())
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .arg(format!("matrix-synapse=={VERSION}")),
            )
            .await?;
            std::fs::write(&stamp, VERSION).with_context(|| format!("writing {}", stamp.display()))
        },
    )
    .await?;
    Ok(installation)
}

/// Makes an empty virtual environment. Debian has Python's module for that in a package of its own.
async fn make_environment(folder: &Path) -> Result<()> {
    if packages::find("python3").is_none() || !has_venv().await {
        packages::install("python3-venv").await?;
    }
    packages::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder),
    )
    .await
}

async fn has_venv() -> bool {
    packages::run(Command::new("python3").args(["-c", "import ensurepip, venv"]))
        .await
        .is_ok()
}
