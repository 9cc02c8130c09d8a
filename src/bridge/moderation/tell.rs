//! Tells moderators and others in a portal's Matrix room what did not reach Gitter, and why.

use ruma::{RoomId, UserId};
use tracing::warn;

use crate::{
    bridge::{Bridge, BridgeError, now, say::say},
    store::notice,
};

/// How long a person is not told of more in the same room, in milliseconds.
const QUIET: i64 = 600_000;

/// Tells a person something in a room, as the bot; not where they were told something in the last ten minutes. `key`
/// stands for what it is about: that is told once.
pub(in crate::bridge) async fn tell(bridge: &Bridge, room: &RoomId, user: &UserId, key: &str, text: &str) {
    if let Err(error) = try_to_tell(bridge, room, user, key, text).await {
        warn!(error = %error, room = %room, "A person could not be told why something did not cross");
    }
}

async fn try_to_tell(
    bridge: &Bridge,
    room: &RoomId,
    user: &UserId,
    key: &str,
    text: &str,
) -> Result<(), BridgeError> {
    let now = now();
    let mut tx = bridge.db.write().await?;
    let may_tell = notice::may_tell(&mut tx, room, user, now, now - QUIET).await?;
    tx.commit().await?;
    if may_tell {
        say(bridge, room, key, &format!("{user}: {text}")).await?;
    }
    Ok(())
}
