//! Which database: a file beside the bridge, or a server.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::Url;

use super::{
    document::Node,
    section::{Folders, Refusal},
    value::{join, scalar},
};

/// Where the bridge keeps its state.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server; the URL may hold a password.
    Postgres(SecretString),
}

impl DatabaseUrl {
    /// Reads `sqlite:<file in data_dir>` or `postgres://user:password@host/name`.
    ///
    /// # Errors
    /// What it has to be; the text itself, which may hold a password, is not told.
    pub fn parse(text: &str, data_dir: &Path) -> Result<Self, &'static str> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let file = rest.strip_prefix("//").unwrap_or(rest);
            return match file {
                "" => Err("must name a file, such as `sqlite:bridge.db`"),
                ":memory:" => Err("must name a file: what is only in memory is lost when the bridge stops"),
                _ if file.contains('?') => Err("must not hold `?`: the bridge sets SQLite's options itself"),
                _ => Ok(Self::Sqlite(join(data_dir, file))),
            };
        }
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") && !url.cannot_be_a_base() => {
                Ok(Self::Postgres(text.to_owned().into()))
            }
            _ => Err("must be `sqlite:<file>` or `postgres://user:password@host/name`"),
        }
    }
}

/// Reads the key.
pub(super) fn database_url(node: &Node, folders: &Folders) -> Result<DatabaseUrl, Refusal> {
    Ok(DatabaseUrl::parse(scalar(node)?, &folders.data)?)
}
