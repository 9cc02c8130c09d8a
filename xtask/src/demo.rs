//! `cargo xtask demo`: a homeserver, a Gitter server and the bridge between them on this machine, and four
//! people who talk across it.

mod figures;
mod stage;
mod talk;
mod transcript;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    pin::{Pin, pin},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::Value;
use tokio::select;

use self::{figures::Figures, stage::Stage};
use crate::{process, progress::step, workspace};

/// The bridge's binary.
const BRIDGE: &str = "gitter-matrix-bridge";
/// The sandbox's binary.
const SANDBOX: &str = "gitter-sandbox";

/// Where the demo's bridge keeps its state.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Database {
    /// A file.
    Sqlite,
    /// A server, started for the demo.
    Postgres,
}

/// Shows the demo. With `once` it ends by itself, with the figures on the last line of stdout; otherwise
/// everything stays up until `interrupted` is ready, which also ends it at any earlier time. Gives whether
/// all that was said arrived, once and in order.
///
/// # Errors
/// When something cannot be installed or started. The demo's folder, with all logs, is kept then, and its
/// name printed.
pub async fn run(once: bool, database: Database, interrupted: impl Future<Output = ()>) -> Result<bool> {
    let started = Instant::now();
    let mut folder = tempfile::Builder::new()
        .prefix("gitter-bridge-demo-")
        .tempdir()
        .context("making a temporary folder")?;
    let result = show(folder.path(), once, database, started, pin!(interrupted)).await;
    if !matches!(result, Ok(true)) {
        folder.disable_cleanup(true);
        eprintln!("The demo's data and logs are kept in {}", folder.path().display());
    }
    result
}

/// Where both rooms can be seen, once everything was said.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The homeserver's address.
    pub homeserver: String,
    /// The Matrix room's id.
    pub matrix_room: String,
    /// Somebody in it.
    pub user: String,
    /// How they sign in.
    pub password: String,
    /// The page of the Gitter room.
    pub gitter_room: String,
}

/// Shows the demo to `look` once everything was said, and ends it. Gives whether all that was said arrived.
///
/// # Errors
/// As [`run`], and where `look` fails.
pub async fn run_and_show<L>(look: L, mut interrupted: Pin<&mut impl Future<Output = ()>>) -> Result<bool>
where
    L: AsyncFnOnce(Shown) -> Result<()>,
{
    let folder = tempfile::Builder::new()
        .prefix("gitter-bridge-demo-")
        .tempdir()
        .context("making a temporary folder")?;
    let (stage, talked) = select! {
        played = play(folder.path(), Database::Sqlite) => played?,
        () = &mut interrupted => bail!("interrupted"),
    };
    let looked = match &talked {
        Ok(()) => look(stage.shown()).await,
        Err(_) => Ok(()),
    };
    stage.stop().await?;
    looked?;
    talked.map(|()| true)
}

async fn show(
    folder: &Path,
    once: bool,
    database: Database,
    started: Instant,
    mut interrupted: Pin<&mut impl Future<Output = ()>>,
) -> Result<bool> {
    let (stage, talked) = select! {
        played = play(folder, database) => played?,
        // What was started ends as the future is dropped.
        () = &mut interrupted => bail!("interrupted"),
    };
    if let Err(error) = &talked {
        eprintln!("{error:#}");
    }
    let matrix = stage.ana.messages(&stage.matrix_room).await?;
    let gitter = stage.sandbox.control().messages(&stage.gitter_room).await?;
    let mut names = stage.ana.members(&stage.matrix_room).await?;
    names.extend(stage.sandbox.control().display_names().await?);
    let figures = Figures::measure(&matrix, &gitter, talked.is_ok(), started.elapsed());
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", transcript::side_by_side(&matrix, &names, &gitter))?;
    writeln!(stdout, "{}", figures.sentence())?;
    if once {
        stage.stop().await?;
        writeln!(stdout, "{}", serde_json::to_string(&figures)?)?;
    } else {
        writeln!(stdout, "\n{}", stage.addresses())?;
        interrupted.await;
        stage.stop().await?;
    }
    Ok(figures.ok)
}

/// Starts everything and has everything said. Gives the stage even where the talk failed: then what is
/// missing can be counted.
async fn play(folder: &Path, database: Database) -> Result<(Stage, Result<()>)> {
    let binaries = step("Build the bridge and the sandbox", build()).await?;
    let stage = Stage::start(folder, &binaries, database).await?;
    let talked = step("Let four people talk across the bridge", talk::hold(&stage)).await;
    Ok((stage, talked))
}

/// The built programs.
struct Binaries {
    bridge: PathBuf,
    sandbox: PathBuf,
}

/// Builds the programs, with cargo's own progress on stderr.
async fn build() -> Result<Binaries> {
    let mut command = workspace::cargo();
    command
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(["--package", BRIDGE, "--package", SANDBOX, "--bins"]);
    let messages = process::output(&mut command).await?;
    Ok(Binaries {
        bridge: executable(&messages, BRIDGE)?,
        sandbox: executable(&messages, SANDBOX)?,
    })
}

/// Finds a built program in cargo's messages, one JSON object a line.
fn executable(messages: &str, name: &str) -> Result<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(name))
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .with_context(|| format!("cargo built no program named {name}"))
}
