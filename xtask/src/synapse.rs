//! A real homeserver: Synapse as pip installs it, on SQLite, reachable only on loopback and talking to nobody.

mod config;
mod install;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use reqwest::Client;
use serde_json::json;
use url::Url;

pub use self::install::{Installation, install};
use crate::{
    http,
    matrix::MatrixUser,
    ports,
    process::{self, Process},
};

/// The name that all users and rooms of such a homeserver have.
pub const SERVER_NAME: &str = "localhost";

/// How long it may take to start. It needs 2 to 4 seconds on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(90);

/// A homeserver with its data. Dropping it ends it; its folder is the caller's.
#[derive(Debug)]
pub struct Synapse {
    http: Client,
    python: PathBuf,
    folder: PathBuf,
    url: Url,
    process: Option<Process>,
}

impl Synapse {
    /// Chooses a port and a place for the data, which makes the address known before the homeserver runs:
    /// an application service must be configured with it, and the homeserver with the application service.
    ///
    /// # Errors
    /// When the folder cannot be written or no port is free.
    pub fn prepare(installation: &Installation, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let url = format!("http://127.0.0.1:{}", ports::free()?);
        Ok(Self {
            http: http::client()?,
            python: installation.python().to_owned(),
            folder: folder.to_owned(),
            url: url.parse().context("the homeserver's address")?,
            process: None,
        })
    }

    /// The address of the client-server API.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Where the homeserver logs.
    pub fn log(&self) -> PathBuf {
        self.folder.join("synapse.log")
    }

    /// Writes the configuration, with the application service's registration file, and starts it.
    ///
    /// # Errors
    /// When a file cannot be written, or it does not become ready; with the end of its log.
    pub async fn start(&mut self, registration: &Path) -> Result<()> {
        config::write(&self.folder, &self.url, registration)?;
        self.launch().await
    }

    /// Stops it gracefully.
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

    /// Starts it again, at the same address and with the same data.
    ///
    /// # Errors
    /// When it does not become ready; with the end of its log.
    pub async fn launch(&mut self) -> Result<()> {
        let mut command = process::command(&self.python);
        command
            .args(["-m", "synapse.app.homeserver", "--config-path"])
            .arg(config::path(&self.folder))
            .current_dir(&self.folder);
        let process = Process::start("Synapse", &mut command, &self.log())?;
        let versions = self.url.join("_matrix/client/versions")?;
        self.process
            .insert(process)
            .ready(START_LIMIT, async || {
                http::json(self.http.get(versions.clone())).await?;
                Ok(true)
            })
            .await
    }

    /// Registers a person, with the name that others see.
    ///
    /// # Errors
    /// When the homeserver refuses.
    pub async fn register(&self, localpart: &str, display_name: &str) -> Result<MatrixUser> {
        let body = json!({
            "username": localpart,
            "password": password_of(localpart),
            "auth": { "type": "m.login.dummy" },
        });
        let url = self.url.join("_matrix/client/v3/register")?;
        let session = http::json(self.http.post(url).json(&body)).await?;
        let user = MatrixUser::new(self.http.clone(), &self.url, &session)?;
        user.set_display_name(display_name).await?;
        Ok(user)
    }
}

/// The password that [`Synapse::register`] gives somebody.
pub fn password_of(localpart: &str) -> String {
    format!("{localpart}-of-the-demo")
}
