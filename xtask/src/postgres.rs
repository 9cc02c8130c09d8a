//! A private PostgreSQL for tests and the demo: real, empty, on loopback, gone afterwards.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    packages, ports,
    process::{self, Process, Signal},
    progress::step,
};

/// The variable that names a database server for tests; where it is set, none is started.
pub const VARIABLE: &str = "DATABASE_URL";

/// How long it may take to start.
const START_LIMIT: Duration = Duration::from_mins(1);

/// What makes it quick without making it untrue: what is committed is still written when the answer
/// comes (`synchronous_commit` and `fsync` stay on).
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=200",
    "shared_buffers=128MB",
    "full_page_writes=off",
];

/// A database server. Dropping it ends it and removes its data.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    server: Option<Server>,
}

#[derive(Debug)]
struct Server {
    /// `None` only while it is restarted.
    process: Option<Process>,
    start: Start,
    folder: TempDir,
}

/// How it is started, each time on the same port.
#[derive(Debug)]
struct Start {
    account: Account,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Takes the server that `DATABASE_URL` names, or starts one.
    ///
    /// # Errors
    /// When PostgreSQL is missing and cannot be installed (the error names the package), or does not start
    /// (with the end of its log).
    pub async fn find_or_start() -> Result<Self> {
        if let Ok(url) = std::env::var(VARIABLE) {
            return Ok(Self { url, server: None });
        }
        Self::start().await
    }

    /// Starts one, whatever `DATABASE_URL` names.
    ///
    /// # Errors
    /// When PostgreSQL is missing and cannot be installed (the error names the package), or does not start
    /// (with the end of its log).
    pub async fn start() -> Result<Self> {
        if find_programs().is_none() {
            packages::install("postgresql").await?;
        }
        let programs = find_programs().context("no initdb beside PostgreSQL's other programs")?;
        step("Start PostgreSQL", Self::launch(&programs)).await
    }

    /// Its address, with a database in it: to use, or to connect to and make others.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it, if it was started here, and removes its data.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        match self.server {
            // PostgreSQL's "fast" shutdown: it does not wait for clients to go.
            Some(Server {
                process: Some(process),
                ..
            }) => process.stop_by(Signal::INT).await,
            _ => Ok(()),
        }
    }

    /// Ends it as a crash would, if it was started here, and starts it again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn crash_and_restart(&mut self) -> Result<()> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        if let Some(process) = server.process.take() {
            // PostgreSQL's "immediate" shutdown: nothing is finished, and the next start recovers.
            process.stop_by(Signal::QUIT).await?;
        }
        server.process = Some(server.start.run(server.folder.path()).await?);
        Ok(())
    }

    async fn launch(programs: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("gitter-bridge-postgres-")
            .tempdir()?;
        let account = Account::choose(folder.path()).await?;
        let data = folder.path().join("data");
        packages::run(
            account
                .command(&programs.join("initdb"))
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
                .args(["--locale=C.UTF-8", "--no-sync", "--pgdata"])
                .arg(&data),
        )
        .await?;
        let start = Start {
            account,
            programs: programs.to_owned(),
            port: ports::free()?,
        };
        let process = Some(start.run(folder.path()).await?);
        Ok(Self {
            url: format!("postgres://postgres@127.0.0.1:{}/postgres", start.port),
            server: Some(Server {
                process,
                start,
                folder,
            }),
        })
    }
}

impl Start {
    /// Starts it on the data in a folder, and waits until it is ready.
    async fn run(&self, folder: &Path) -> Result<Process> {
        let data = folder.join("data");
        let port = self.port;
        let mut command = self.account.command(&self.programs.join("postgres"));
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let log = folder.join("postgres.log");
        let mut process = Process::start("PostgreSQL", &mut command, &log)?;
        let pid_file = data.join("postmaster.pid");
        process
            .ready(START_LIMIT, async || {
                // The last line says so; `pg_ctl` waits for it too.
                let state = std::fs::read_to_string(&pid_file)?;
                Ok(state.lines().last().map(str::trim) == Some("ready"))
            })
            .await?;
        Ok(process)
    }
}

/// The folder of the server's programs, which Debian keeps off the path.
fn find_programs() -> Option<PathBuf> {
    if let Some(initdb) = packages::find("initdb") {
        return initdb.parent().map(Path::to_owned);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").is_file())
        .max()
}

/// Who runs the server: PostgreSQL refuses to be root.
#[derive(Debug)]
enum Account {
    Own,
    Other { user: String, group: String },
}

impl Account {
    /// Chooses, and gives that account the folder.
    async fn choose(folder: &Path) -> Result<Self> {
        if !packages::is_root() {
            return Ok(Self::Own);
        }
        let ids = match ids_of("postgres").await {
            Ok(ids) => ids,
            Err(_) => ids_of("nobody").await?,
        };
        let (user, group) = ids;
        std::os::unix::fs::chown(folder, Some(user.parse()?), Some(group.parse()?))
            .with_context(|| format!("giving {} to another user", folder.display()))?;
        Ok(Self::Other { user, group })
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Own => process::command(program),
            Self::Other { user, group } => process::command_as(user, group, program),
        }
    }
}

/// The numbers of a user and of its group.
async fn ids_of(user: &str) -> Result<(String, String)> {
    let number = async |option: &str| -> Result<String> {
        let printed = packages::output(Command::new("id").args([option, user])).await?;
        Ok(printed.trim().to_owned())
    };
    Ok((number("-u").await?, number("-g").await?))
}
