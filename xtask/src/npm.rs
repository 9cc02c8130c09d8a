//! Packages of npm, installed once into the cache of this checkout.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::{packages, process, workspace};

/// Installs what the `package-lock.json` in `project` names, without running any package's scripts, and gives the
/// folder that holds `node_modules`. Nothing is done where that has been done for this very file.
///
/// # Errors
/// When the files cannot be read, or npm fails.
pub async fn install(project: &Path) -> Result<PathBuf> {
    let lock_file = project.join("package-lock.json");
    let lock = fs::read(&lock_file).with_context(|| format!("reading {}", lock_file.display()))?;
    let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&lock));
    let name = format!("npm-{}", digest.get(..12).unwrap_or(&digest));
    let folder = workspace::cache().join(&name);
    let _lock = workspace::lock(&name).await?;
    let done = folder.join("done");
    if done.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        fs::copy(project.join(name), folder.join(name)).with_context(|| format!("copying {name}"))?;
    }
    let mut npm = process::command("npm");
    npm.args(["ci", "--ignore-scripts", "--no-progress"])
        .current_dir(&folder);
    packages::run(&mut npm).await?;
    fs::write(done, "")?;
    Ok(folder)
}
