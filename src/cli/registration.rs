//! `registration`: writes the file that the homeserver and the bridge share.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{Exit, output};
use crate::{
    config::Config,
    registration::{Registration, RegistrationError},
};

#[derive(Debug, Args)]
#[command(
    after_help = "An existing registration keeps its ids, its tokens and all keys that this program does not know; its \
        address and its namespaces are taken from the configuration.\n\n\
        Example:\n  gitter-matrix-bridge registration -o /etc/matrix-synapse/gitter.yaml"
)]
pub(super) struct Arguments {
    /// Where to write it, `-` for the standard output (tokens included!) [default: appservice.registration]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is not a registration
    #[arg(long)]
    force: bool,
}

/// Writes the registration of a configuration to where the bridge reads it.
pub(super) fn write(file: &Path) -> anyhow::Result<()> {
    let arguments = Arguments {
        output: None,
        force: false,
    };
    make(file, &arguments).map(drop)
}

pub(super) fn run(file: &Path, arguments: &Arguments) -> anyhow::Result<Exit> {
    match make(file, arguments)? {
        Made::NewFile => output::line(
            "Next: name it in the homeserver's configuration (for Synapse, in app_service_config_files) and restart the \
             homeserver.",
        )?,
        Made::File => output::line(
            "Next: let the homeserver have it anew, and restart the homeserver: it reads it only then.",
        )?,
        Made::Output => {}
    }
    Ok(Exit::Done)
}

/// Where a registration went.
enum Made {
    /// Into a file; its tokens are new.
    NewFile,
    /// Into a file, with the tokens that it had.
    File,
    Output,
}

fn make(file: &Path, arguments: &Arguments) -> anyhow::Result<Made> {
    let config = Config::load(file)?;
    let configured = &config.appservice.registration;
    let target = arguments.output.as_ref().unwrap_or(configured);
    let to_output = target.as_os_str() == "-";

    // What the bridge reads now is kept, wherever the copy goes: the tokens of both must be the same.
    let existing = if to_output {
        None
    } else {
        existing(target, arguments.force)?
    };
    let existing = match existing {
        None if target != configured => self::existing(configured, arguments.force)?,
        found => found,
    };
    let is_new = existing.is_none();
    let registration = match existing {
        Some(mut registration) => {
            registration.renew(&config);
            registration
        }
        None => Registration::new(&config),
    };

    if to_output {
        output::bytes(registration.to_yaml()?.as_bytes())?;
        return Ok(Made::Output);
    }
    registration.write(target)?;
    let tokens = if is_new {
        "with new tokens"
    } else {
        "with the same tokens as before"
    };
    output::line(format_args!("Wrote {} {tokens}.", target.display()))?;
    if target != configured {
        output::line(format_args!(
            "The bridge itself reads {}: keep the two the same, or set appservice.registration.",
            configured.display()
        ))?;
    }
    Ok(if is_new { Made::NewFile } else { Made::File })
}

/// The registration in a file, if there is one. An empty file is none: `> registration.yaml` makes it first.
fn existing(path: &Path, force: bool) -> Result<Option<Registration>, RegistrationError> {
    if fs::metadata(path).map_or(true, |metadata| metadata.len() == 0) {
        return Ok(None);
    }
    match Registration::load(path) {
        Ok(registration) => Ok(Some(registration)),
        Err(RegistrationError::Problems { .. }) if force => Ok(None),
        Err(error) => Err(error),
    }
}
