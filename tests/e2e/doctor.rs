//! `doctor` against a real homeserver.

use anyhow::Result;

use crate::harness::{Options, World};

#[tokio::test]
async fn a_good_setup_is_all_well_with_and_without_a_running_bridge() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    world.link("pier").await?;
    // A failed check is a failed command.
    world.bridge.command(&["doctor"]).await?;
    world.bridge.stop().await?;
    world.bridge.command(&["doctor"]).await?;
    world.bridge.start().await?;
    world.finish().await
}
