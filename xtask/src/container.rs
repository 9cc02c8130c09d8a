//! `cargo xtask container`: the Dockerfile's build stages without a container engine.
//!
//! Their `COPY` and `RUN` lines are followed in a temporary folder. That shows that the recipe builds; it makes no
//! image. What `.dockerignore` lets through, and that Cargo takes what was copied, is a test's part
//! (`tests/cli/container.rs`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{process, workspace};

/// One line of the recipe, with what it continues on.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Copy { sources: Vec<String>, target: String },
    Run(String),
}

/// The programs that are built.
const PROGRAMS: [&str; 2] = ["gitter-matrix-bridge", "gitter-sandbox"];

/// Follows the build stages; `debug` builds without optimising, which takes a tenth of the time.
///
/// # Errors
/// When a step fails, or a program that came of it does not start.
pub async fn run(debug: bool) -> Result<()> {
    let scratch = tempfile::Builder::new()
        .prefix("gitter-bridge-image-")
        .tempdir()?;
    let build = scratch.path().join("build");
    follow(&build, |command| {
        if debug {
            command.replace(" --release", "")
        } else {
            command.to_owned()
        }
    })
    .await?;
    let folder = if debug { "target/debug" } else { "target/release" };
    for name in PROGRAMS {
        let program = build.join(folder).join(name);
        let version = process::command(&program).arg("--version").output().await;
        let version = version.with_context(|| format!("starting {}", program.display()))?;
        ensure!(
            version.status.success(),
            "{name}, which was built, does not start"
        );
        let size = fs::metadata(&program)?.len() / 1024;
        eprintln!("{} {size} KiB", String::from_utf8_lossy(&version.stdout).trim());
    }
    Ok(())
}

/// Follows the build stages in a folder that does not exist yet. `adapt` says what is run for the command of a `RUN`
/// line.
///
/// # Errors
/// When a step fails.
pub async fn follow(build: &Path, adapt: impl Fn(&str) -> String) -> Result<()> {
    let recipe =
        fs::read_to_string(workspace::root().join("Dockerfile")).context("reading the Dockerfile")?;
    fs::create_dir(build)?;
    for step in steps(&recipe)? {
        match step {
            Step::Copy { sources, target } => {
                for source in &sources {
                    copy(
                        source,
                        &build.join(&target),
                        sources.len() > 1 || target.ends_with('/'),
                    )?;
                }
            }
            Step::Run(command) => shell(build, &adapt(&command)).await?,
        }
    }
    Ok(())
}

/// The steps of the first stage, and of those that go on with it.
fn steps(recipe: &str) -> Result<Vec<Step>> {
    let joined = recipe.replace("\\\n", " ");
    let mut built: Vec<&str> = Vec::new();
    let mut follows = false;
    let mut steps = Vec::new();
    for line in joined.lines() {
        let Some((word, rest)) = line.split_once(' ') else {
            continue;
        };
        match word {
            "FROM" => {
                let mut words = rest.split_whitespace();
                let base = words.next().context("FROM without an image")?;
                follows = built.is_empty() || built.contains(&base);
                built.extend(words.nth(1).filter(|_| follows));
            }
            _ if !follows => {}
            "COPY" => {
                let mut sources: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
                let target = sources.pop().context("COPY without a target")?;
                steps.push(Step::Copy { sources, target });
            }
            "RUN" => steps.push(Step::Run(rest.to_owned())),
            "ARG" | "WORKDIR" | "#" => {}
            other => bail!("a build stage has {other}, which this does not know"),
        }
    }
    Ok(steps)
}

async fn shell(folder: &Path, command: &str) -> Result<()> {
    eprintln!("RUN {command}");
    let status = process::command("sh")
        .args(["-e", "-c", command])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .status()
        .await
        .context("starting sh")?;
    ensure!(status.success(), "it failed: {command}");
    Ok(())
}

/// Copies as `COPY` does: a folder's content into the target, a file into it or onto it.
fn copy(source: &str, target: &Path, into: bool) -> Result<()> {
    let from = workspace::root().join(source);
    if from.is_dir() {
        return copy_folder(&from, target);
    }
    let to: PathBuf = match Path::new(source).file_name() {
        Some(name) if into => target.join(name),
        _ => target.to_owned(),
    };
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(&from, &to).with_context(|| format!("copying {source}"))?;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_the_build_stages_are_read_and_no_others() {
        let recipe = "FROM a AS build\nWORKDIR /build\n# first\nCOPY a b ./\nRUN one \\\n    && two\nFROM b\nRUN three\n\
                      FROM build AS more\nRUN four\nFROM c AS other\nRUN five\n";
        let copy = Step::Copy {
            sources: vec!["a".to_owned(), "b".to_owned()],
            target: "./".to_owned(),
        };
        let run = |command: &str| Step::Run(command.to_owned());
        assert_eq!(
            steps(recipe).unwrap(),
            [copy, run("one      && two"), run("four")]
        );
        assert!(steps("FROM a\nADD b c\n").is_err());
    }
}
