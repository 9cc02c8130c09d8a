//! Where things are in the checkout this was built from.

use std::{
    ffi::OsString,
    fs::{File, create_dir_all},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The workspace's root folder.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Where installed programs are kept between runs. Git ignores it.
pub fn cache() -> PathBuf {
    root().join(".cache")
}

/// The cargo that runs this, or the one on the path.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
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
