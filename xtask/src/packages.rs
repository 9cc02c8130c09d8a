//! Programs that the system has, or that its package manager can bring.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::{process, progress::step};

/// The file that a command's name stands for on the path.
pub fn find(command: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(command))
        .find(|file| file.is_file())
}

/// Whether this runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Installs a Debian package where this may: as root, with apt-get.
///
/// # Errors
/// When it may not, naming the package to install by hand; when apt-get fails.
pub async fn install(package: &str) -> Result<()> {
    if !is_root() || find("apt-get").is_none() {
        bail!(
            "{package} is missing: install it with your package manager (Debian's name for it is {package})"
        );
    }
    step(&format!("Install {package} with apt-get"), async {
        run(apt_get().arg("update")).await?;
        run(apt_get().args(["install", "--yes", "--no-install-recommends", package])).await
    })
    .await
}

/// Installs Node.js and Chromium where they are missing and this may; elsewhere the tests that need them say that
/// they are skipped.
///
/// # Errors
/// When apt-get fails.
pub async fn browser() -> Result<()> {
    missing(&[("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium")]).await
}

/// The same for strace.
///
/// # Errors
/// When apt-get fails.
pub async fn tracer() -> Result<()> {
    missing(&[("strace", "strace")]).await
}

async fn missing(wanted: &[(&str, &str)]) -> Result<()> {
    if !is_root() || find("apt-get").is_none() {
        return Ok(());
    }
    for (command, package) in wanted {
        if find(command).is_none() {
            install(package).await?;
        }
    }
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Another run of this may be installing too.
        .args(["-o", "DPkg::Lock::Timeout=300", "-qq"]);
    command
}

/// Runs a command quietly to its end.
///
/// # Errors
/// When it cannot be started or fails, with what it printed.
pub async fn run(command: &mut Command) -> Result<()> {
    output(command).await.map(drop)
}

/// Runs a command quietly to its end and gives what it printed on stdout.
///
/// # Errors
/// When it cannot be started or fails, with what it printed.
pub async fn output(command: &mut Command) -> Result<String> {
    process::output(command.stderr(Stdio::piped())).await
}
