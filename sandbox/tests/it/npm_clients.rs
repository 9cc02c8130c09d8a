//! The clients that others wrote for Gitter drive the sandbox: npm's `faye` and `node-gitter`. Skipped, with a word, where Node is missing.

use std::path::{Path, PathBuf};

use tokio::{process::Command, time::timeout};

use crate::fixture::{Fixture, PATIENCE};

/// A folder with the packages of `tests/npm`, installed by its lock file.
async fn installed(sources: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-npm");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["package.json", "package-lock.json", ".npmrc"] {
        std::fs::copy(sources.join(name), folder.join(name)).unwrap();
    }
    let installing = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--prefer-offline"])
        .current_dir(&folder)
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&installing.stderr);
    assert!(installing.status.success(), "npm ci failed: {told}");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_npm_follow_a_room() {
    if Command::new("node").arg("--version").output().await.is_err() {
        eprintln!("skipped: Node is not installed");
        return;
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npm");
    let folder = installed(&sources).await;
    let fixture = Fixture::start().await;
    let driving = Command::new("node")
        .arg(sources.join("clients.js"))
        .args([fixture.sandbox.api_url(), fixture.sandbox.realtime_url()])
        .args([fixture.sandbox.token(), &fixture.harbour.to_string()])
        .current_dir(folder)
        .kill_on_drop(true)
        .output();
    let driven = timeout(PATIENCE, driving).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&driven.stderr);
    assert!(driven.status.success(), "{told}");
    let done = String::from_utf8(driven.stdout).unwrap();
    assert_eq!(done, "faye\nnode-gitter\n", "{told}");
}
