//! What is left to do once a portal has ended: nothing may still say that its Matrix room is bridged.
//!
//! It is written down with the portal's end and tried until it is done, or for a day: the homeserver may be away, and
//! the bridge may die. Who does it holds the lock of the Gitter room, which may be linked anew meanwhile; that decides.

use std::{sync::Arc, time::Duration};

use ruma::events::StateEventType;
use serde_json::json;
use tokio::sync::OwnedMutexGuard;
use tracing::warn;

use super::{Bridge, BridgeError, alias, now, room_state, space};
use crate::{
    ids::GitterRoomId,
    store::{
        Portal,
        leaving::{self, Cause, Leaving},
        life::{self, StopCause},
        portal,
    },
};

/// How long between two tries.
const AGAIN: Duration = Duration::from_mins(1);

/// How long it is tried, in milliseconds.
const LONGEST: i64 = 24 * 60 * 60 * 1000;

impl Bridge {
    /// Keeps everybody else of this process from linking a Gitter room, unlinking it and taking leave of it.
    pub(super) async fn lock_room(&self, room: &GitterRoomId) -> OwnedMutexGuard<()> {
        self.locks.lock(&format!("room {room}")).await
    }
}

/// Does what is left of portals that have ended, again and again, until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    loop {
        match bridge.stop.run_until_cancelled(work_off(&bridge)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => warn!(error = %error, "Of which portals something is left is not known"),
        }
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

async fn work_off(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let noted = leaving::all(&mut tx).await?;
    drop(tx);
    for leaving in noted {
        let _alone = bridge.lock_room(&leaving.gitter_room_id).await;
        let mut tx = bridge.db.read().await?;
        let is_left = leaving::all(&mut tx).await?.contains(&leaving);
        drop(tx);
        if is_left {
            take_leave(bridge, &leaving).await;
        }
    }
    Ok(())
}

/// Takes leave of a room: its aliases lead to the successor, or are gone, and the ghosts leave. The caller holds the
/// lock of the Gitter room.
pub(super) async fn take_leave(bridge: &Bridge, leaving: &Leaving) {
    if let Err(error) = try_to_leave(bridge, leaving).await {
        tell(leaving, "An ended portal is still to be done away with", &error);
    }
}

async fn try_to_leave(bridge: &Bridge, leaving: &Leaving) -> Result<(), BridgeError> {
    let (gitter, matrix) = (&leaving.gitter_room_id, &leaving.matrix_room_id);
    let mut tx = bridge.db.read().await?;
    let portal = portal::portal_by_gitter_room(&mut tx, gitter).await?;
    let is_gone = life::of(&mut tx, gitter)
        .await?
        .is_some_and(|life| life.stopped_by == Some(StopCause::Gone));
    let is_free = portal::portal_by_matrix_room(&mut tx, matrix).await?.is_none();
    drop(tx);
    let is_as_before = portal
        .as_ref()
        .is_some_and(|portal| portal.matrix_room_id == *matrix);
    let all_done = match leaving.cause {
        Cause::Gone if is_as_before && is_gone => withdraw(bridge, leaving).await,
        Cause::Unlinked | Cause::Replaced if !is_as_before => {
            leave(bridge, leaving, portal.as_ref(), is_free).await
        }
        // It was linked anew, and that is what counts.
        _ => true,
    };
    if all_done || leaving.noted_at + LONGEST < now() {
        let mut tx = bridge.db.write().await?;
        leaving::done(&mut tx, leaving).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Has no alias and no Space lead to the room; `false` if that has to be tried again.
async fn withdraw(bridge: &Bridge, leaving: &Leaving) -> bool {
    let (gitter, matrix) = (&leaving.gitter_room_id, &leaving.matrix_room_id);
    let aliases = alias::withdraw(bridge, gitter, matrix).await;
    let aliases = is_done(
        leaving,
        "Its aliases still lead to a room that is bridged no more",
        aliases,
    );
    let child = space::withdraw(bridge, gitter, matrix).await;
    is_done(
        leaving,
        "A room that is bridged no more is still in its Space",
        child,
    ) && aliases
}

/// Everything; `false` if some has to be tried again.
async fn leave(bridge: &Bridge, leaving: &Leaving, successor: Option<&Portal>, is_free: bool) -> bool {
    let (gitter, matrix) = (&leaving.gitter_room_id, &leaving.matrix_room_id);
    let mut all_done = match successor {
        None => withdraw(bridge, leaving).await,
        Some(successor) => {
            let aliases = alias::follow(bridge, matrix, successor).await;
            let aliases = is_done(
                leaving,
                "Its aliases still lead to a room that was replaced",
                aliases,
            );
            let child = space::withdraw(bridge, gitter, matrix).await;
            is_done(leaving, "A room that was replaced is still in its Space", child) && aliases
        }
    };
    let state = room_state::withdraw(bridge, gitter, matrix).await;
    all_done &= is_done(leaving, "An unlinked room still says that it is bridged", state);
    // The Matrix room may be bridged to another Gitter room by now.
    if !is_free {
        return all_done;
    }
    if let Some(successor) = successor
        && leaving.cause == Cause::Replaced
    {
        let left = bury(bridge, leaving, successor).await;
        all_done &= is_done(leaving, "A room that was replaced does not say so", left);
    }
    for ghost in &leaving.ghosts {
        let left = bridge.matrix.leave(matrix, ghost).await;
        let left = left.map_err(BridgeError::from);
        all_done &= is_done(leaving, "A ghost could not leave an unlinked room", left);
    }
    all_done
}

/// Says in a room where the conversation goes on, which clients follow.
async fn bury(bridge: &Bridge, leaving: &Leaving, successor: &Portal) -> Result<(), BridgeError> {
    let content = json!({
        "body": format!("{} is bridged to another Matrix room now.", leaving.gitter_uri),
        "replacement_room": successor.matrix_room_id,
    });
    let tombstone = room_state::Piece::new(StateEventType::RoomTombstone, content);
    room_state::put(bridge, &leaving.matrix_room_id, &tombstone).await
}

/// Whether a step needs no other try: it is done, or refused for good.
fn is_done(leaving: &Leaving, what: &str, done: Result<(), BridgeError>) -> bool {
    let Err(error) = done else { return true };
    tell(leaving, what, &error);
    matches!(error, BridgeError::Matrix(error) if error.status().is_some_and(|status| {
        status.is_client_error() && status != http::StatusCode::TOO_MANY_REQUESTS
    }))
}

fn tell(leaving: &Leaving, what: &str, error: &BridgeError) {
    warn!(
        portal.uri = leaving.gitter_uri,
        portal.matrix_room = %leaving.matrix_room_id,
        error = %error,
        "{what}"
    );
}
