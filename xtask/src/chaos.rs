//! `cargo xtask chaos`: both sides talk while the bridge is killed, databases restart and servers misbehave; then
//! both sides are compared with what was said.
//!
//! The run itself is a test of the bridge's own (`tests/it/chaos`), which has the fakes that can break. Here is what
//! it is told, what it tells, and the command around it.

use std::{io::Write as _, path::PathBuf, process::Stdio};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::workspace;

/// The variable that the plan is in, as JSON.
pub const PLAN: &str = "GITTER_BRIDGE_CHAOS";

/// What is to be said and to break.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// How many messages people say, on both sides together; edits and deletions come on top.
    pub messages: usize,
    /// In how many rooms.
    pub rooms: usize,
    /// What decides who says what, and what breaks when.
    pub seed: u64,
    /// How often the bridge is killed.
    pub kills: u32,
    /// How often PostgreSQL crashes.
    pub database_restarts: u32,
    /// How often the homeserver restarts and forgets what is not on its disk, and sockets to Gitter break.
    pub homeserver_restarts: u32,
    /// How many of a hundred requests and frames suffer.
    pub faults_percent: u32,
    /// Requests a minute that Gitter allows; 0 for any number.
    pub rate_limit: u32,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// The file that the report goes into.
    pub report: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// Messages that did not arrive, or not with their latest text.
    pub lost: usize,
    /// Messages that are there twice, or that should be gone.
    pub duplicated: usize,
    /// Messages behind one that was said later.
    pub reordered: usize,
    /// Answers that do not hang where they should.
    pub misplaced: usize,
    /// Events and messages of which the bridge does not say what became of them, and items that failed.
    pub unexplained: usize,
    /// How often the bridge was killed.
    pub kills: u32,
    /// How often of these something was under way.
    pub kills_in_flight: u32,
    /// How often the database crashed.
    pub database_restarts: u32,
    /// How many requests and frames suffered.
    pub faults: u32,
    /// The seed.
    pub seed: u64,
    /// How many messages were said.
    pub messages: usize,
    /// How long it took.
    pub seconds: u64,
}

impl Report {
    /// Whether both sides hold what was said.
    pub const fn is_clean(&self) -> bool {
        self.lost == 0
            && self.duplicated == 0
            && self.reordered == 0
            && self.misplaced == 0
            && self.unexplained == 0
    }
}

/// Runs a plan; gives whether nothing was found. The report is the last line on stdout.
///
/// # Errors
/// When the run cannot be built or started, or breaks off.
pub async fn run(mut plan: Plan) -> Result<bool> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let file = folder.path().join("report.json");
    plan.report = Some(file.clone());
    eprintln!("The plan: {}", serde_json::to_string(&plan)?);
    let status = workspace::cargo()
        .args([
            "test",
            "--quiet",
            "--package",
            "gitter-matrix-bridge",
            "--test",
            "it",
            "--",
        ])
        .args(["--ignored", "--exact", "chaos::as_planned", "--nocapture"])
        .env(PLAN, serde_json::to_string(&plan)?)
        .stdout(Stdio::null())
        .status()
        .await
        .context("running cargo")?;
    ensure!(status.success(), "the run broke off; seed {}", plan.seed);
    let report = std::fs::read_to_string(&file).context("reading the run's report")?;
    writeln!(std::io::stdout(), "{report}")?;
    let report: Report = serde_json::from_str(&report)?;
    Ok(report.is_clean())
}
