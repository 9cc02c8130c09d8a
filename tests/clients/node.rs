//! Node.js with the npm packages of `tests/clients/package.json`, installed once into `.cache`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;
use xtask::{packages, process, workspace};

/// Node.js, with everything in place.
pub(crate) struct Node {
    folder: PathBuf,
}

impl Node {
    /// Finds Node.js and installs the packages. `None`, said on stderr, where there is no Node.js; where `CI` is
    /// set that is a failure.
    pub(crate) async fn find() -> Option<Self> {
        if packages::find("node").is_none() || packages::find("npm").is_none() {
            assert!(env::var_os("CI").is_none(), "Node.js and npm are missing");
            eprintln!("Skipped: Node.js and npm are missing (Debian's names are nodejs and npm)");
            return None;
        }
        Some(Self {
            folder: installed().await,
        })
    }

    /// A script of `tests/clients`, to be started.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut command = process::command("node");
        command
            .arg(sources().join(name))
            .env("NODE_PATH", self.folder.join("node_modules"))
            .stdin(Stdio::null());
        command
    }
}

fn sources() -> PathBuf {
    workspace::root().join("tests/clients")
}

/// The folder with the packages of the lock file as it is now.
async fn installed() -> PathBuf {
    let lock = fs::read(sources().join("package-lock.json")).unwrap();
    let digest = Sha256::digest(&lock);
    let name = BASE64_URL_SAFE_NO_PAD.encode(digest).split_off(31);
    let cache = workspace::root().join(".cache");
    let folder = cache.join(format!("npm-{name}"));
    fs::create_dir_all(&cache).unwrap();
    // One process at a time; the others find it done.
    let guard = fs::File::create(cache.join("npm.lock")).unwrap();
    let guard = tokio::task::spawn_blocking(move || guard.lock().map(|()| guard))
        .await
        .unwrap()
        .unwrap();
    if !folder.join("done").exists() {
        install(&folder).await;
    }
    drop(guard);
    folder
}

async fn install(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        fs::copy(sources().join(name), folder.join(name)).unwrap();
    }
    let mut npm = process::command("npm");
    npm.args(["ci", "--ignore-scripts", "--no-progress"])
        .current_dir(folder);
    packages::run(&mut npm).await.unwrap();
    fs::write(folder.join("done"), "").unwrap();
}
