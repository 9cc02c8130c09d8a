//! The world of a test: a homeserver, a Gitter server, the real program between them, and linked rooms.
//!
//! Both servers are fakes in this process; the bridge is the built binary, so it can be killed like one. What a
//! test says on one side is what has to be on the other: [`World::crossed`] compares the rooms, and
//! [`World::finish`] does so once more after everything is settled.

pub(crate) mod admin;
pub(crate) mod bridge;
pub(crate) mod database;
pub(crate) mod faults;
mod ledger;
mod rooms;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use gitter_matrix_bridge::registration::Registration;
use gitter_sandbox::{Control, Sandbox};
use ruma::OwnedUserId;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;
use xtask::{ports, wait};

pub(crate) use self::rooms::{Room, id_of};
use self::{
    admin::Admin,
    bridge::Bridge,
    database::{Database, TestDatabase},
};
use crate::homeserver::{FakeHomeserver, Settings};

/// How long anything may take. The longest that anything does is a budget of Gitter's, which is a minute; the
/// rest is for machines that are busy with other tests.
const LIMIT: Duration = Duration::from_mins(4);

/// What differs between the worlds of tests.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Whether the homeserver knows devices of application services.
    pub(crate) devices: bool,
    /// Whether the bridge's token may use virtual users.
    pub(crate) virtual_users: bool,
    /// Requests in a window that Gitter allows; 0 for any number.
    pub(crate) rate_limit: u32,
    /// How long such a window is; Gitter's is a minute.
    pub(crate) rate_window: Duration,
    /// The PostgreSQL server, where it is not that of `DATABASE_URL`.
    pub(crate) database_server: Option<String>,
    /// Where SQLite's file is to be, if not beside all else.
    pub(crate) database_folder: Option<PathBuf>,
    /// Whether the token is in a file, [`World::token_file`].
    pub(crate) token_file: bool,
    /// `bridge.give_up_after`.
    pub(crate) give_up_after: &'static str,
    /// `bridge.permissions`.
    pub(crate) permissions: Value,
    /// `bridge.flood_limit`.
    pub(crate) flood_limit: u32,
    /// `bridge.membership`.
    pub(crate) membership: &'static str,
    /// `bridge.privacy_check`; rooms are looked at five times in it.
    pub(crate) privacy_check: &'static str,
    /// Other sections, whole: each takes the place of the usual one.
    pub(crate) other_sections: Value,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            devices: true,
            virtual_users: true,
            rate_limit: 0,
            rate_window: Duration::from_mins(1),
            database_server: None,
            database_folder: None,
            token_file: false,
            give_up_after: "24h",
            permissions: Value::Null,
            flood_limit: 60,
            membership: "lazy",
            privacy_check: "5m",
            other_sections: Value::Null,
        }
    }
}

impl Options {
    /// Puts the sections that they say into a configuration.
    fn put_into(&self, config: &mut Value) {
        config["bridge"] = self.bridge_section();
        for (name, section) in self.other_sections.as_object().into_iter().flatten() {
            config[name] = section.clone();
        }
    }

    fn bridge_section(&self) -> Value {
        json!({
            "give_up_after": self.give_up_after,
            "permissions": self.permissions,
            "flood_limit": self.flood_limit,
            "membership": self.membership,
            "privacy_check": self.privacy_check,
        })
    }
}

/// Everything that runs for one test.
pub(crate) struct World {
    pub(crate) homeserver: FakeHomeserver,
    pub(crate) gitter: Control,
    pub(crate) bridge: Bridge,
    pub(crate) database: TestDatabase,
    pub(crate) registration: Registration,
    /// A Matrix user, who makes the Matrix rooms.
    pub(crate) ana: OwnedUserId,
    sandbox: Sandbox,
    gitter_token: String,
    rooms: Vec<Room>,
    /// `None` once the test is over and nothing of it is worth keeping.
    folder: Option<TempDir>,
}

impl World {
    /// Starts everything; no room is linked yet.
    pub(crate) async fn start(database: Database) -> Self {
        Self::with(database, Options::default()).await
    }

    /// Starts everything, with options.
    pub(crate) async fn with(database: Database, options: Options) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("gitter-bridge-it-")
            .tempdir()
            .unwrap();
        let place = options.database_folder.as_deref().unwrap_or(folder.path());
        let database = TestDatabase::make(database, options.database_server.clone(), place).await;
        let sandbox = Sandbox::start(gitter_sandbox::Settings {
            rate_limit: options.rate_limit,
            rate_window: options.rate_window,
            ..gitter_sandbox::Settings::default()
        })
        .await
        .unwrap();
        let gitter = sandbox.control();
        let gitter_token = if options.virtual_users {
            sandbox.token().to_owned()
        } else {
            unapproved_token(&gitter)
        };

        let homeserver = FakeHomeserver::start(Settings {
            devices: options.devices,
            ..Settings::default()
        })
        .await;
        let mut config = config(&sandbox, homeserver.url(), &database, &gitter_token);
        if options.token_file {
            let file = token_file(folder.path());
            std::fs::write(&file, &gitter_token).unwrap();
            config["gitter"]["token"] = Value::Null;
            config["gitter"]["token_file"] = json!(file);
        }
        options.put_into(&mut config);
        let mut bridge = Bridge::prepare(&folder.path().join("bridge"), &config);
        let registration = Registration {
            as_token: homeserver.settings().as_token.clone().into(),
            hs_token: homeserver.settings().hs_token.clone().into(),
            ..Registration::new(&bridge.config())
        };
        registration
            .write(&bridge.config().appservice.registration)
            .unwrap();
        homeserver.set_appservice(bridge.appservice());
        bridge.start().await;
        let ana = homeserver.make_user("ana", "Ana");
        Self {
            homeserver,
            gitter,
            bridge,
            database,
            registration,
            ana,
            sandbox,
            gitter_token,
            rooms: Vec::new(),
            folder: Some(folder),
        }
    }

    /// Starts a second bridge on the same database, with the same registration.
    pub(crate) async fn start_replica(&self) -> Bridge {
        self.start_beside("replica", &self.database).await
    }

    /// Starts a second bridge on a database of its own, with the same tokens.
    pub(crate) async fn start_beside(&self, name: &str, database: &TestDatabase) -> Bridge {
        let folder = self.folder.as_ref().unwrap().path().join(name);
        let config = config(&self.sandbox, self.homeserver.url(), database, &self.gitter_token);
        let mut replica = Bridge::prepare(&folder, &config);
        self.registration
            .write(&replica.config().appservice.registration)
            .unwrap();
        replica.start().await;
        replica
    }

    /// The bridge's admin API.
    pub(crate) fn admin(&self) -> &Admin {
        self.bridge.admin()
    }

    /// The token that the bridge has on Gitter.
    pub(crate) fn gitter_token(&self) -> &str {
        &self.gitter_token
    }

    /// The file with that token.
    pub(crate) fn token_file(&self) -> PathBuf {
        token_file(self.folder.as_ref().unwrap().path())
    }

    /// Where Gitter's REST API is.
    pub(crate) fn gitter_api(&self) -> String {
        self.sandbox.api_url()
    }

    /// Where Gitter's site is.
    pub(crate) fn gitter_web(&self) -> String {
        self.sandbox.web_url().trim_end_matches('/').to_owned()
    }

    /// Waits until everything said on either side is on the other, once and in order, and nothing is left
    /// to do.
    pub(crate) async fn crossed(&self) {
        until("everything to cross", async || {
            let differences = self.differences();
            if differences.is_empty() {
                return Ok(Some(()));
            }
            anyhow::bail!("{differences}")
        })
        .await;
        self.drained().await;
        assert_eq!(self.differences(), "", "differs after everything was settled");
    }

    /// Waits until the bridge has been told everything and no item waits.
    pub(crate) async fn drained(&self) {
        self.homeserver.wait_until_pushed().await;
        until("the bridge to have nothing left to do", async || {
            let portals = self.admin().portals().await?;
            if portals.iter().all(|portal| portal["waiting"] == 0) {
                return Ok(Some(()));
            }
            anyhow::bail!("{portals:?}")
        })
        .await;
    }

    /// Ends a test: everything has crossed, nothing waits or has failed, every fault happened, and what was said
    /// last is the last on either side.
    pub(crate) async fn finish(self) {
        self.crossed().await;
        for room in &self.rooms {
            // First to Gitter and then, behind its echo, back: what comes behind anything before would be seen.
            self.ana_says(room, "over");
            self.arrives_on_gitter(room, "over").await;
            self.wren_says(room, "and out");
        }
        self.crossed().await;
        let portals = self.admin().portals().await.unwrap();
        let failed = portals.iter().filter(|portal| portal["failed"] != 0).count();
        assert_eq!(failed, 0, "portals with failed items in {portals:?}");
        self.close().await;
    }

    /// Keeps the files of a run that went wrong.
    pub(crate) fn keep(mut self) {
        if let Some(folder) = self.folder.take() {
            eprintln!("Its files are kept in {}", folder.keep().display());
        }
    }

    /// Ends a test without looking at anything more.
    pub(crate) async fn close(mut self) {
        assert_eq!(self.homeserver.faults_left(), 0, "faults that never happened");
        self.bridge.stop().await;
        let log = self.bridge.whole_log();
        for defect in ["panicked at", "deadlock", "Something did not finish in time"] {
            assert!(!log.contains(defect), "the log has {defect:?}");
        }
        self.folder = None;
        self.database.remove().await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take()
            && thread::panicking()
        {
            let folder = folder.keep();
            eprintln!(
                "{}\nIts files are kept in {}",
                self.bridge.end_of_log(),
                folder.display()
            );
        }
    }
}

/// Asks until there is a value, for as long as anything may take; `what` says what for.
pub(crate) async fn until<T>(what: &str, probe: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> T {
    match wait::until(what, LIMIT, probe).await {
        Ok(value) => value,
        Err(error) => panic!("{error:#}"),
    }
}

fn token_file(folder: &Path) -> PathBuf {
    folder.join("gitter.token")
}

/// The host and port of an address.
fn authority(address: &str) -> String {
    let url: Url = address.parse().unwrap();
    format!("{}:{}", url.host_str().unwrap(), url.port().unwrap())
}

fn config(sandbox: &Sandbox, homeserver: &Url, database: &TestDatabase, gitter_token: &str) -> Value {
    json!({
        "homeserver": { "url": homeserver, "server_name": "localhost" },
        "appservice": {
            "listen": format!("127.0.0.1:{}", ports::free().unwrap()),
            "public_url": "https://bridge.example.org/media-of-gitter",
        },
        "gitter": {
            "api_url": sandbox.api_url(),
            "realtime_url": sandbox.realtime_url(),
            "web_url": sandbox.web_url(),
            "token": gitter_token,
            "files_hosts": [authority(sandbox.web_url())],
        },
        "database": { "url": database.url() },
        "admin": { "listen": format!("127.0.0.1:{}", ports::free().unwrap()) },
        "logging": { "level": "info,gitter_matrix_bridge=debug" },
    })
}

/// A token of the bridge's account whose client may not use virtual users.
fn unapproved_token(gitter: &Control) -> String {
    let users = gitter.state().users;
    let tokens = users.into_iter().flat_map(|user| user.tokens);
    let mut personal = tokens.filter(|token| token.client == "personal");
    personal.next().unwrap().token
}

/// Two lists of lines side by side, for people who look for the first difference.
fn compared(sent: &[String], arrived: &[String]) -> String {
    let mut text = String::new();
    let same = sent
        .iter()
        .zip(arrived)
        .take_while(|(one, other)| one == other)
        .count();
    for (name, lines) in [("sent", sent), ("arrived", arrived)] {
        let shown: Vec<&String> = lines.iter().skip(same).take(8).collect();
        let _ = writeln!(
            text,
            "  {name} {}, after the first {same}: {shown:?}",
            lines.len()
        );
    }
    text
}
