//! The two databases behind one type, and transactions on them.
//!
//! Statements are written once for both. Reads go through [`Db::read`], writes through [`Db::write`];
//! on SQLite every write transaction starts with `BEGIN IMMEDIATE`, since one that reads first and writes
//! later fails under load otherwise. There is one writing connection on SQLite, so writers queue in order.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    str::FromStr as _,
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{StoreError, news::News};
use crate::{config::DatabaseUrl, metrics, telemetry};

/// The schema, from the `migrations` folder. Forward only.
static MIGRATOR: Migrator = sqlx::migrate!();

/// The bridge's database. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    /// The embedded database: one file, one process.
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections that only read.
        readers: SqlitePool,
    },
    /// PostgreSQL, which several processes may share.
    Postgres(PgPool),
}

/// An open transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub struct Tx {
    pub(super) open: Open,
    /// What is to be told once it is committed.
    pub(super) news: News,
    /// Notes how long it took, however it ends.
    _timer: Timer,
}

/// Measures a transaction, from when it was asked for.
#[derive(Debug)]
struct Timer {
    kind: &'static str,
    begun: Instant,
}

impl Timer {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            begun: Instant::now(),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        metrics::transacted(self.kind, self.begun.elapsed());
    }
}

/// The transaction of one of the databases.
#[derive(Debug)]
pub(super) enum Open {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

/// Runs a statement and gives the number of rows it affected.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.open {
            $crate::store::db::Open::Sqlite(tx) => {
                sqlx::query($sql)$(.bind($crate::store::value::Value::stored($bind)))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            $crate::store::db::Open::Postgres(tx) => {
                sqlx::query($sql)$(.bind($crate::store::value::Value::stored($bind)))*.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
    };
}

/// Runs a query; `$fetch` is `fetch_all`, `fetch_optional` or `fetch_one`, the row type `$row`.
macro_rules! query {
    ($tx:expr, $fetch:ident, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.open {
            $crate::store::db::Open::Sqlite(tx) => sqlx::query_as::<_, $row>($sql)$(.bind($crate::store::value::Value::stored($bind)))*.$fetch(&mut **tx).await,
            $crate::store::db::Open::Postgres(tx) => sqlx::query_as::<_, $row>($sql)$(.bind($crate::store::value::Value::stored($bind)))*.$fetch(&mut **tx).await,
        }
    };
}

/// Names SQL texts once: each a constant, and all of them in `STATEMENTS` for the test that prepares
/// every one on both databases.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)+) => {
        $($(#[$doc])* const $name: &str = $sql;)+
        #[cfg(test)]
        pub(super) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $sql)),+];
    };
}

pub(super) use {execute, query, statements};

impl Db {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be reached, was made by a newer version of the bridge, or its migration fails.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let db = match url {
            DatabaseUrl::Sqlite(path) => Self::open_sqlite(path).await?,
            DatabaseUrl::Postgres(url) => Self::open_postgres(url).await?,
        };
        let migrated = match &db {
            Self::Sqlite { writer, .. } => MIGRATOR.run(writer).await,
            Self::Postgres(pool) => MIGRATOR.run(pool).await,
        };
        match migrated {
            Ok(()) => Ok(db),
            Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer { version }),
            Err(source) => Err(StoreError::Migrate(source)),
        }
    }

    async fn open_postgres(url: &SecretString) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(10));
        // Asked once by itself: a pool would only say that its time was up.
        let options = PgConnectOptions::from_str(url.expose_secret())?;
        let refused = |source| StoreError::Refused {
            address: address(&options),
            source,
        };
        let mut connection = PgConnection::connect_with(&options).await.map_err(refused)?;
        check_server(&mut connection, &options).await?;
        connection.close().await?;
        Ok(Self::Postgres(pool.connect_with(options).await?))
    }

    async fn open_sqlite(path: &Path) -> Result<Self, StoreError> {
        // Made here rather than by SQLite, so that only its owner reads what people say.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| StoreError::File {
                path: path.to_owned(),
                source,
            })?;
        let options = SqliteConnectOptions::from_str("sqlite:")?
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(Duration::from_secs(30))
            .idle_timeout(None)
            // A full disk makes SQLite end a transaction by itself. sqlx still takes it for open and begins no other
            // on that connection, so a new one takes its place.
            .before_acquire(|connection, _| {
                let is_usable = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_usable) })
            });
        let writer = pool
            .clone()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        let readers = pool
            .max_connections(4)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self::Sqlite { writer, readers })
    }

    /// Begins a transaction that reads.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let timer = Timer::new("read");
        let open = match self {
            Self::Sqlite { readers, .. } => Open::Sqlite(readers.begin().await?),
            Self::Postgres(pool) => Open::Postgres(pool.begin().await?),
        };
        Ok(Tx::new(open, timer))
    }

    /// Begins a transaction that reads, and sees the database to its end as it is at its first look.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn read_one_moment(&self) -> Result<Tx, StoreError> {
        let timer = Timer::new("read");
        let open = match self {
            Self::Sqlite { readers, .. } => Open::Sqlite(readers.begin().await?),
            Self::Postgres(pool) => Open::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            ),
        };
        Ok(Tx::new(open, timer))
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        let timer = Timer::new("write");
        let open = match self {
            Self::Sqlite { writer, .. } => Open::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Open::Postgres(pool.begin().await?),
        };
        Ok(Tx::new(open, timer))
    }

    /// Whether other processes may work on the same database.
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// The newest migration that this version of the bridge knows.
pub(super) fn newest_version() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// Refuses a PostgreSQL server that takes no writes, or answers before it has stored (DESIGN 7).
pub(super) async fn check_server(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<(), StoreError> {
    let setting = async |connection: &mut PgConnection, name: &'static str| {
        sqlx::query_as::<_, (String,)>(name)
            .fetch_one(connection)
            .await
            .map(|(value,)| value)
    };
    if setting(connection, "SHOW transaction_read_only").await? == "on" {
        return Err(StoreError::ReadOnly {
            address: address(options),
        });
    }
    if setting(connection, "SHOW synchronous_commit").await? == "off" {
        return Err(StoreError::Forgetful);
    }
    Ok(())
}

/// Where a PostgreSQL server is, without what must not be shown.
pub(super) fn address(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    format!("{host}:{port}/{}", options.get_database().unwrap_or_default())
}

impl Tx {
    fn new(open: Open, timer: Timer) -> Self {
        Self {
            open,
            news: News::new(),
            _timer: timer,
        }
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When the database cannot be reached, or refuses; then nothing was written.
    pub async fn commit(self) -> Result<(), StoreError> {
        let commit = async {
            match self.open {
                Open::Sqlite(tx) => tx.commit().await,
                Open::Postgres(tx) => tx.commit().await,
            }
        };
        telemetry::Step::part("commit").run(commit).await?;
        self.news.tell();
        Ok(())
    }
}
