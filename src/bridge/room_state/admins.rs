//! Who the admins of a Gitter room are, as ghosts.

use std::{sync::Arc, time::Duration};

use tracing::warn;

use super::{lock_state, write_power};
use crate::{
    bridge::{Bridge, BridgeError, ghost},
    model,
    store::{Portal, PortalKind, PortalState, ghost as ghosts, portal, room_admin},
};

/// How often Gitter is asked, which has no word for a change.
const LOOK: Duration = Duration::from_hours(1);

/// Keeps the power of admins in rooms that the bridge made in step with Gitter, until the bridge stops.
pub(in crate::bridge) async fn keep(bridge: Arc<Bridge>) {
    loop {
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let looked = bridge.stop.run_until_cancelled(look(&bridge)).await;
        if let Some(Err(error)) = looked {
            warn!(error = %error, "Who the admins of rooms are cannot be looked at now");
        }
    }
}

async fn look(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let portals = portal::portals(&mut tx).await?;
    drop(tx);
    let works = |portal: &&Portal| {
        portal.kind == PortalKind::Created
            && matches!(portal.state, PortalState::Active | PortalState::CatchingUp)
    };
    for portal in portals.iter().filter(works) {
        if let Err(error) = look_at(bridge, portal).await {
            warn!(portal.uri = portal.gitter_uri, error = %error, "Who the admins of a room are cannot be looked at now");
        }
    }
    Ok(())
}

async fn look_at(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
    refresh(bridge, portal).await?;
    let _alone = lock_state(bridge, &portal.matrix_room_id).await;
    write_power(bridge, portal).await
}

/// Asks Gitter who a room's admins are. Their ghosts are noted, and not made: they are made when they speak.
pub(in crate::bridge) async fn refresh(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
    let users = match bridge.gitter.room_admins(&portal.gitter_room_id).await {
        // A server that keeps it to itself: whoever is known stays.
        Err(error) if error.refuses() => return Ok(()),
        users => users?,
    };
    let mut admins = Vec::new();
    for user in &users {
        admins.extend(known(bridge, user).await?);
    }
    let mut tx = bridge.db.write().await?;
    room_admin::set_room_admins(&mut tx, &portal.gitter_room_id, &admins).await?;
    tx.commit().await?;
    Ok(())
}

/// The ghost of a user; none for a name that makes no id.
async fn known(bridge: &Bridge, user: &model::User) -> Result<Option<ruma::OwnedUserId>, BridgeError> {
    let Some(id) = user.account_id() else {
        return Ok(None);
    };
    let mut tx = bridge.db.read().await?;
    let stored = ghosts::ghost_by_id(&mut tx, &id).await?;
    drop(tx);
    let settings = &bridge.settings;
    let ghost = match stored {
        Some(ghost) => Some(ghost.user_id),
        None => settings
            .ghost_localpart
            .make(&settings.server_name, &id, &user.username)
            .ok(),
    };
    if let Some(ghost) = &ghost {
        ghost::learn(bridge, ghost, user).await?;
    }
    Ok(ghost)
}
