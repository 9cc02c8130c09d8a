//! `database`: copies the bridge's database, from SQLite to PostgreSQL and back.

use std::path::Path;

use anyhow::{Context as _, bail};
use clap::{Subcommand, builder::NonEmptyStringValueParser};
use jiff::Timestamp;
use serde_json::json;

use super::{Exit, UsageError, admin, output};
use crate::{
    app,
    config::{Config, DatabaseUrl},
    store::{
        Db,
        copy::{self, Copied},
        probe::{self, Found},
    },
};

/// Stands for `database.url`.
const OF_CONFIG: &str = "config";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Copy everything into an empty database, and count that all of it arrived
    #[command(
        after_help = "Stop the bridge first. Afterwards set database.url to the new database and start it again; the old \
            one is not changed, and is out of date from then on.\n\n\
            What is in a command can be seen by others on the machine: rather than a password, write `config` for the \
            database of the configuration, which may come from the environment, or let PGPASSWORD or ~/.pgpass tell it.\n\n\
            Examples:\n  \
            gitter-matrix-bridge database copy sqlite:bridge.db postgres://bridge@localhost/bridge\n  \
            GITTER_BRIDGE__DATABASE__URL=postgres://bridge:...@localhost/bridge \\\n    \
            gitter-matrix-bridge database copy sqlite:bridge.db config"
    )]
    Copy {
        /// `sqlite:<file in data_dir>`, `postgres://user@host/name`, or `config`
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        from: String,
        /// The same; nothing may be in it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        to: String,
        /// Print what was copied as JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(file: &Path, command: Command) -> anyhow::Result<Exit> {
    let Command::Copy { from, to, json } = command;
    let config = Config::load(file)?;
    let (from, to) = (url(&config, &from)?, url(&config, &to)?);
    if admin::ready(&config).await.is_ok() {
        bail!(
            "the bridge runs at {} (admin.listen); stop it first, and start it on the new database",
            config.admin.listen
        );
    }
    let is_file = |url: &DatabaseUrl| matches!(url, DatabaseUrl::Sqlite(_));
    let _lock = if is_file(&from) || is_file(&to) {
        Some(app::lock(&config.data_dir)?)
    } else {
        None
    };
    let (from, to) = (source(&config, &from).await?, target(&to).await?);
    let done = |table: &Copied| {
        if !json {
            // Where nobody reads any more, the copying goes on.
            output::line(format_args!("{:>9}  {}", table.rows, table.table)).ok();
        }
    };
    let copied = copy::copy(&from, &to, Timestamp::now().as_millisecond(), done).await;
    from.close().await;
    to.close().await;
    let copied = copied.context("nothing was copied")?;
    let rows: i64 = copied.iter().map(|table| table.rows).sum();
    if json {
        output::line(json!({ "tables": copied, "rows": rows }))?;
    } else {
        output::line(format_args!(
            "\nCopied {rows} rows, and counted as many in the new database. Set database.url to it before the bridge starts."
        ))?;
    }
    Ok(Exit::Done)
}

fn url(config: &Config, text: &str) -> anyhow::Result<DatabaseUrl> {
    if text == OF_CONFIG {
        return Ok(config.database.url.clone());
    }
    DatabaseUrl::parse(text, &config.data_dir).map_err(|_| {
        UsageError("a database is `sqlite:<file>`, `postgres://user@host/name`, or `config` for database.url")
            .into()
    })
}

/// The database to copy from, which must be as this version makes it.
async fn source(config: &Config, url: &DatabaseUrl) -> anyhow::Result<Db> {
    let found = probe::look(url, &config.homeserver.server_name).await;
    match found.context("the database to copy from cannot be used")? {
        Found::Nothing => {
            bail!("there is nothing of the bridge's in the database to copy from; check its name")
        }
        Found::Schema { is_newest: false, .. } => bail!(
            "the database to copy from was made by an older version of the bridge; start this version on it once, then \
             stop it and copy"
        ),
        Found::Schema { .. } => Ok(Db::open(url).await?),
    }
}

async fn target(url: &DatabaseUrl) -> anyhow::Result<Db> {
    let opened = Db::open(url).await;
    opened.context(
        "the database to copy to cannot be used; make it first, empty, with a user who may make tables",
    )
}
