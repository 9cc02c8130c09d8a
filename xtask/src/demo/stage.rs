//! The servers and people of the demo.

use std::path::Path;

use anyhow::Result;

use super::{Binaries, Database, Shown, talk};
use crate::{
    bridge::{self, Bridge},
    gitter::GitterUser,
    matrix::MatrixUser,
    postgres::Postgres,
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
    /// The bridge's database server, if it needs one.
    postgres: Option<Postgres>,
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
    pub(super) async fn start(folder: &Path, binaries: &Binaries, database: Database) -> Result<Self> {
        let installation = synapse::install().await?;
        let log = folder.join("sandbox.log");
        let sandbox = Sandbox::start(&binaries.sandbox, &log);
        let sandbox = step("Start a Gitter server (the sandbox)", sandbox).await?;
        let mut synapse = Synapse::prepare(&installation, &folder.join("synapse"))?;
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::start().await?),
        };
        let data = folder.join("bridge");
        let prepared = Bridge::prepare_on(
            &binaries.bridge,
            &data,
            synapse.url(),
            sandbox.control().addresses(),
            postgres.as_ref().map(Postgres::url),
        );
        let mut bridge = step("Write config.yaml and registration.yaml", prepared).await?;
        step("Start Synapse", synapse.start(&bridge.registration())).await?;
        step("Start the bridge", bridge.start()).await?;

        let ana = synapse.register("ana", "Ana").await?;
        let ben = synapse.register("ben", "Ben").await?;
        ana.set_avatar(&ana.upload("image/png", talk::picture()?).await?)
            .await?;
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
            postgres,
            ana,
            ben,
            wren,
            kelp,
            matrix_room,
            gitter_room,
        })
    }

    /// Where everything can be looked at while it is up, and how to sign in.
    pub(super) fn addresses(&self) -> String {
        let login = |localpart| format!("{localpart} (password {})", synapse::password_of(localpart));
        format!(
            "Sign in with any Matrix client (on this machine), or look at the Gitter side in a browser:\n\n\
             Matrix homeserver  {}\n\
             Matrix logins      {} or {}\n\
             Matrix room        {}\n\
             Gitter room        {}{GITTER_ROOM}\n\
             Bridge             {} (its config file is {})\n\
             Bridge's database  {}\n\n\
             All of it stays up until Ctrl-C.",
            self.synapse.url(),
            login("ana"),
            login("ben"),
            self.matrix_room,
            with_slash(&self.sandbox.control().addresses().web_url),
            self.bridge.admin(),
            self.bridge.config().display(),
            self.postgres.as_ref().map_or("SQLite", Postgres::url),
        )
    }

    /// What a browser needs to show both rooms.
    pub(super) fn shown(&self) -> Shown {
        Shown {
            homeserver: self.synapse.url().to_string(),
            matrix_room: self.matrix_room.clone(),
            user: "ana".to_owned(),
            password: synapse::password_of("ana"),
            gitter_room: format!(
                "{}{GITTER_ROOM}",
                with_slash(&self.sandbox.control().addresses().web_url)
            ),
        }
    }

    /// Stops all servers, the bridge first.
    pub(super) async fn stop(mut self) -> Result<()> {
        step("Stop everything", async {
            self.bridge.stop().await?;
            self.sandbox.stop().await?;
            self.synapse.stop().await?;
            match self.postgres {
                Some(postgres) => postgres.stop().await,
                None => Ok(()),
            }
        })
        .await
    }
}

fn with_slash(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}
