//! `account`: the Gitter accounts of the running bridge, through its admin API.

use std::path::Path;

use clap::{Subcommand, builder::NonEmptyStringValueParser};
use reqwest::Method;
use serde::Deserialize;

use super::{
    Exit,
    admin::{AdminClient, Answer},
    answer::tell,
    output,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the Gitter accounts, and why one sends nothing
    #[command(after_help = "Example:\n  gitter-matrix-bridge account list")]
    List {
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
    /// Let an account send again that was paused for a silent ban
    #[command(
        after_help = "Ask the Gitter server's operator to lift the ban first. Then retry what has failed meanwhile \
        (`item retry`), and after that resume: so all goes out in its order.\n\nExample:\n  gitter-matrix-bridge account resume bridge_bot"
    )]
    Resume {
        /// The account's user name or id on Gitter
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        account: String,
        /// Print the answer of the admin API as it is
        #[arg(long)]
        json: bool,
    },
}

/// An account, as the API shows it.
#[derive(Debug, Deserialize)]
struct Account {
    user_id: String,
    username: String,
    state: String,
    since: Option<String>,
    reason: Option<String>,
    mend: Option<String>,
}

/// The answer to `GET accounts`.
#[derive(Debug, Deserialize)]
struct Accounts {
    accounts: Vec<Account>,
}

pub(super) async fn run(file: &Path, command: Command) -> anyhow::Result<Exit> {
    let client = AdminClient::new(&Config::load(file)?)?;
    match command {
        Command::List { json } => {
            let answer = client.send(Method::GET, &["accounts"], None).await?;
            tell(&answer, json, tell_list)
        }
        Command::Resume { account, json } => {
            let path = ["accounts", &account, "resume"];
            let answer = client.send(Method::POST, &path, None).await?;
            tell(&answer, json, |answer| {
                let Account { username, .. } = answer.read()?;
                output::line(format_args!("{username} sends again."))?;
                Ok(Exit::Done)
            })
        }
    }
}

fn tell_list(answer: &Answer) -> anyhow::Result<Exit> {
    let Accounts { accounts } = answer.read()?;
    let rows = accounts.into_iter().map(|account| {
        let text = |text: Option<String>| text.unwrap_or_default();
        [
            account.username,
            account.user_id,
            account.state,
            text(account.since),
            text(account.reason),
            text(account.mend),
        ]
    });
    let header = ["ACCOUNT", "ID", "STATE", "SINCE", "REASON", "MEND"];
    output::line(output::table(header, rows))?;
    Ok(Exit::Done)
}
