//! Waits for the tokens of both sides: an installation may start the bridge before they are there.

use std::{path::Path, time::Duration};

use tracing::{error, info};

use crate::{
    config::{Config, secret},
    health::{Health, Part},
    registration::Registration,
};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// The configuration with its Gitter token, and the registration, once they are there.
///
/// # Errors
/// When the registration does not fit the configuration.
pub(super) async fn gather(
    mut config: Config,
    registration: &Path,
    health: &Health,
) -> anyhow::Result<(Config, Registration)> {
    let mut told = String::new();
    loop {
        match look(&mut config, registration) {
            Ok(registration) => {
                registration.check_ghosts(&config)?;
                registration.check_aliases(&config)?;
                health.works(Part::Credentials);
                if !told.is_empty() {
                    info!("All credentials are there now");
                }
                return Ok((config, registration));
            }
            Err(missing) if missing != told => {
                let token_file = config.gitter.token_file.as_ref().map(|file| file.path.display());
                error!(
                    missing,
                    token_file = token_file.map(tracing::field::display),
                    registration = %registration.display(),
                    "Credentials are missing; the bridge waits, and goes on by itself once their files are there"
                );
                health.lacks(Part::Credentials, missing.clone());
                told = missing;
            }
            Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Reads what was missing; else says what still is, by its keys.
fn look(config: &mut Config, registration: &Path) -> Result<Registration, String> {
    let mut missing = Vec::new();
    if config.gitter.access_tokens().next().is_none() {
        match &mut config.gitter.token_file {
            Some(file) => match secret::read(&file.path) {
                Ok(token) => file.secret = Some(token),
                Err(_) if secret::is_absent(&file.path) => {
                    missing.push("the file that gitter.token_file names is missing or empty".to_owned());
                }
                Err(_) => missing.push(
                    "the file that gitter.token_file names cannot be read, or does not hold the token alone"
                        .to_owned(),
                ),
            },
            None => missing.push(
                "gitter.token_file is not set, and neither is gitter.token: set one of them and restart the bridge"
                    .to_owned(),
            ),
        }
    }
    match Registration::load_if_complete(registration) {
        Ok(Ok(registration)) if missing.is_empty() => return Ok(registration),
        Ok(Ok(_)) => {}
        Ok(Err(lacks)) => missing.push(format!("{lacks}: `gitter-matrix-bridge registration` makes it")),
        Err(_) => missing
            .push("the registration cannot be used: `gitter-matrix-bridge config check` says why".to_owned()),
    }
    Err(missing.join("; "))
}
