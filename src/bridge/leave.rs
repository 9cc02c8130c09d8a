//! What is left to do once a portal has ended or moved: nothing may still say that the Matrix room is bridged.
//!
//! It is written down with the portal's end and tried until it is done, or for a day: the homeserver may be away, and
//! the bridge may die. Who does it claims it in the database, step by step, and holds the lock of the Gitter room. Either
//! room may be linked anew meanwhile, also by another process; that decides, before each step.

use std::{sync::Arc, time::Duration};

use ruma::{UserId, events::StateEventType};
use serde_json::json;
use tokio::sync::OwnedMutexGuard;
use tracing::warn;

use super::{Bridge, BridgeError, alias, life, now, room_state, space};
use crate::{
    ids::GitterRoomId,
    store::{
        Portal, StoreError, Tx,
        leaving::{self, Cause, Leaving},
        portal,
    },
};

/// How long between two tries.
const AGAIN: Duration = Duration::from_mins(1);

/// How long whoever has claimed it has for one step, in milliseconds. After that another may have it.
const CLAIM: i64 = 60 * 1000;

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
            () = bridge.something_left.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

async fn work_off(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let due = leaving::due(&mut tx, now() - CLAIM).await?;
    drop(tx);
    for (leaving, claimed_at) in due {
        let _alone = bridge.lock_room(&leaving.gitter_room_id).await;
        go_on(bridge, &leaving, claimed_at).await;
    }
    Ok(())
}

/// Leaves it to [`run`] to take leave of a room that a portal moves away from. It begins at the next
/// `something_left`, which is due once this is committed.
pub(super) async fn note_moved(tx: &mut Tx, portal: &Portal) -> Result<(), StoreError> {
    let leaving = Leaving {
        gitter_room_id: portal.gitter_room_id.clone(),
        matrix_room_id: portal.matrix_room_id.clone(),
        gitter_uri: portal.gitter_uri.clone(),
        cause: Cause::Moved,
        ghosts: Vec::new(),
        noted_at: now(),
    };
    leaving::note(tx, &leaving).await?;
    leaving::release(tx, &leaving, leaving.noted_at).await
}

/// Takes leave of a room: its aliases lead to the successor, or are gone, and the ghosts leave. The caller has just noted
/// it, and holds the lock of the Gitter room.
pub(super) async fn take_leave(bridge: &Bridge, leaving: &Leaving) {
    go_on(bridge, leaving, leaving.noted_at).await;
}

async fn go_on(bridge: &Bridge, leaving: &Leaving, claimed_at: i64) {
    if let Err(error) = try_to_leave(bridge, leaving, claimed_at).await {
        tell(leaving, "An ended portal is still to be done away with", &error);
    }
}

/// How both rooms are linked at a moment.
struct Links {
    /// The Gitter room's portal.
    portal: Option<Portal>,
    /// The Gitter room is gone, as far as its portal says.
    is_gone: bool,
    /// The Matrix room is in no portal.
    is_free: bool,
}

/// A thing to do, which can be done again.
#[derive(Clone, Copy)]
enum Step<'a> {
    Aliases,
    Space,
    State,
    Tombstone,
    Ghost(&'a UserId),
}

async fn try_to_leave(bridge: &Bridge, leaving: &Leaving, mut claimed_at: i64) -> Result<(), BridgeError> {
    let steps = [Step::Aliases, Step::Space, Step::State, Step::Tombstone];
    let ghosts = leaving.ghosts.iter().map(|ghost| Step::Ghost(ghost));
    let mut all_done = true;
    for step in steps.into_iter().chain(ghosts) {
        // Before each step: another process may be at it, or the rooms be linked anew.
        let Some(links) = claim(bridge, leaving, &mut claimed_at).await? else {
            return Ok(());
        };
        if !links.are_over(leaving) {
            // That is what counts.
            all_done = true;
            break;
        }
        all_done &= is_done(leaving, step.undone(), step.take(bridge, leaving, &links).await);
    }
    let mut tx = bridge.db.write().await?;
    if all_done || leaving.noted_at + LONGEST < now() {
        leaving::done(&mut tx, leaving).await?;
    } else {
        leaving::release(&mut tx, leaving, claimed_at).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Claims what is left for the next step, and looks at how the rooms are linked; `None` if it is not this process's any
/// more.
async fn claim(
    bridge: &Bridge,
    leaving: &Leaving,
    claimed_at: &mut i64,
) -> Result<Option<Links>, BridgeError> {
    let mut tx = bridge.db.write().await?;
    let now = now();
    if !leaving::claim(&mut tx, leaving, *claimed_at, now).await? {
        return Ok(None);
    }
    *claimed_at = now;
    let gitter = &leaving.gitter_room_id;
    let portal = portal::portal_by_gitter_room(&mut tx, gitter).await?;
    let is_gone = match &portal {
        Some(portal) => life::is_gone(&mut tx, portal).await?,
        None => false,
    };
    let in_matrix_room = portal::portal_by_matrix_room(&mut tx, &leaving.matrix_room_id).await?;
    tx.commit().await?;
    Ok(Some(Links {
        is_gone,
        is_free: in_matrix_room.is_none(),
        portal,
    }))
}

impl Links {
    /// Whether the rooms that a portal joined are still apart, or one of them still gone.
    fn are_over(&self, leaving: &Leaving) -> bool {
        let is_as_before = self
            .portal
            .as_ref()
            .is_some_and(|portal| portal.matrix_room_id == leaving.matrix_room_id);
        match leaving.cause {
            Cause::Gone => is_as_before && self.is_gone,
            Cause::Unlinked | Cause::Replaced | Cause::Moved => !is_as_before,
        }
    }

    /// The portal that the Gitter room has in another Matrix room.
    fn successor(&self, leaving: &Leaving) -> Option<&Portal> {
        let portal = self.portal.as_ref();
        portal.filter(|portal| portal.matrix_room_id != leaving.matrix_room_id)
    }
}

impl Step<'_> {
    async fn take(self, bridge: &Bridge, leaving: &Leaving, links: &Links) -> Result<(), BridgeError> {
        let (gitter, matrix) = (&leaving.gitter_room_id, &leaving.matrix_room_id);
        match (self, leaving.cause, links.successor(leaving)) {
            (Self::Aliases, _, Some(successor)) => alias::follow(bridge, matrix, successor).await,
            (Self::Aliases, _, None) => alias::withdraw(bridge, gitter, matrix).await,
            (Self::Space, _, _) => space::withdraw(bridge, gitter, matrix).await,
            (Self::State, Cause::Unlinked | Cause::Replaced, _) => {
                room_state::withdraw(bridge, gitter, matrix).await
            }
            (Self::State, Cause::Moved, Some(successor)) => room_state::refresh(bridge, successor).await,
            // The Matrix room may be bridged to another Gitter room by now.
            (Self::Tombstone, Cause::Replaced, Some(successor)) if links.is_free => {
                bury(bridge, leaving, successor).await
            }
            (Self::Ghost(ghost), _, _) if links.is_free => Ok(bridge.matrix.leave(matrix, ghost).await?),
            _ => Ok(()),
        }
    }

    /// What is so until it is done.
    const fn undone(self) -> &'static str {
        match self {
            Self::Aliases => "The aliases of a room that is bridged no more still lead there",
            Self::Space => "A room that is bridged no more is still in its Space",
            Self::State => "A room does not say yet how it is bridged",
            Self::Tombstone => "A room that was replaced does not say so",
            Self::Ghost(_) => "A ghost could not leave a room that is bridged no more",
        }
    }
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
    match error {
        BridgeError::Matrix(error) => error.refuses(),
        BridgeError::Gitter(error) => error.refuses(),
        _ => false,
    }
}

fn tell(leaving: &Leaving, what: &str, error: &BridgeError) {
    warn!(
        portal.uri = leaving.gitter_uri,
        portal.matrix_room = %leaving.matrix_room_id,
        error = %error,
        "{what}"
    );
}
