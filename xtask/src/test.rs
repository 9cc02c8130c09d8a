//! `cargo xtask test`: every test, with the servers that they need.

use anyhow::{Context, Result};

use crate::{
    packages,
    postgres::{self, Postgres},
    synapse, workspace,
};

/// What every run of tests covers, so that all of them share one build.
const WORKSPACE: [&str; 3] = ["--workspace", "--features", "e2e,kill-points"];

/// Runs the tests whose names contain `filter`, or all, and gives the exit code: that of the first test run
/// that failed, else 0. The quick ones come first: nobody waits for a homeserver to learn of a plain mistake.
///
/// # Errors
/// When a server cannot be installed or started, or cargo cannot be run.
pub async fn run(filter: Option<&str>) -> Result<i32> {
    // Ctrl-C reaches the test runner too, which then ends; ending before it would leave the server's data.
    tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let database = Postgres::find_or_start().await?;
    let code = run_with(&database, filter).await;
    // Without a word: the test runner's summary stays the end of what is seen.
    database.stop().await?;
    code
}

async fn run_with(database: &Postgres, filter: Option<&str>) -> Result<i32> {
    let runner = Runner::find();
    packages::tracer().await?;
    if let Some(filter) = filter {
        packages::browser().await?;
        synapse::install().await?;
        let mut arguments = runner.arguments(Part::All);
        arguments.push(filter);
        return cargo(&arguments, database).await;
    }
    for part in [Part::Unit, Part::Documentation] {
        let code = cargo(&runner.arguments(part), database).await?;
        if code != 0 {
            return Ok(code);
        }
    }
    packages::browser().await?;
    synapse::install().await?;
    cargo(&runner.arguments(Part::Integration), database).await
}

/// What runs tests.
#[derive(Clone, Copy)]
enum Runner {
    /// cargo-nextest: quicker, and with a time limit for each test.
    Nextest,
    /// What comes with cargo.
    Cargo,
}

/// A part of the tests.
#[derive(Clone, Copy)]
enum Part {
    /// Those beside the code.
    Unit,
    /// The examples in documentation, which nextest does not run.
    Documentation,
    /// Those in `tests/`.
    Integration,
    /// Unit and integration.
    All,
}

impl Runner {
    fn find() -> Self {
        match packages::find("cargo-nextest") {
            Some(_) => Self::Nextest,
            None => Self::Cargo,
        }
    }

    fn arguments(self, part: Part) -> Vec<&'static str> {
        let nextest: &[&str] = &["nextest", "run"];
        let (command, choice): (&[&str], &[&str]) = match (self, part) {
            (_, Part::Documentation) => (&["test"], &["--doc", "--quiet"]),
            (Self::Nextest, Part::Unit) => (nextest, &["-E", "kind(lib) + kind(bin)"]),
            (Self::Nextest, Part::Integration) => (nextest, &["-E", "kind(test)"]),
            (Self::Nextest, Part::All) => (nextest, &[]),
            (Self::Cargo, Part::Unit) => (&["test"], &["--lib", "--bins"]),
            (Self::Cargo, Part::Integration) => (&["test"], &["--test", "*"]),
            (Self::Cargo, Part::All) => (&["test"], &["--all-targets"]),
        };
        [command, &WORKSPACE, choice].concat()
    }
}

/// Runs cargo where the terminal's Ctrl-C reaches it, and gives its exit code.
async fn cargo(arguments: &[&str], database: &Postgres) -> Result<i32> {
    eprintln!("... cargo {}", arguments.join(" "));
    let status = workspace::cargo()
        .args(arguments)
        .env(postgres::VARIABLE, database.url())
        .status()
        .await
        .context("running cargo")?;
    // What a signal ended has no code.
    Ok(status.code().unwrap_or(1))
}
