//! `cargo xtask screenshots`: the demo's conversation in the sandbox's page and in a Matrix web client, as pictures for
//! the README.

use std::pin::pin;

use anyhow::{Context, Result, ensure};

use crate::{
    demo::{self, Shown},
    npm, packages, process,
    progress::step,
    workspace,
};

/// The packages that Chromium needs to draw letters and emoji, beside itself.
const FONTS: [&str; 2] = ["fonts-dejavu-core", "fonts-noto-color-emoji"];

/// Holds the demo and writes `docs/images/matrix.png` and `docs/images/gitter.png`.
///
/// # Errors
/// When something cannot be installed or started, or a page does not show the conversation.
pub async fn run(interrupted: impl Future<Output = ()>) -> Result<()> {
    packages::browser().await?;
    let chromium = packages::find("chromium").context("Chromium is missing; Debian's package is chromium")?;
    if packages::is_root() {
        for font in FONTS {
            packages::install(font).await?;
        }
    }
    let project = workspace::root().join("xtask/screenshots");
    let folder = step("Install a Matrix web client", npm::install(&project)).await?;
    let shown = async |shown: Shown| {
        let mut node = process::command("node");
        node.arg(project.join("shoot.js"))
            .arg(&folder)
            .env("NODE_PATH", folder.join("node_modules"))
            .env("CHROMIUM", &chromium)
            .env("PICTURES", workspace::root().join("docs/images"))
            .env("HOMESERVER", shown.homeserver)
            .env("MATRIX_ROOM", shown.matrix_room)
            .env("MATRIX_USER", shown.user)
            .env("MATRIX_PASSWORD", shown.password)
            .env("GITTER_ROOM", shown.gitter_room);
        step("Take the pictures", packages::run(&mut node)).await
    };
    let ok = demo::run_and_show(shown, pin!(interrupted)).await?;
    ensure!(
        ok,
        "the demo itself failed, so its pictures show nothing of worth"
    );
    Ok(())
}
