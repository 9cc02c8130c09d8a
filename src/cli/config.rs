//! `config check` and `config example`.

use std::{io, path::Path};

use clap::Subcommand;

use super::{Exit, output};
use crate::{
    config::{self, Config, ConfigError},
    registration::{Registration, RegistrationError},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the configuration and how it fits the registration, without connecting to anything
    #[command(after_help = "Example:\n  gitter-matrix-bridge -c /etc/gitter-bridge/config.yaml config check")]
    Check,
    /// Print a configuration with every key, its default and what it does
    #[command(after_help = "Example:\n  gitter-matrix-bridge config example > config.yaml")]
    Example,
}

pub(super) fn run(file: &Path, command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Check => check(file),
        Command::Example => {
            output::bytes(config::example().as_bytes())?;
            Ok(Exit::Done)
        }
    }
}

/// What was found, line by line.
#[derive(Default)]
struct Report {
    failed: usize,
}

impl Report {
    fn good(text: &str) -> anyhow::Result<()> {
        output::line(format_args!("ok    {text}"))
    }

    fn note(text: &str) -> anyhow::Result<()> {
        output::line(format_args!("note  {text}"))
    }

    fn bad(&mut self, text: &str) -> anyhow::Result<()> {
        self.failed += 1;
        output::line(format_args!("FAIL  {text}"))
    }

    fn finish(self) -> anyhow::Result<Exit> {
        match self.failed {
            0 => output::line("The configuration can be used."),
            1 => output::line("1 check failed."),
            failed => output::line(format_args!("{failed} checks failed.")),
        }?;
        Ok(if self.failed == 0 {
            Exit::Done
        } else {
            Exit::Unusable
        })
    }
}

fn check(file: &Path) -> anyhow::Result<Exit> {
    let mut report = Report::default();
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(ConfigError::Problems(problems)) => {
            for problem in problems {
                report.bad(&problem.to_string())?;
            }
            return report.finish();
        }
        Err(error) => return Err(error.into()),
    };
    Report::good(&format!(
        "{}: every key is known and has a usable value",
        file.display()
    ))?;
    match &config.gitter.token_file {
        Some(token) => Report::good(&format!(
            "gitter.token_file: {} holds a token",
            token.path.display()
        ))?,
        None => Report::good(&format!(
            "gitter: tokens set: {}",
            config.gitter.access_tokens().count()
        ))?,
    }
    check_registration(&mut report, &config)?;
    report.finish()
}

fn check_registration(report: &mut Report, config: &Config) -> anyhow::Result<()> {
    let path = &config.appservice.registration;
    let registration = match Registration::load(path) {
        Ok(registration) => registration,
        Err(RegistrationError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Report::note(&format!(
                "{} does not exist yet; make it with `gitter-matrix-bridge registration`",
                path.display()
            ));
        }
        Err(RegistrationError::Problems { problems, .. }) => {
            for problem in problems {
                report.bad(&problem.to_string())?;
            }
            return Ok(());
        }
        Err(error) => return report.bad(&format!("{:#}", anyhow::Error::new(error))),
    };
    Report::good(&format!("{}: the registration is complete", path.display()))?;
    match registration.check_ghosts(config) {
        Ok(ghost) => Report::good(&format!(
            "bridge.ghost_localpart: ghosts such as {ghost} belong to the bridge"
        ))?,
        Err(problem) => report.bad(&problem.to_string())?,
    }
    match registration.check_aliases(config) {
        Ok(alias) => Report::good(&format!(
            "bridge.alias_prefix: aliases such as {alias} belong to the bridge"
        ))?,
        Err(problem) => report.bad(&problem.to_string())?,
    }
    let expected = config.appservice.url_for_homeserver();
    match &registration.url {
        Some(url) if url.trim_end_matches('/') == expected => Report::good(&format!(
            "appservice.url: the registration sends the homeserver to {expected}"
        )),
        url => Report::note(&format!(
            "appservice.url: the registration sends the homeserver to {}, the configuration to {expected}; \
             if that is not meant, run `gitter-matrix-bridge registration` and restart the homeserver",
            url.as_deref().unwrap_or("no address")
        )),
    }
}
