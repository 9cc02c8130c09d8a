//! `doctor`: everything that the bridge needs, looked at from here, with or without a running bridge.

use std::{io, path::Path};

use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Exit,
    output::{self, Tone, toned},
};
use crate::{
    check::{Check, Checks},
    config::{Config, ConfigError},
    doctor,
    http::{self, Limits, appservice, media},
    registration::Registration,
};

#[derive(Debug, Args)]
#[command(
    after_help = "The checks are in the order in which things break: mend the first that failed, then look again. It is \
        safe at any time, also while the bridge runs.\n\n\
        Example:\n  gitter-matrix-bridge doctor --json | jq '.checks[] | select(.ok | not)'"
)]
pub(super) struct Arguments {
    /// Print the checks as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(file: &Path, arguments: &Arguments) -> anyhow::Result<Exit> {
    let checks = examine(file).await?;
    if arguments.json {
        output::line(json!({ "checks": checks }))?;
    } else {
        tell(&checks)?;
    }
    Ok(exit(&checks))
}

/// Shows the checks to people.
pub(super) fn tell(checks: &[Check]) -> anyhow::Result<()> {
    output::line(table(checks))?;
    let untried = checks.iter().filter(|check| check.untried).count();
    let failed = checks.iter().filter(|check| !check.ok).count() - untried;
    let not_tried = match untried {
        0 => String::new(),
        _ => format!(", {untried} not tried"),
    };
    match failed {
        0 => output::line("\nAll is well."),
        1 => output::line(format_args!("\n1 check failed{not_tried}.")),
        _ => output::line(format_args!("\n{failed} checks failed{not_tried}.")),
    }
}

fn exit(checks: &[Check]) -> Exit {
    if checks.iter().all(|check| check.ok) {
        Exit::Done
    } else {
        Exit::Failed
    }
}

/// Looks at everything.
pub(super) async fn examine(file: &Path) -> anyhow::Result<Vec<Check>> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(ConfigError::Problems(problems)) => {
            let mut checks = Checks::default();
            for problem in problems {
                checks.failed(
                    doctor::CONFIG,
                    problem.to_string(),
                    "correct the configuration; `config example` prints every key",
                );
            }
            return Ok(checks.into_vec());
        }
        Err(error) => return Err(error.into()),
    };
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let busy = answer_pings(&config, stop).await;
    let mut checks = doctor::examine(&config).await;
    if let Err(error) = busy {
        let mut listening = Checks::default();
        listening.failed(
            "appservice_listen",
            format!("cannot listen on {}: {error}", config.appservice.listen),
            "set appservice.listen to an address of this machine",
        );
        checks.splice(1..1, listening.into_vec());
    }
    Ok(checks)
}

/// Answers the homeserver's ping, and the look at the public address, where no bridge does.
async fn answer_pings(config: &Config, stop: CancellationToken) -> io::Result<()> {
    let Ok(registration) = Registration::load(&config.appservice.registration) else {
        return Ok(());
    };
    match TcpListener::bind(config.appservice.listen).await {
        Ok(listener) => {
            let public_url = config.appservice.public_url.as_ref();
            let prefix = public_url.map_or_else(String::new, |url| url.path().to_owned());
            tokio::spawn(http::serve(
                listener,
                appservice::ping_router(registration.hs_token).merge(media::health_router(&prefix)),
                Limits::APPSERVICE,
                stop,
            ));
            Ok(())
        }
        // The bridge runs.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
        Err(error) => Err(error),
    }
}

fn table(checks: &[Check]) -> String {
    let rows = checks.iter().map(|check| {
        [
            toned(check.check, Tone::Plain),
            if check.untried {
                toned("-", Tone::Plain)
            } else {
                output::result(check.ok, &check.mend)
            },
            toned(&check.detail, Tone::Plain),
            toned(&check.mend, Tone::Plain),
        ]
    });
    output::table(["CHECK", "RESULT", "DETAIL", "MEND"], rows)
}
