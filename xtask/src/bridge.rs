//! The bridge itself, run as an operator runs it: a config file, a registration made by its own command,
//! and `serve`.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use reqwest::Client;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

use crate::{
    http, packages, ports,
    process::{self, Process},
    sandbox::Addresses,
    synapse::SERVER_NAME,
};

/// The bot of a registration with default names, on [`SERVER_NAME`].
pub const BOT: &str = "@gitterbot:localhost";

/// How long it may take to start.
const START_LIMIT: Duration = Duration::from_mins(1);

/// The bridge and its data. Dropping it ends it; its folder is the caller's.
#[derive(Debug)]
pub struct Bridge {
    http: Client,
    binary: PathBuf,
    folder: PathBuf,
    admin: Url,
    /// Variables of its environment: what a test wants otherwise than in the file.
    settings: Vec<(String, String)>,
    process: Option<Process>,
}

impl Bridge {
    /// Writes the configuration, with the default database, and has the bridge write its registration.
    ///
    /// # Errors
    /// When a file cannot be written, or the bridge refuses the configuration.
    pub async fn prepare(binary: &Path, folder: &Path, homeserver: &Url, gitter: &Addresses) -> Result<Self> {
        Self::prepare_on(binary, folder, homeserver, gitter, None).await
    }

    /// Like [`Bridge::prepare`], with the database that the URL names, where there is one.
    ///
    /// # Errors
    /// When a file cannot be written, or the bridge refuses the configuration.
    pub async fn prepare_on(
        binary: &Path,
        folder: &Path,
        homeserver: &Url,
        gitter: &Addresses,
        database: Option<&str>,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let admin = format!("127.0.0.1:{}", ports::free()?);
        let mut config = config(
            homeserver,
            gitter,
            &format!("127.0.0.1:{}", ports::free()?),
            &admin,
        );
        if let Some(url) = database {
            writeln!(config, "database: {{ url: \"{url}\" }}")?;
        }
        let bridge = Self {
            http: http::client()?,
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            admin: format!("http://{admin}/").parse()?,
            settings: Vec::new(),
            process: None,
        };
        save(&bridge.config(), &config)?;
        save(&folder.join("gitter.token"), gitter.token.expose_secret())?;
        bridge.command(&["registration"]).await?;
        Ok(bridge)
    }

    /// Sets a key of its configuration, such as `MEDIA__MAX_BYTES`, from its next start on.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.settings
            .push((format!("GITTER_BRIDGE__{key}"), value.into()));
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.yaml")
    }

    /// Its registration file, which the homeserver needs.
    pub fn registration(&self) -> PathBuf {
        self.folder.join("registration.yaml")
    }

    /// Where it logs.
    pub fn log(&self) -> PathBuf {
        self.folder.join("bridge.log")
    }

    /// The address of its admin listener.
    pub const fn admin(&self) -> &Url {
        &self.admin
    }

    /// Starts `serve` and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or does not become ready; with the end of its log.
    pub async fn start(&mut self) -> Result<()> {
        let mut command = process::command(&self.binary);
        command
            .arg("-c")
            .arg(self.config())
            .arg("serve")
            .envs(self.settings.iter().map(|(key, value)| (key, value)));
        let process = Process::start("The bridge", &mut command, &self.log())?;
        let ready = self.admin.join("ready")?;
        self.process
            .insert(process)
            .ready(START_LIMIT, async || {
                let answer = self.http.get(ready.clone()).send().await?;
                Ok(answer.status().is_success())
            })
            .await
    }

    /// Stops it as `systemctl stop` would.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.stop().await,
            None => Ok(()),
        }
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Links a Gitter room and a Matrix room.
    ///
    /// # Errors
    /// When the bridge refuses, with what it said.
    pub async fn link(&self, gitter_uri: &str, matrix_room: &str) -> Result<()> {
        self.command(&["room", "link", gitter_uri, matrix_room])
            .await
            .map(drop)
    }

    /// What `room list --json` prints.
    ///
    /// # Errors
    /// When the bridge cannot be reached, or prints something else.
    pub async fn rooms(&self) -> Result<Value> {
        let printed = self.command(&["room", "list", "--json"]).await?;
        serde_json::from_str(&printed).with_context(|| format!("room list printed no JSON: {printed}"))
    }

    /// Runs one of its commands and gives what it printed on stdout.
    ///
    /// # Errors
    /// When it fails, with what it printed.
    pub async fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = process::command(&self.binary);
        command.arg("-c").arg(self.config()).args(arguments);
        packages::output(&mut command).await
    }
}

/// The sandbox is its own host of files.
pub fn files_host(gitter: &Addresses) -> &str {
    let host = gitter.web_url.split("//").nth(1).unwrap_or_default();
    host.trim_end_matches('/')
}

fn config(homeserver: &Url, gitter: &Addresses, listen: &str, admin: &str) -> String {
    let Addresses {
        api_url,
        realtime_url,
        web_url,
        ..
    } = gitter;
    let files_host = files_host(gitter);
    format!(
        "homeserver: {{ url: \"{homeserver}\", server_name: {SERVER_NAME} }}\n\
         appservice: {{ listen: \"{listen}\", public_url: \"http://{listen}\" }}\n\
         gitter:\n  \
           api_url: {api_url}\n  \
           realtime_url: {realtime_url}\n  \
           web_url: {web_url}\n  \
           token_file: gitter.token\n  \
           files_hosts: [\"{files_host}\"]\n\
         admin: {{ listen: \"{admin}\" }}\n"
    )
}

fn save(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
