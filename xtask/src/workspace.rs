//! Where things are in the checkout this was built from.

use std::{
    fs::{File, create_dir_all},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::process;

/// The workspace's root folder.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Where installed programs are kept between runs. Git ignores it.
pub fn cache() -> PathBuf {
    root().join(".cache")
}

/// The cargo that runs this, or the one on the path, in the workspace's root.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = process::command(program);
    command.current_dir(root());
    // `cargo run` tells the program which package it is of. Build scripts look at that: passed on, it would
    // have cargo build them, and all that depends on them, again.
    for (name, _) in std::env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Holds the lock `name` in the cache until the result is dropped, so that processes started at the same
/// time install a thing once.
///
/// # Errors
/// When the cache cannot be written.
pub async fn lock(name: &str) -> Result<File> {
    let folder = cache();
    create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join(format!("{name}.lock"));
    tokio::task::spawn_blocking(move || {
        let file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        file.lock()
            .with_context(|| format!("locking {}", path.display()))?;
        Ok(file)
    })
    .await?
}
