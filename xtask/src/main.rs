//! The project's own commands, as `cargo xtask <command>`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tokio::{
    select,
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
};
use xtask::{chaos::Plan, demo::Database};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the bridge at work: starts a homeserver, a Gitter server and the bridge on this machine, and
    /// lets four people talk across.
    Demo {
        /// End by itself, with the figures as JSON on the last line of stdout; the exit code is 0 only if
        /// nothing was lost, doubled or reordered.
        #[arg(long)]
        once: bool,
        /// Where the bridge keeps its state.
        #[arg(long, value_enum, default_value_t = Database::Sqlite)]
        database: Database,
    },
    /// Take the README's pictures: the demo's conversation in the sandbox's page and in a Matrix web client.
    Screenshots,
    /// Follow the Dockerfile's build stage in a temporary folder, without a container engine.
    Container {
        /// Build without optimising: quicker, and as good a proof of the recipe.
        #[arg(long)]
        debug: bool,
    },
    /// Let both sides talk while everything breaks, and compare them: the last line on stdout is the report, and the
    /// exit code is 0 only if nothing was lost, doubled, reordered or left unexplained.
    Chaos {
        /// How many messages people say, on both sides together.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(20..))]
        messages: u32,
        /// In how many rooms.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        rooms: u32,
        /// What decides who says what, and what breaks when; chosen by chance if absent.
        #[arg(long)]
        seed: Option<u64>,
        /// Where the bridge keeps its state.
        #[arg(long, value_enum, default_value_t = Database::Sqlite)]
        database: Database,
        /// How often the bridge is killed.
        #[arg(long, default_value_t = 10)]
        kills: u32,
        /// How often PostgreSQL crashes.
        #[arg(long, default_value_t = 5)]
        database_restarts: u32,
        /// How many of a hundred requests suffer.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=100))]
        faults: u32,
        /// Requests a minute that Gitter allows; 0 for any number.
        #[arg(long, default_value_t = 0)]
        rate_limit: u32,
    },
    /// Run the fuzz targets, each for some time; the exit code is 0 only if nothing was found.
    Fuzz {
        /// Only this one.
        target: Option<String>,
        /// For how long.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
    },
    /// Run all tests, with the servers that they need.
    Test {
        /// Only the tests whose names contain this.
        filter: Option<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo { once, database } => {
            let ok = xtask::demo::run(once, database, interrupted()?).await?;
            Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Screenshots => {
            xtask::screenshots::run(interrupted()?).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Container { debug } => {
            xtask::container::run(debug).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Chaos {
            messages,
            rooms,
            seed,
            database,
            kills,
            database_restarts,
            faults,
            rate_limit,
        } => {
            let plan = Plan {
                messages: usize::try_from(messages)?,
                rooms: usize::try_from(rooms)?,
                seed: seed.unwrap_or_else(|| rand::random_range(0..1_000_000)),
                kills: kills.min(messages / 2),
                database_restarts: database_restarts.min(messages / 2),
                homeserver_restarts: 5,
                faults_percent: faults,
                rate_limit,
                database: match database {
                    Database::Sqlite => "sqlite".to_owned(),
                    Database::Postgres => "postgres".to_owned(),
                },
                report: None,
            };
            let clean = xtask::chaos::run(plan).await?;
            Ok(if clean {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Fuzz { target, seconds } => {
            let clean = xtask::fuzz::run(target.as_deref(), seconds).await?;
            Ok(if clean {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Test { filter } => {
            let code = xtask::test::run(filter.as_deref()).await?;
            Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
        }
    }
}

/// Ready once somebody wants this to end: by Ctrl-C, or by `kill`.
fn interrupted() -> Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        select! {
            _ = ctrl_c() => (),
            _ = terminated.recv() => (),
        }
    })
}
