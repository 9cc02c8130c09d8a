//! Tells the program which commit it is built from, for `--version`: `$GITTER_BRIDGE_COMMIT`, or what git says.
//!
//! Git is asked for release builds alone: everything would be built anew after each commit otherwise.

use std::{env, process::Command};

/// What the commit is called where there is no git, as in a container.
const VARIABLE: &str = "GITTER_BRIDGE_COMMIT";

fn main() {
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    println!("cargo:rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let named = env::var(VARIABLE).ok().filter(|commit| !commit.is_empty());
    let version = match named.or_else(of_git) {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo:rustc-env=GITTER_BRIDGE_VERSION={version}");
}

fn of_git() -> Option<String> {
    if env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return None;
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // Where git writes down each time that the commit changes.
    if let Some(changes) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={changes}");
    }
    Some(commit)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    let answer = answer.trim();
    (output.status.success() && !answer.is_empty()).then(|| answer.to_owned())
}
