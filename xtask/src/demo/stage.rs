//! The servers and people of the demo.

use std::path::Path;

use anyhow::Result;

use super::Binaries;
use crate::{
    bridge::{self, Bridge},
    gitter::GitterUser,
    matrix::MatrixUser,
    progress::step,
    sandbox::Sandbox,
    synapse::{self, Synapse},
};

/// The Gitter room that is linked; the sandbox's default seed has it, and Wren and Kelp.
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
        let log = folder.join("sandbox.log");
        let sandbox = Sandbox::start(&binaries.sandbox, &log);
        let sandbox = step("Start a Gitter server (the sandbox)", sandbox).await?;
        let mut synapse = Synapse::prepare(&installation, &folder.join("synapse"))?;
        let data = folder.join("bridge");
        let prepared = Bridge::prepare(
            &binaries.bridge,
            &data,
            synapse.url(),
            sandbox.control().addresses(),
        );
        let mut bridge = step("Write config.yaml and registration.yaml", prepared).await?;
        step("Start Synapse", synapse.start(&bridge.registration())).await?;
        step("Start the bridge", bridge.start()).await?;

        let ana = synapse.register("ana", "Ana").await?;
        let ben = synapse.register("ben", "Ben").await?;
        let matrix_room = ana.create_room("Harbour", bridge::BOT).await?;
        ben.join(&matrix_room).await?;
        step(
            &format!("Link {GITTER_ROOM} and the Matrix room {matrix_room}"),
            bridge.link(GITTER_ROOM, &matrix_room),
        )
        .await?;

        let wren = sandbox.control().sign_in("wren").await?;
        let kelp = sandbox.control().sign_in("kelp").await?;
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
            with_slash(&self.sandbox.control().addresses().web_url),
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

fn with_slash(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}
