//! Node.js with the npm packages of `tests/clients/package.json`, installed once into `.cache`.

use std::{env, path::PathBuf, process::Stdio};

use tokio::process::Command;
use xtask::{npm, packages, process, workspace};

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
            folder: npm::install(&sources()).await.unwrap(),
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
