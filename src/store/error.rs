//! What can go wrong with the database.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

/// An error of the database. Everything but [`StoreError::Database`] needs a person.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused, or could not be reached.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The file of a SQLite database cannot be written.
    #[error("{path} cannot be written; check data_dir and its rights", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The PostgreSQL server cannot be reached, or refuses the bridge.
    #[error("PostgreSQL at {address} does not let the bridge in; check that it runs, and name and password")]
    Refused {
        /// Its host and port, and the database.
        address: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The PostgreSQL server takes no writes.
    #[error(
        "PostgreSQL at {address} takes no writes: it is a standby, or default_transaction_read_only is set; name the primary"
    )]
    ReadOnly {
        /// Its host and port, and the database.
        address: String,
    },
    /// The PostgreSQL server answers before it has stored.
    #[error(
        "PostgreSQL is set to synchronous_commit = off: messages would be lost in a crash; set it to on for the \
         bridge's user (ALTER ROLE ... SET synchronous_commit = on)"
    )]
    Forgetful,
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date: {0}")]
    Migrate(#[source] MigrateError),
    /// A newer version of the bridge made this database.
    #[error(
        "the database has schema version {version}, which this version of the bridge does not know; \
         start the newer version that made it, or restore a backup from before the upgrade"
    )]
    Newer {
        /// The version found.
        version: i64,
    },
    /// The database was made for another homeserver.
    #[error(
        "the database was made for the homeserver {made_for}, but homeserver.server_name is {configured}; \
         set database.url to another database, or correct homeserver.server_name"
    )]
    OtherServer {
        /// The server name in the database.
        made_for: String,
        /// The server name in the configuration.
        configured: String,
    },
    /// A stored value that no version of the bridge writes.
    #[error("the database holds {value:?} in {table}.{column}, which is not valid there")]
    Row {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
    },
}

impl StoreError {
    /// Whether something else already has what was to be unique.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}

/// Parses a column's text, or says which column is wrong.
pub(super) fn column<T: std::str::FromStr>(
    table: &'static str,
    column: &'static str,
    value: String,
) -> Result<T, StoreError> {
    value
        .parse()
        .map_err(|_| StoreError::Row { table, column, value })
}

/// Declares an enum that is stored as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The word in tables, logs and answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }
    };
}

pub(super) use words;

impl StoreError {
    /// Whether the database is away, or just starting or ending: it may be there in a moment.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(source) | Self::Refused { source, .. } => is_away(source),
            Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
                is_away(source)
            }
            _ => false,
        }
    }
}

/// Whether nobody answers, or PostgreSQL says that it starts, ends or is full (its classes 57P and 53).
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("53")),
        _ => false,
    }
}
