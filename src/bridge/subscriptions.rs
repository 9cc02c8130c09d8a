//! Which Gitter rooms this process follows: those of all portals, whoever linked them.
//!
//! Several processes may share the database. Each follows every room, so that whichever dies, no room goes
//! unheard; what two of them hear is one item. This module starts no catch-up: a subscription does.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tracing::{info, warn};

use super::{Bridge, BridgeError, catch_up};
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

    /// Follows a room no longer.
    pub(super) fn unsubscribe(&self, room: &GitterRoomId) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.remove(room);
        self.realtime.unsubscribe(room.clone());
    }

    fn followed(&self) -> BTreeSet<GitterRoomId> {
        self.followed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Keeps in step with what other processes on the same database do, until the bridge stops.
pub(super) async fn keep(bridge: Arc<Bridge>) {
    let mut unattended = BTreeSet::new();
    loop {
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        match look(&bridge, &unattended).await {
            Ok(found) => unattended = found,
            Err(error) => warn!(error = %error, "Which rooms are linked cannot be read; waiting"),
        }
    }
}

/// Follows rooms that others linked, lets go those that others unlinked, and takes over catch-ups that
/// nobody seems to be at: `unattended` are the rooms that waited for one at the last look. Gives those that
/// do now.
async fn look(
    bridge: &Bridge,
    unattended: &BTreeSet<GitterRoomId>,
) -> Result<BTreeSet<GitterRoomId>, BridgeError> {
    let mut tx = bridge.db.read().await?;
    let portals = portal::portals(&mut tx).await?;
    drop(tx);
    let mut gone = bridge.followed();
    let mut waiting = BTreeSet::new();
    for portal in portals {
        let room = portal.gitter_room_id;
        let is_followed = gone.remove(&room);
        match portal.state {
            PortalState::Active | PortalState::CatchingUp if !is_followed => {
                info!(portal.room = %room, "Another process linked a room; following it, too");
                bridge.subscribe(&room);
            }
            PortalState::CatchingUp if !catch_up::is_running(bridge, &room).await => {
                if unattended.contains(&room) {
                    info!(portal.room = %room, "Nobody finishes the catch-up of a room; doing it");
                    bridge.subscribe(&room);
                }
                waiting.insert(room);
            }
            _ => {}
        }
    }
    for room in gone {
        info!(portal.room = %room, "Another process unlinked a room; following it no longer");
        bridge.unsubscribe(&room);
    }
    Ok(waiting)
}
