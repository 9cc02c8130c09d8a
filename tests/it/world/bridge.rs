//! The bridge as operators run it: a folder with its configuration, and a process that can be killed.

use std::path::{Path, PathBuf};

use gitter_matrix_bridge::config::Config;
use serde_json::Value;
use tokio::process::Command;
use url::Url;
use xtask::process::{self, Process};

use super::{admin::Admin, until};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gitter-matrix-bridge");

/// How many lines of the log are shown when a test fails.
const SHOWN_LINES: usize = 60;

/// A bridge; it ends when this is dropped.
pub(crate) struct Bridge {
    folder: PathBuf,
    appservice: Url,
    admin: Admin,
    process: Option<Process>,
}

/// How a program ended that was not meant to run on.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) complaint: String,
}

impl Bridge {
    /// Writes the configuration; the registration has to be written before it is started.
    pub(crate) fn prepare(folder: &Path, config: &Value) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        // JSON is YAML, too.
        std::fs::write(folder.join("config.yaml"), config.to_string()).unwrap();
        let config = Config::load(&folder.join("config.yaml")).unwrap();
        Self {
            folder: folder.to_owned(),
            appservice: config.appservice.url_for_homeserver().parse().unwrap(),
            admin: Admin::of(&config.admin),
            process: None,
        }
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder.join("config.yaml")
    }

    /// The configuration, as the bridge reads it.
    pub(crate) fn config(&self) -> Config {
        Config::load(&self.config_file()).unwrap()
    }

    /// Where the homeserver reaches it.
    pub(crate) fn appservice(&self) -> &Url {
        &self.appservice
    }

    pub(crate) fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        self.launch();
        self.wait_until_ready().await;
    }

    /// Waits until it is ready.
    pub(crate) async fn wait_until_ready(&mut self) {
        until("the bridge to be ready", async || {
            if let Err(error) = self.process.as_mut().unwrap().check() {
                panic!("{error:#}");
            }
            self.admin.is_ready().await.map(|ready| ready.then_some(()))
        })
        .await;
    }

    /// Starts it on a database that was restored, and waits until it is ready.
    pub(crate) async fn start_restored(&mut self) {
        self.launch_with(&["--restored"]);
        self.wait_until_ready().await;
    }

    /// Starts it and does not wait.
    pub(crate) fn launch(&mut self) {
        self.launch_with(&[]);
    }

    /// Starts it so that it dies at a kill point, or goes without something it relies on, as `FAILPOINTS` says.
    #[cfg(feature = "kill-points")]
    pub(crate) fn launch_to_fail(&mut self, failpoints: &str) {
        let mut command = process::command(PROGRAM);
        command.env("FAILPOINTS", failpoints);
        self.launch_by(command, &[]);
    }

    /// Waits until it has died by itself.
    #[cfg(feature = "kill-points")]
    pub(crate) async fn dies(&mut self, point: &str) {
        until(&format!("the bridge to die at {point}"), async || {
            Ok(self.process.as_mut().unwrap().check().is_err().then_some(()))
        })
        .await;
        self.process = None;
    }

    fn launch_with(&mut self, arguments: &[&str]) {
        self.launch_by(process::command(PROGRAM), arguments);
    }

    fn launch_by(&mut self, mut command: Command, arguments: &[&str]) {
        command
            .arg("-c")
            .arg(self.config_file())
            .arg("serve")
            .args(arguments);
        let process = Process::start("The bridge", &mut command, &self.log()).unwrap();
        self.process = Some(process);
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(&mut self) {
        self.process.take().unwrap().kill().await.unwrap();
    }

    /// Stops it as a service manager would; nothing if it does not run.
    pub(crate) async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await.unwrap();
        }
    }

    /// Runs `serve` with a configuration that it has to refuse.
    pub(crate) async fn serve_in_vain(config_file: &Path) -> Ended {
        let mut command = process::command(PROGRAM);
        command.arg("-c").arg(config_file).arg("serve").kill_on_drop(true);
        let output = command.output().await.unwrap();
        Ended {
            code: output.status.code(),
            complaint: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("bridge.log")
    }

    /// All that it logged, in all its lives.
    pub(crate) fn whole_log(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// What it logged last.
    pub(crate) fn end_of_log(&self) -> String {
        let log = self.whole_log();
        let skipped = log.lines().count().saturating_sub(SHOWN_LINES);
        let lines: Vec<&str> = log.lines().skip(skipped).collect();
        format!("The bridge logged last:\n{}", lines.join("\n"))
    }
}
