//! `serve`: run the bridge.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use crate::{app, config::Config, logging, registration::Registration};

/// What `serve` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "The database's schema is brought up to date at the start. The first SIGTERM or Ctrl-C lets \
    what is under way finish, the second does not.\n\nExample:\n  \
    gitter-matrix-bridge -c /etc/gitter-matrix-bridge/config.yaml serve"
)]
pub(super) struct Arguments {
    /// The registration, instead of the one that appservice.registration names
    #[arg(short, long, value_name = "FILE")]
    registration: Option<PathBuf>,
    /// After the database was restored from a backup: look whether what it does not know has crossed, and send only
    /// what has not
    #[arg(long)]
    restored: bool,
}

/// Runs the bridge until it is told to stop.
pub(super) async fn run(file: &Path, arguments: Arguments) -> anyhow::Result<Exit> {
    let config = Config::load_without_token(file)?;
    let named = &config.appservice.registration;
    let registration_file = arguments.registration.unwrap_or_else(|| named.clone());
    // What is there has to be right; what is missing is waited for.
    if let Ok(registration) = Registration::load_if_complete(&registration_file)? {
        registration.check_ghosts(&config)?;
        registration.check_aliases(&config)?;
    }
    logging::start(&config.logging)?;
    app::serve(config, &registration_file, arguments.restored).await?;
    Ok(Exit::Done)
}
