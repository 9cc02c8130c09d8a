//! Looks at everything that the bridge needs, in the order in which things break, and says how to mend it.
//!
//! It works beside a running bridge and without one. It changes nothing but that the bot, and the ghost of
//! nobody, are registered with the homeserver, which the bridge does at its start, too. It does not listen: whoever calls it sees to it
//! that something answers the homeserver's ping.

mod files;
mod gitter;
mod homeserver;
mod media;

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    check::{Check, Checks},
    config::{Config, DatabaseUrl},
    registration::Registration,
    store::{Portal, StoreError, account::AccountState, probe},
};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the first check.
pub const CONFIG: &str = "config";

/// All checks. A failed one is in the result; nothing here is an error.
pub async fn examine(config: &Config) -> Vec<Check> {
    let mut checks = Checks::default();
    checks.passed(CONFIG, "every key is known and has a usable value");
    let registration = files::registration(config, &mut checks);
    files::rights(config, &mut checks);
    let portals = database(config, &mut checks).await;
    let (mut of_homeserver, mut of_gitter, mut of_media) = <(Checks, Checks, Checks)>::default();
    tokio::join!(
        homeserver::examine(config, registration.as_ref(), &mut of_homeserver),
        gitter::examine(config, &portals, &mut of_gitter),
        media::examine(config, &mut of_media),
    );
    let mut all = checks.into_vec();
    for looked_at in [of_homeserver, of_gitter, of_media] {
        all.extend(looked_at.into_vec());
    }
    all
}

/// The database; gives the portals in it.
async fn database(config: &Config, checks: &mut Checks) -> Vec<Portal> {
    const CHECK: &str = "database";
    let kind = match &config.database.url {
        DatabaseUrl::Sqlite(path) => format!("SQLite, {}", path.display()),
        DatabaseUrl::Postgres(_) => "PostgreSQL".to_owned(),
    };
    let look = probe::look(&config.database.url, &config.homeserver.server_name);
    let Ok(looked) = tokio::time::timeout(PATIENCE, look).await else {
        checks.failed(
            CHECK,
            format!("{kind}: no answer within {} s", PATIENCE.as_secs()),
            "check that the database server runs, and database.url",
        );
        return Vec::new();
    };
    match looked {
        Ok(probe::Found::Nothing) => {
            checks.passed(CHECK, format!("{kind}: it is made when the bridge first starts"));
            Vec::new()
        }
        Ok(probe::Found::Schema {
            version,
            portals,
            accounts,
            other_seen,
            ..
        }) => {
            let count = portals.len();
            let rooms = if count == 1 { "room" } else { "rooms" };
            checks.passed(
                CHECK,
                format!("{kind}: schema version {version}, {count} linked {rooms}"),
            );
            stopped_accounts(&accounts, checks);
            second_instance(other_seen, checks);
            portals
        }
        Err(error) => {
            let mend = match &error {
                StoreError::Newer { .. } => {
                    "start the newer version, or restore a backup from before the upgrade"
                }
                StoreError::OtherServer { .. } => {
                    "correct homeserver.server_name, or name another database.url"
                }
                StoreError::ReadOnly { .. } => "name the primary in database.url",
                StoreError::Forgetful => "ALTER ROLE ... SET synchronous_commit = on",
                StoreError::File { .. } => "give the bridge's user the right to write there, or set data_dir",
                _ => "check that the database server runs, and the name and password in database.url",
            };
            checks.failed(CHECK, format!("{kind}: {error}"), mend);
            Vec::new()
        }
    }
}

/// Accounts that may not post.
fn stopped_accounts(accounts: &[AccountState], checks: &mut Checks) {
    for paused in accounts.iter().filter(|account| account.paused_at > 0) {
        checks.failed(
            "gitter_account_paused",
            format!("{}: {}", paused.account.username, paused.pause_reason),
            "ask the Gitter server's operator to lift the ban; then `gitter-matrix-bridge account resume`",
        );
    }
}

/// Another bridge with the same tokens and another database.
fn second_instance(seen: Option<i64>, checks: &mut Checks) {
    let Some(seen) = seen.and_then(|seen| Timestamp::from_millisecond(seen).ok()) else {
        return;
    };
    checks.failed(
        "second_instance",
        format!("another bridge, with another database, uses the same tokens; it was seen at {seen:.0}"),
        "stop one of the two; this goes away 15 min after it was seen last",
    );
}

/// The bot's user id, as the registration names it.
fn bot(config: &Config, registration: &Registration) -> String {
    format!(
        "@{}:{}",
        registration.sender_localpart, config.homeserver.server_name
    )
}
