//! The command line: what can be asked for, and how it ends (DESIGN 6.1).
//!
//! Commands read the configuration, do their work through the library or the admin API, and tell people.
//! Nothing here knows how bridging works.

mod account;
mod admin;
mod answer;
mod config;
mod confirm;
mod database;
mod doctor;
mod forget;
mod health;
mod init;
mod item;
mod manual;
mod media;
mod output;
mod page;
mod registration;
mod room;
mod serve;
mod status;
mod translate;

#[cfg(test)]
mod tests;

use std::{ffi::OsString, io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

pub use self::page::page;
use crate::{
    config::{ConfigError, Problem},
    registration::RegistrationError,
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "gitter-matrix-bridge",
    version = crate::VERSION,
    about = "Bridges Gitter rooms and Matrix rooms, as an application service of a Matrix homeserver",
    after_help = "The first steps:\n  \
        gitter-matrix-bridge init      # asks, and writes config.yaml and registration.yaml\n  \
        gitter-matrix-bridge doctor    # says what is not well yet, and how to mend it\n  \
        gitter-matrix-bridge serve\n  \
        gitter-matrix-bridge room link group/room '#alias:server'\n\n\
        Exit codes: 0 done; 1 failed, or the bridge is not reachable; 2 wrong usage or configuration."
)]
struct Cli {
    /// The configuration file
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "GITTER_BRIDGE_CONFIG",
        default_value = "config.yaml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bridge
    Serve(serve::Arguments),
    /// Set the bridge up: asks, writes the configuration and the registration, and looks whether all is well
    Init(Box<init::Arguments>),
    /// Look at everything that the bridge needs, and say what to mend
    Doctor(doctor::Arguments),
    /// Write the registration, the file that the homeserver and the bridge share
    Registration(registration::Arguments),
    /// Check the configuration, or print an example of one
    #[command(subcommand)]
    Config(config::Command),
    /// Link, unlink and look at rooms of the running bridge
    #[command(subcommand)]
    Room(room::Command),
    /// Show the running bridge at a glance: what crosses, what waits, and what needs somebody
    Status(status::Arguments),
    /// Look at the Gitter accounts, and let one go on
    #[command(subcommand)]
    Account(account::Command),
    /// List messages that wait or have failed, try them again, or drop them
    #[command(subcommand)]
    Item(item::Command),
    /// Tell what became of a Matrix event or a Gitter message, and why
    #[command(after_help = "Examples:\n  \
        gitter-matrix-bridge explain '$Zx0GQk3mXn8u2c1d4FhYqv5rW7tLsPaBeJoKiTgRyUw'\n  \
        gitter-matrix-bridge explain 5f0000000000000000000d01 --json")]
    Explain(item::Explain),
    /// Remove what the bridge stores of a person
    Forget(forget::Arguments),
    /// End signed links to media
    #[command(subcommand)]
    Media(media::Command),
    /// Copy the database, from SQLite to PostgreSQL or back
    #[command(subcommand)]
    Database(database::Command),
    /// Translate messages without a bridge: fixtures in, what would be sent out
    #[command(subcommand)]
    Translate(translate::Command),
    /// Tell whether the running bridge is ready: exit 0 if it is, else 1
    #[command(after_help = "For health checks, of containers for example:\n  \
        HEALTHCHECK CMD [\"gitter-matrix-bridge\", \"health\"]")]
    Health,
    /// Print completions for a shell
    Completions(manual::CompletionArguments),
    /// Print the manual page, or write those of all commands
    Man(manual::ManArguments),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to.
    Done,
    /// It failed, a check failed, or the bridge is not reachable.
    Failed,
    /// The command line or the configuration cannot be used.
    Unusable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Unusable => 2,
        })
    }
}

/// A command line that is understood but cannot be followed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(&'static str);

/// Does what the arguments (the program's name first) ask for, and tells people how it ended.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; a closed pipe is nobody's fault.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Unusable
            } else {
                Exit::Done
            };
        }
    };
    match follow(cli).await {
        Ok(exit) => exit,
        Err(error) if error.is::<output::Closed>() => Exit::Done,
        Err(error) => {
            // Where the error stream is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            exit_of(&error)
        }
    }
}

async fn follow(cli: Cli) -> anyhow::Result<Exit> {
    let file = cli.config;
    match cli.command {
        Command::Serve(arguments) => serve::run(&file, arguments).await,
        Command::Init(arguments) => init::run(&file, *arguments).await,
        Command::Doctor(arguments) => doctor::run(&file, &arguments).await,
        Command::Registration(arguments) => registration::run(&file, &arguments),
        Command::Config(command) => config::run(&file, &command),
        Command::Room(command) => room::run(&file, command).await,
        Command::Status(arguments) => status::run(&file, &arguments).await,
        Command::Account(command) => account::run(&file, command).await,
        Command::Item(command) => item::run(&file, command).await,
        Command::Explain(arguments) => item::explain(&file, &arguments).await,
        Command::Forget(arguments) => forget::run(&file, &arguments).await,
        Command::Media(command) => media::run(&file, command).await,
        Command::Database(command) => database::run(&file, command).await,
        Command::Translate(command) => translate::run(command),
        Command::Health => health::run(&file).await,
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::pages(&arguments),
    }
}

fn exit_of(error: &anyhow::Error) -> Exit {
    let unusable = error.chain().any(|cause| {
        cause.is::<UsageError>()
            || cause.is::<ConfigError>()
            || cause.is::<Problem>()
            || cause
                .downcast_ref::<RegistrationError>()
                .is_some_and(|error| !matches!(error, RegistrationError::Unwritable { .. }))
    });
    if unusable { Exit::Unusable } else { Exit::Failed }
}
