//! The files: the registration and how it fits the configuration, and who may read what.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    check::Checks,
    config::{Config, DatabaseUrl},
    registration::{Registration, RegistrationError},
};

/// The registration, if it can be used.
pub(super) fn registration(config: &Config, checks: &mut Checks) -> Option<Registration> {
    const CHECK: &str = "registration";
    let path = &config.appservice.registration;
    let remake = "run `gitter-matrix-bridge registration`, copy the file to the homeserver and restart that";
    let registration = match Registration::load(path) {
        Ok(registration) => registration,
        Err(RegistrationError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            checks.failed(CHECK, format!("{} does not exist", path.display()), remake);
            return None;
        }
        Err(RegistrationError::Problems { problems, .. }) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            checks.failed(CHECK, problems.join("; "), format!("correct it, or {remake}"));
            return None;
        }
        Err(error) => {
            let mend = "give the bridge's user the right to read it";
            checks.failed(CHECK, format!("{:#}", anyhow::Error::new(error)), mend);
            return None;
        }
    };
    let namespaces = registration
        .check_ghosts(config)
        .and_then(|ghost| Ok((ghost, registration.check_aliases(config)?)));
    match namespaces {
        Ok((ghost, alias)) => checks.passed(
            CHECK,
            format!("complete; ghosts such as {ghost} and aliases such as {alias} belong to the bridge"),
        ),
        Err(problem) => {
            checks.failed(
                CHECK,
                problem.to_string(),
                format!("change the key back, or {remake}"),
            );
        }
    }
    let expected = config.appservice.url_for_homeserver();
    let told = registration.url.as_deref().map(|url| url.trim_end_matches('/'));
    if told != Some(expected.as_str()) {
        checks.advised(
            "registration_url",
            format!(
                "the registration sends the homeserver to {}, the configuration to {expected}",
                told.unwrap_or("no address")
            ),
            format!("if that is not meant, {remake}"),
        );
    }
    Some(registration)
}

/// Secrets that others may read, and folders that cannot be written to.
pub(super) fn rights(config: &Config, checks: &mut Checks) {
    const CHECK: &str = "file_rights";
    let token = config.gitter.token_file.as_ref().map(|file| file.path.as_path());
    let headers = config.telemetry.headers_file.as_ref();
    let database = match &config.database.url {
        DatabaseUrl::Sqlite(path) => Some(path.as_path()),
        DatabaseUrl::Postgres(_) => None,
    };
    let secrets = [
        Some(config.appservice.registration.as_path()),
        Some(config.admin.token_file.as_path()),
        Some(config.media.key_file.as_path()),
        database,
        token,
        headers.map(|file| file.path.as_path()),
    ];
    let open: Vec<String> = secrets
        .into_iter()
        .flatten()
        .filter(|path| is_open(path))
        .map(|path| path.display().to_string())
        .collect();
    if let Err(error) = writable(&config.data_dir) {
        checks.failed(
            CHECK,
            format!("{} cannot be written to: {error}", config.data_dir.display()),
            "give the folder of data_dir to the bridge's user",
        );
    } else if open.is_empty() {
        checks.passed(
            CHECK,
            format!(
                "{} can be written to, and secrets are private",
                config.data_dir.display()
            ),
        );
    } else {
        let files = open.join(" ");
        checks.advised(
            CHECK,
            format!("everybody on this machine can read {files}"),
            format!("chmod o-rwx {files}"),
        );
    }
}

fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0)
}

fn writable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}
