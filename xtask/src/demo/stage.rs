//! The servers and people of the demo.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Binaries;
use crate::{
    bridge::Bridge,
    gitter::GitterUser,
    http,
    matrix::MatrixUser,
    progress::step,
    sandbox::Sandbox,
    synapse::{self, Synapse},
};

/// The Gitter room that is linked.
const GITTER_ROOM: &str = "tidepool/harbour";

/// Everything that runs, and everybody who talks.
pub(super) struct Stage {
    synapse: Synapse,
    /// The Gitter server.
    pub(super) sandbox: Sandbox,
    bridge: Bridge,
    /// Ana, on Matrix.
    pub(super) ana: MatrixUser,
    /// Ben, on Matrix.
    pub(super) ben: MatrixUser,
    /// Wren, on Gitter.
    pub(super) wren: GitterUser,
    /// Kelp, on Gitter.
    pub(super) kelp: GitterUser,
    /// The Matrix room's id.
    pub(super) matrix_room: String,
    /// The Gitter room's id.
    pub(super) gitter_room: String,
}

impl Stage {
    /// Starts all servers, with their data in `folder`, and links two rooms.
    pub(super) async fn start(folder: &Path, binaries: &Binaries) -> Result<Self> {
        let installation = synapse::install().await?;
        let (seed, log) = (folder.join("seed.json"), folder.join("sandbox.log"));
        let tokens = [new_token(), new_token()];
        std::fs::write(&seed, seed_with(&tokens).to_string()).context("writing the sandbox's seed")?;
        let sandbox = Sandbox::start(&binaries.sandbox, &seed, &log);
        let sandbox = step("Start a Gitter server (the sandbox)", sandbox).await?;
        let mut synapse = Synapse::prepare(&installation, &folder.join("synapse"))?;
        let data = folder.join("bridge");
        let bridge = Bridge::prepare(&binaries.bridge, &data, synapse.url(), sandbox.addresses());
        let mut bridge = step("Write config.yaml and registration.yaml", bridge).await?;
        step("Start Synapse", synapse.start(&bridge.registration())).await?;
        step("Start the bridge", bridge.start()).await?;

        let ana = synapse.register("ana", "Ana").await?;
        let ben = synapse.register("ben", "Ben").await?;
        let matrix_room = ana.create_room("Harbour").await?;
        ben.join(&matrix_room).await?;
        step(
            &format!("Link {GITTER_ROOM} and the Matrix room {matrix_room}"),
            bridge.link(GITTER_ROOM, &matrix_room),
        )
        .await?;

        let api = &sandbox.addresses().api_url;
        let [wren, kelp] = tokens;
        let wren = GitterUser::sign_in(http::client()?, api, wren.into()).await?;
        let kelp = GitterUser::sign_in(http::client()?, api, kelp.into()).await?;
        let gitter_room = wren.room_id(GITTER_ROOM).await?;
        Ok(Self {
            synapse,
            sandbox,
            bridge,
            ana,
            ben,
            wren,
            kelp,
            matrix_room,
            gitter_room,
        })
    }

    /// Where everything can be looked at while it is up.
    pub(super) fn addresses(&self) -> String {
        format!(
            "Matrix homeserver  {}\n\
             Matrix room        {} (sign in as ana or ben with the password \"{}\" or \"{}\")\n\
             Gitter             {}{GITTER_ROOM}\n\
             Bridge             {} (its config file is {})\n\n\
             All of it stays up until Ctrl-C.",
            self.synapse.url(),
            self.matrix_room,
            synapse::password_of("ana"),
            synapse::password_of("ben"),
            with_slash(&self.sandbox.addresses().web_url),
            self.bridge.admin(),
            self.bridge.config().display(),
        )
    }

    /// Stops all servers, the bridge first.
    pub(super) async fn stop(mut self) -> Result<()> {
        step("Stop everything", async {
            self.bridge.stop().await?;
            self.sandbox.stop().await?;
            self.synapse.stop().await
        })
        .await
    }
}

/// The sandbox's users and rooms: Wren and Kelp, with these tokens, and the account that the bridge posts
/// with.
fn seed_with([wren, kelp]: &[String; 2]) -> Value {
    json!({
        "users": [
            { "username": "wren", "display_name": "Wren", "tokens": [{ "client": "demo", "token": wren }] },
            { "username": "kelp", "display_name": "Kelp", "tokens": [{ "client": "demo", "token": kelp }] },
            {
                "username": "bridge_bot",
                "tokens": [{ "client": "matrix-bridge", "virtual_user_type": "matrix" }],
            },
        ],
        "rooms": [{ "uri": GITTER_ROOM, "topic": "Boats, tides and ferries" }],
    })
}

fn new_token() -> String {
    format!("{:040x}", rand::random::<u128>())
}

fn with_slash(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}
