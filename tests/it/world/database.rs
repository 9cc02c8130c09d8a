//! The two databases: every scenario runs on both.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, PgPool, SqlitePool, sqlite::SqliteConnectOptions};
use url::Url;
use xtask::postgres::VARIABLE;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// PostgreSQL, unless there is none; then it says so.
    pub(crate) fn postgres() -> Option<Self> {
        if std::env::var_os(VARIABLE).is_some() {
            return Some(Self::Postgres);
        }
        eprintln!("PostgreSQL skipped: {VARIABLE} is not set; `cargo xtask test` sets it");
        None
    }
}

/// Makes a test on each database of every scenario, which is a function of a [`Database`].
macro_rules! on_both_databases {
    ($($scenario:ident),+ $(,)?) => {
        $(mod $scenario {
            use crate::world::database::Database;

            #[tokio::test]
            async fn on_sqlite() {
                super::$scenario(Database::Sqlite).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                if let Some(postgres) = Database::postgres() {
                    super::$scenario(postgres).await;
                }
            }
        })+
    };
}

pub(crate) use on_both_databases;

/// A database of a test's own.
#[derive(Debug)]
pub(crate) enum TestDatabase {
    /// A file, which goes with its folder.
    Sqlite(PathBuf),
    /// A database on the server of `DATABASE_URL`.
    Postgres { server: String, name: String },
}

impl TestDatabase {
    /// Makes it, on the server given or that of `DATABASE_URL`; on SQLite only its place, in the folder.
    pub(crate) async fn make(database: Database, server: Option<String>, folder: &Path) -> Self {
        if database == Database::Sqlite {
            return Self::Sqlite(folder.join("bridge.db"));
        }
        let server = server.unwrap_or_else(|| std::env::var(VARIABLE).unwrap());
        let name = format!("it_{:016x}", rand::random::<u64>());
        let pool = PgPool::connect(&server).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
        Self::Postgres { server, name }
    }

    /// What `database.url` has to be.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite:{}", file.display()),
            Self::Postgres { server, name } => {
                let mut url: Url = server.parse().unwrap();
                url.set_path(name);
                url.into()
            }
        }
    }

    /// The number that a query with one parameter gives, straight from the database of the running bridge.
    pub(crate) async fn number(&self, query: &'static str, parameter: &str) -> i64 {
        match self {
            Self::Sqlite(file) => {
                let options = SqliteConnectOptions::new().filename(file).read_only(true);
                let pool = SqlitePool::connect_with(options).await.unwrap();
                let number = sqlx::query_scalar(query)
                    .bind(parameter)
                    .fetch_one(&pool)
                    .await
                    .unwrap();
                pool.close().await;
                number
            }
            Self::Postgres { .. } => {
                let pool = PgPool::connect(&self.url()).await.unwrap();
                let number = sqlx::query_scalar(query)
                    .bind(parameter)
                    .fetch_one(&pool)
                    .await
                    .unwrap();
                pool.close().await;
                number
            }
        }
    }

    /// Changes the database behind the back of the bridge, which has to be stopped.
    pub(crate) async fn change(&self, statement: &'static str) {
        match self {
            Self::Sqlite(file) => {
                let options = SqliteConnectOptions::new().filename(file);
                let pool = SqlitePool::connect_with(options).await.unwrap();
                sqlx::query(statement).execute(&pool).await.unwrap();
                pool.close().await;
            }
            Self::Postgres { .. } => {
                let pool = PgPool::connect(&self.url()).await.unwrap();
                sqlx::query(statement).execute(&pool).await.unwrap();
                pool.close().await;
            }
        }
    }

    /// Makes a copy of the database; the bridge has to be stopped.
    pub(crate) async fn back_up(&self) {
        match self {
            Self::Sqlite(file) => drop(std::fs::copy(file, file.with_extension("backup")).unwrap()),
            Self::Postgres { server, name } => {
                on_server(server, format!("CREATE DATABASE {name}_backup TEMPLATE {name}")).await;
            }
        }
    }

    /// Puts the copy in place of the database; the bridge has to be stopped.
    pub(crate) async fn restore(&self) {
        match self {
            Self::Sqlite(file) => {
                for part in ["db-wal", "db-shm"] {
                    std::fs::remove_file(file.with_extension(part)).ok();
                }
                std::fs::copy(file.with_extension("backup"), file).unwrap();
            }
            Self::Postgres { server, name } => {
                on_server(server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
                on_server(server, format!("ALTER DATABASE {name}_backup RENAME TO {name}")).await;
            }
        }
    }

    /// Removes what would outlive the test's folder.
    pub(crate) async fn remove(&self) {
        if let Self::Postgres { server, name } = self {
            let pool = PgPool::connect(server).await.unwrap();
            sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
                .execute(&pool)
                .await
                .unwrap();
            pool.close().await;
        }
    }
}

async fn on_server(server: &str, statement: String) {
    let pool = PgPool::connect(server).await.unwrap();
    sqlx::query(AssertSqlSafe(statement))
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}
