//! Scripts of `tests/clients` that show what people see, run with this test's servers.

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use tokio::process::Command;
use xtask::packages;

use crate::{harness::World, node::Node};

/// A script that drives a browser, with the sandbox's address.
pub(crate) async fn script(node: &Node, world: &World, name: &str) -> Result<Command> {
    packages::browser().await?;
    let chromium = packages::find("chromium").context("Chromium is missing; Debian's package is chromium")?;
    let mut script = node.script(name);
    script
        .env("CHROMIUM", chromium)
        .env("API_URL", &world.gitter.addresses().api_url);
    Ok(script)
}

/// Runs a script to its end, and reads what it prints last; libraries may print before.
pub(crate) async fn result<T: DeserializeOwned>(mut script: Command) -> Result<T> {
    let output = script.output().await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| stdout.clone().into_owned())
}
