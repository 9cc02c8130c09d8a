//! A look at a database that makes and changes nothing, for a bridge that may be running on it.

use std::{io, path::Path, str::FromStr as _};

use ruma::ServerName;
use secrecy::ExposeSecret as _;
use sqlx::{
    PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{
    Db, Portal, StoreError,
    account::{self, AccountState},
    db::{self, address, query, statements},
    installation, portal,
};
use crate::config::DatabaseUrl;

statements! {
    VERSION = "SELECT MAX(version) FROM _sqlx_migrations";
}

/// What is there.
#[derive(Debug)]
pub enum Found {
    /// No database of the bridge's yet.
    Nothing,
    /// One that this version of the bridge can use.
    Schema {
        /// The newest migration in it.
        version: i64,
        /// Whether there is no newer one.
        is_newest: bool,
        /// The portals.
        portals: Vec<Portal>,
        /// The accounts, as far as the schema tells whether they may post.
        accounts: Vec<AccountState>,
        /// When another bridge with the same tokens was seen last, if that is not long ago, in milliseconds since 1970.
        other_seen: Option<i64>,
    },
}

/// Looks at the database of a configuration.
///
/// # Errors
/// As [`Db::open`], and where it is another homeserver's.
pub async fn look(url: &DatabaseUrl, server_name: &ServerName) -> Result<Found, StoreError> {
    let db = match url {
        DatabaseUrl::Sqlite(path) => match sqlite(path).await? {
            Some(pool) => Db::Sqlite {
                writer: pool.clone(),
                readers: pool,
            },
            None => return Ok(Found::Nothing),
        },
        DatabaseUrl::Postgres(url) => {
            let options = PgConnectOptions::from_str(url.expose_secret())?;
            let address = address(&options);
            let pool: PgPool = PgPoolOptions::new()
                .max_connections(1)
                .connect_with(options.clone())
                .await
                .map_err(|source| StoreError::Refused { address, source })?;
            db::check_server(&mut *pool.acquire().await?, &options).await?;
            Db::Postgres(pool)
        }
    };
    let found = read(&db, server_name).await;
    db.close().await;
    found
}

/// A connection that only reads; none where there is no file.
async fn sqlite(path: &Path) -> Result<Option<SqlitePool>, StoreError> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(StoreError::File {
                path: path.to_owned(),
                source,
            });
        }
    }
    // The bridge's own user may write it; asked of the file system, so that nothing is changed.
    if let Err(source) = std::fs::OpenOptions::new().append(true).open(path) {
        return Err(StoreError::File {
            path: path.to_owned(),
            source,
        });
    }
    let options = SqliteConnectOptions::from_str("sqlite:")?
        .filename(path)
        .read_only(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    Ok(Some(pool))
}

async fn read(db: &Db, server_name: &ServerName) -> Result<Found, StoreError> {
    let mut tx = db.read().await?;
    let version = match query!(&mut tx, fetch_one, (Option<i64>,), VERSION) {
        Ok((Some(version),)) => version,
        Ok((None,)) => return Ok(Found::Nothing),
        Err(error) if is_no_such_table(&error) => return Ok(Found::Nothing),
        Err(error) => return Err(error.into()),
    };
    if version > db::newest_version() {
        return Err(StoreError::Newer { version });
    }
    let is_newest = version == db::newest_version();
    match installation::check_installation(&mut tx, server_name).await {
        Err(StoreError::OtherServer { .. }) if is_newest && installation::is_unused(&mut tx).await? => {}
        checked => {
            checked?;
        }
    }
    let portals = portal::portals(&mut tx).await?;
    let (mut accounts, mut other_seen) = (Vec::new(), None);
    if is_newest {
        accounts = account::accounts(&mut tx).await?;
        other_seen = installation::other_seen(&mut tx, jiff::Timestamp::now().as_millisecond()).await?;
    }
    Ok(Found::Schema {
        version,
        is_newest,
        portals,
        accounts,
        other_seen,
    })
}

/// Nothing was ever made there.
fn is_no_such_table(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    error.code().is_some_and(|code| code == "42P01") || error.message().starts_with("no such table")
}
