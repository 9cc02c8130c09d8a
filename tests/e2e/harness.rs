//! The world of a test: a homeserver, a Gitter server, the bridge between them, and rooms that are linked.

pub(crate) mod proxy;

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, anyhow, ensure};
use gitter_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::{
    bridge::{self, Bridge},
    compare::Comparison,
    matrix::{Event, MatrixUser},
    said::crossings,
    sandbox::{Addresses, Control, Message},
    synapse::{self, Synapse},
    wait::until,
};

use self::proxy::Proxy;

/// How long one message may take to the other side, on a machine that is busy with other tests.
pub(crate) const CROSSING_LIMIT: Duration = Duration::from_mins(1);

/// Two linked rooms.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// The Matrix room's id.
    pub(crate) matrix: String,
    /// The Gitter room's id.
    pub(crate) gitter: String,
}

/// Everything that runs for one test.
pub(crate) struct World {
    /// The homeserver.
    pub(crate) synapse: Synapse,
    /// What the bridge takes for the homeserver, where the test asked for it.
    pub(crate) proxy: Option<Proxy>,
    /// The Gitter server's controls.
    pub(crate) gitter: Control,
    /// The bridge.
    pub(crate) bridge: Bridge,
    /// Makes the Matrix rooms, and reads them.
    host: MatrixUser,
    rooms: Vec<Room>,
    /// `None` once the test is over and nothing of it is worth keeping.
    folder: Option<TempDir>,
}

/// What differs between the tests' worlds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options<'a> {
    /// Gitter's requests a minute for each account; 0 for no limit.
    pub(crate) rate_limit: u32,
    /// Whether the bridge reaches the homeserver only through a [`Proxy`].
    pub(crate) proxied: bool,
    /// A host, with its port, that Gitter's files may be fetched from beside the sandbox.
    pub(crate) other_files_host: Option<&'a str>,
    /// The largest file that crosses, as `media.max_bytes`.
    pub(crate) max_media: Option<&'a str>,
    /// `bridge.membership`.
    pub(crate) membership: Option<&'a str>,
    /// How long a room may stay unconfirmed as public, as `bridge.privacy_check`.
    pub(crate) privacy_check: Option<&'a str>,
}

impl World {
    /// Starts everything.
    pub(crate) async fn start(options: Options<'_>) -> Result<Self> {
        let installation = synapse::install().await?;
        let folder = tempfile::Builder::new().prefix("gitter-bridge-e2e-").tempdir()?;
        // It runs until the test's runtime ends.
        let sandbox = Sandbox::start(Settings {
            rate_limit: options.rate_limit,
            ..Settings::default()
        })
        .await?;
        let gitter = Control::new(Addresses {
            api_url: sandbox.api_url(),
            realtime_url: sandbox.realtime_url(),
            web_url: sandbox.web_url().to_owned(),
            token: sandbox.token().into(),
        })?;
        let mut synapse = Synapse::prepare(&installation, &folder.path().join("synapse"))?;
        let proxy = if options.proxied {
            Some(Proxy::start(synapse.url().clone()).await?)
        } else {
            None
        };
        let homeserver = proxy.as_ref().map_or(synapse.url(), Proxy::url).clone();
        let binary = Path::new(env!("CARGO_BIN_EXE_gitter-matrix-bridge"));
        let data = folder.path().join("bridge");
        let mut bridge = Bridge::prepare(binary, &data, &homeserver, gitter.addresses()).await?;
        if let Some(other) = options.other_files_host {
            let hosts = [bridge::files_host(gitter.addresses()), other];
            bridge.set("GITTER__FILES_HOSTS", serde_json::to_string(&hosts)?);
        }
        if let Some(max_media) = options.max_media {
            bridge.set("MEDIA__MAX_BYTES", max_media);
        }
        if let Some(membership) = options.membership {
            bridge.set("BRIDGE__MEMBERSHIP", membership);
        }
        if let Some(privacy_check) = options.privacy_check {
            bridge.set("BRIDGE__PRIVACY_CHECK", privacy_check);
        }
        synapse.start(&bridge.registration()).await?;
        bridge.start().await?;
        let host = synapse.register("host", "Host").await?;
        Ok(Self {
            synapse,
            proxy,
            gitter,
            bridge,
            host,
            rooms: Vec::new(),
            folder: Some(folder),
        })
    }

    /// Makes a room on each side, and links them.
    pub(crate) async fn link(&mut self, name: &str) -> Result<Room> {
        self.link_as(name, &json!({})).await
    }

    /// The same, with more said of the Gitter room, such as its `admins` and `members`.
    pub(crate) async fn link_as(&mut self, name: &str, more: &Value) -> Result<Room> {
        let matrix = self.host.create_room(name, bridge::BOT).await?;
        self.link_both(name, matrix, more).await
    }

    /// Makes a Gitter room, and links it with a Matrix room that there is.
    pub(crate) async fn link_with(&mut self, name: &str, matrix: String) -> Result<Room> {
        self.link_both(name, matrix, &json!({})).await
    }

    async fn link_both(&mut self, name: &str, matrix: String, more: &Value) -> Result<Room> {
        let uri = format!("tidepool/{name}");
        let mut new = json!({ "uri": uri });
        for (key, value) in more.as_object().into_iter().flatten() {
            new[key] = value.clone();
        }
        let room = Room {
            gitter: self.gitter.add_room_as(&new).await?,
            matrix,
        };
        self.bridge.link(&uri, &room.matrix).await?;
        self.rooms.push(room.clone());
        Ok(room)
    }

    /// Somebody on Matrix, in all rooms linked so far.
    pub(crate) async fn matrix_person(&self, localpart: &str, display_name: &str) -> Result<MatrixUser> {
        let person = self.synapse.register(localpart, display_name).await?;
        for room in &self.rooms {
            person.join(&room.matrix).await?;
        }
        Ok(person)
    }

    /// Waits for a message with this text in the Matrix room.
    pub(crate) async fn on_matrix(&self, room: &Room, text: &str) -> Result<Event> {
        until(&format!("{text:?} on Matrix"), CROSSING_LIMIT, async || {
            let messages = self.host.messages(&room.matrix).await?;
            Ok(messages.into_iter().find(|event| event.body() == text))
        })
        .await
    }

    /// Waits for a message with this text in the Gitter room.
    pub(crate) async fn on_gitter(&self, room: &Room, text: &str) -> Result<Message> {
        until(&format!("{text:?} on Gitter"), CROSSING_LIMIT, async || {
            let messages = self.gitter.messages(&room.gitter).await?;
            Ok(messages.into_iter().find(|message| message.text == text))
        })
        .await
    }

    /// All messages of the Matrix room, oldest first.
    pub(crate) async fn matrix_messages(&self, room: &Room) -> Result<Vec<Event>> {
        self.host.messages(&room.matrix).await
    }

    /// A file of the homeserver.
    pub(crate) async fn matrix_media(&self, mxc: &str) -> Result<Vec<u8>> {
        self.host.media(mxc).await
    }

    /// The profile of somebody on Matrix.
    pub(crate) async fn profile(&self, user_id: &str) -> Result<Value> {
        self.host.profile(user_id).await
    }

    /// Waits until so many messages crossed in all rooms together, and checks that nothing was lost,
    /// doubled or reordered.
    pub(crate) async fn crossed(&self, to_gitter: usize, to_matrix: usize, limit: Duration) -> Result<()> {
        until("everything to cross", limit, async || {
            let found = self.compare().await?;
            if (found.0.arrived, found.1.arrived) == (to_gitter, to_matrix) {
                Ok(Some(()))
            } else {
                Err(anyhow!("to Gitter so far {:?}, to Matrix {:?}", found.0, found.1))
            }
        })
        .await?;
        // What could still come twice would come now.
        self.settled().await?;
        let found = self.compare().await?;
        ensure!(found.0.is_clean(), "to Gitter: {:?}", found.0);
        ensure!(found.1.is_clean(), "to Matrix: {:?}", found.1);
        Ok(())
    }

    /// Compares all rooms: to Gitter, then to Matrix.
    async fn compare(&self) -> Result<(Comparison, Comparison)> {
        let mut sum = (Comparison::default(), Comparison::default());
        for room in &self.rooms {
            let matrix = self.host.messages(&room.matrix).await?;
            let gitter = self.gitter.messages(&room.gitter).await?;
            let found = crossings(&matrix, &gitter);
            sum = (sum.0 + found.0, sum.1 + found.1);
        }
        Ok(sum)
    }

    /// Waits until the bridge has nothing left to do, and checks that nothing failed.
    pub(crate) async fn settled(&self) -> Result<()> {
        let portals = until(
            "the bridge to have nothing left to do",
            CROSSING_LIMIT,
            async || {
                let portals = self.bridge.rooms().await?;
                Ok((count(&portals, "waiting")? == 0).then_some(portals))
            },
        )
        .await?;
        let failed = count(&portals, "failed")?;
        ensure!(failed == 0, "{failed} items failed: {portals}");
        Ok(())
    }

    /// Ends the test: nothing may be left to do or have failed.
    pub(crate) async fn finish(mut self) -> Result<()> {
        self.settled().await?;
        self.bridge.stop().await?;
        self.synapse.stop().await?;
        self.folder = None;
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            eprintln!("The logs are kept in {}", folder.keep().display());
        }
    }
}

/// Adds up a figure of all portals.
fn count(portals: &Value, figure: &str) -> Result<i64> {
    let rooms = portals.get("rooms").and_then(Value::as_array);
    let rooms = rooms.with_context(|| format!("no rooms in {portals}"))?;
    let figures = rooms.iter().map(|room| room.get(figure).and_then(Value::as_i64));
    figures
        .sum::<Option<i64>>()
        .with_context(|| format!("no {figure} in {portals}"))
}
