//! Looks through a room on demand: for what was missed, edited or deleted (DESIGN 6.3, `sync`).

use std::{iter, sync::Arc, time::Duration};

use tracing::{info, warn};

use super::ProvisionError;
use crate::{
    bridge::{Bridge, catch_up, room_state, sweep},
    store::{PortalState, life, portal},
};

impl Bridge {
    /// Has a room caught up anew, given by either side's id, sets its Matrix room's state as it has to be, and looks
    /// through its last `bridge.sweep_days` for deletions. A portal that stopped because Gitter refused its subscription
    /// tries again. Does not wait for any of it.
    ///
    /// # Errors
    /// When the room is not linked, or its portal has stopped for a reason that has to be mended first.
    pub async fn sync(self: &Arc<Self>, room: &str) -> Result<(), ProvisionError> {
        let portal = self.find_portal(room).await?;
        let gitter_room = portal.gitter_room_id.clone();
        let mut tx = self.db.write().await?;
        catch_up::lock(&mut tx, iter::once(&gitter_room)).await?;
        let now = portal::portal_by_gitter_room(&mut tx, &gitter_room).await?;
        let state = now
            .ok_or_else(|| ProvisionError::NotFound(room.to_owned()))?
            .state;
        let life = life::of(&mut tx, &gitter_room).await?;
        let is_refused = match state {
            PortalState::Active | PortalState::CatchingUp => false,
            PortalState::Paused | PortalState::Private => true,
            PortalState::Broken => life.is_some_and(|life| life.stopped_by.is_some()),
        };
        if is_refused {
            return Err(ProvisionError::Invalid {
                error: format!("the portal of {} is {}", portal.gitter_uri, state.as_str()),
                mend: format!("resume it instead: gitter-matrix-bridge room resume {gitter_room}"),
            });
        }
        for from in [PortalState::Active, PortalState::Broken] {
            portal::set_portal_state(&mut tx, &gitter_room, from, PortalState::CatchingUp).await?;
        }
        tx.commit().await?;
        self.subscribe(&gitter_room);
        self.ban_looks.ask(&gitter_room);
        let bridge = Arc::clone(self);
        self.tracker.spawn(async move {
            if let Err(error) = room_state::refresh(&bridge, &portal).await {
                warn!(portal.uri = portal.gitter_uri, error = %error, "A room's state could not be set");
            }
            let swept = bridge
                .stop
                .run_until_cancelled(sweep::room(&bridge, &portal, Duration::ZERO));
            match swept.await {
                Some(Ok(gone)) => info!(portal.uri = portal.gitter_uri, gone, "Looked through a room"),
                Some(Err(error)) => {
                    warn!(portal.uri = portal.gitter_uri, error = %error, "A room could not be looked through");
                }
                None => {}
            }
        });
        Ok(())
    }
}
