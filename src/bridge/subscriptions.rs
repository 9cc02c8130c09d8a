//! Which Gitter rooms this process follows: those of all portals, whoever linked them.
//!
//! Several processes may share the database. Each follows every room, so that whichever dies, no room goes
//! unheard; what two of them hear is one item. This module starts no catch-up: a subscription does.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tracing::{info, warn};

use super::{Bridge, BridgeError, life};
use crate::{
    ids::GitterRoomId,
    store::{PortalState, portal},
};

/// How often what other processes did is looked at.
const LOOK: Duration = Duration::from_secs(5);

impl Bridge {
    /// Follows a room, or asks for a new snapshot of one that is followed.
    pub(super) fn subscribe(&self, room: &GitterRoomId) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.insert(room.clone());
        self.realtime.subscribe(room.clone());
    }

    /// Whether this process follows a room.
    pub(super) fn follows(&self, room: &GitterRoomId) -> bool {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.contains(room)
    }

    /// Follows a room no longer.
    pub(super) fn unsubscribe(&self, room: &GitterRoomId) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.remove(room);
        self.realtime.unsubscribe(room.clone());
    }
}

/// Keeps in step with what other processes on the same database link and unlink, until the bridge stops.
pub(super) async fn keep(bridge: Arc<Bridge>) {
    loop {
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Err(error) = look(&bridge).await {
            warn!(error = %error, "Which rooms are linked cannot be read; waiting");
        }
    }
}

/// Follows the rooms that others linked, and lets those go that others unlinked.
async fn look(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let portals = portal::portals(&mut tx).await?;
    let hopeless = life::hopeless(&mut tx).await?;
    drop(tx);
    let mut gone = {
        let followed = bridge.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.clone()
    };
    for portal in portals {
        let room = portal.gitter_room_id;
        // One that Gitter refused, a start tries again, or somebody.
        let is_to_follow = portal.state != PortalState::Broken || hopeless.left.contains(&room);
        if life::is_followed(portal.state) && !gone.remove(&room) && is_to_follow {
            info!(portal.room = %room, "Another process linked a room; following it, too");
            bridge.subscribe(&room);
        }
    }
    for room in gone {
        info!(portal.room = %room, "A room was unlinked or is private; following it no longer");
        bridge.unsubscribe(&room);
    }
    Ok(())
}
