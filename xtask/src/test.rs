//! `cargo xtask test`: every test, with the servers that they need.

use std::process::ExitStatus;

use anyhow::{Context, Result};

use crate::{
    packages,
    postgres::{self, Postgres},
    process, synapse, workspace,
};

/// Runs the tests whose names contain `filter`, or all, and gives the exit code: that of the first test run
/// that failed, else 0. The quick ones come first: nobody waits for servers to learn of a plain mistake.
///
/// # Errors
/// When a server cannot be installed or started, or cargo cannot be run.
pub async fn run(filter: Option<&str>) -> Result<i32> {
    // Ctrl-C reaches the test runner too, which then ends; ending before it would leave the servers' data.
    tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let runner = Runner::find();
    if filter.is_none() {
        for arguments in [runner.unit(), DOCUMENTATION] {
            let code = cargo(arguments, None, None).await?;
            if code != 0 {
                return Ok(code);
            }
        }
    }
    synapse::install().await?;
    let database = Postgres::find_or_start().await?;
    let arguments = match filter {
        None => runner.integration(),
        Some(_) => runner.all(),
    };
    let code = cargo(arguments, filter, Some(&database)).await?;
    // Without a word: the test runner's summary stays the end of what is seen.
    database.stop().await?;
    Ok(code)
}

/// The examples in documentation, which nextest does not run.
const DOCUMENTATION: &[&str] = &["test", "--workspace", "--doc", "--quiet"];

/// What runs tests.
#[derive(Clone, Copy)]
enum Runner {
    /// cargo-nextest: quicker, and with a time limit for each test.
    Nextest,
    /// What comes with cargo.
    Cargo,
}

impl Runner {
    fn find() -> Self {
        match packages::find("cargo-nextest") {
            Some(_) => Self::Nextest,
            None => Self::Cargo,
        }
    }

    const fn unit(self) -> &'static [&'static str] {
        match self {
            Self::Nextest => &[
                "nextest",
                "run",
                "--workspace",
                "--features",
                "e2e",
                "-E",
                "kind(lib) + kind(bin)",
            ],
            Self::Cargo => &["test", "--workspace", "--features", "e2e", "--lib", "--bins"],
        }
    }

    const fn integration(self) -> &'static [&'static str] {
        match self {
            Self::Nextest => &[
                "nextest",
                "run",
                "--workspace",
                "--features",
                "e2e",
                "-E",
                "kind(test)",
            ],
            Self::Cargo => &["test", "--workspace", "--features", "e2e", "--test", "*"],
        }
    }

    const fn all(self) -> &'static [&'static str] {
        match self {
            Self::Nextest => &["nextest", "run", "--workspace", "--features", "e2e"],
            Self::Cargo => &["test", "--workspace", "--features", "e2e", "--all-targets"],
        }
    }
}

async fn cargo(arguments: &[&str], filter: Option<&str>, database: Option<&Postgres>) -> Result<i32> {
    eprintln!("... cargo {}", arguments.join(" "));
    let mut command = process::command(workspace::cargo());
    command
        .args(arguments)
        .args(filter)
        .current_dir(workspace::root())
        .envs(database.map(|database| (postgres::VARIABLE, database.url())));
    let status = command.status().await.context("running cargo")?;
    Ok(code_of(status))
}

/// A process that a signal ended has no code.
fn code_of(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}
