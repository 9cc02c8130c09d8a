//! The life of portals: their Gitter rooms stay public, keep their names or are gone; their Matrix rooms move on, get
//! encrypted or lose the bot; operators stop them and let them go on (DESIGN 4 and 5).
//!
//! What happens is a hint, and what either side says when asked is the truth: every Gitter room is looked at once a
//! minute, and an event of a Matrix room leads to a look at that room's state. Messages are no business of this module.

mod former_room;
mod gitter_room;
mod invitation;
mod matrix_room;
mod pause;
mod upgrade;

use std::{
    collections::{BTreeSet, HashMap},
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ruma::RoomId;
use tokio::{sync::Notify, time::Instant};
use tracing::{debug, error, info, warn};

pub(super) use self::{
    former_room::portal_of,
    gitter_room::{note, told},
    matrix_room::{Refusal, heed, refusal},
};
use self::{gitter_room::Digest, invitation::Invitation};
use super::{Bridge, BridgeError, catch_up, now, say::say};
use crate::{
    ids::GitterRoomId,
    store::{
        Portal, PortalState, StoreError, Tx, life,
        life::{Stop, StopCause},
        portal,
    },
};

/// The longest time between two looks at a Gitter room.
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// The shortest time between two rounds.
const ROUND: Duration = Duration::from_millis(500);

/// How many looks fit into `bridge.privacy_check`: so many may fail.
const LOOKS: u32 = 5;

/// Why what was said in a room that is private does not cross.
pub(super) const SAID_IN_PRIVATE: &str = "it was said in a room that is private";

/// What this process remembers of the portals' lives.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// When each Gitter room was last looked at.
    looked_at: Mutex<HashMap<GitterRoomId, Instant>>,
    /// When the last look at rooms was.
    last_look: Mutex<Option<Instant>>,
    /// What this process does about the bot's invitations back into rooms.
    invitations: Mutex<HashMap<GitterRoomId, Invitation>>,
    /// What each Gitter room was like when its Matrix room's state was last brought in step.
    in_step: Mutex<HashMap<GitterRoomId, Digest>>,
    /// Held while one room's state is brought in step: they take turns.
    turn: tokio::sync::Mutex<()>,
    /// Held while a portal follows its room: both its lanes may find out at once that it has to.
    moving: tokio::sync::Mutex<()>,
    /// The rooms whose holding was told.
    told_unconfirmed: Mutex<BTreeSet<GitterRoomId>>,
    /// Something is to be said or done at once.
    wake: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bridge {
    /// What was confirmed as public before then, no longer counts as that.
    pub(super) fn confirmed_since(&self, now: i64) -> i64 {
        let patience = i64::try_from(self.settings.privacy_check.as_millis()).unwrap_or(i64::MAX);
        now.saturating_sub(patience)
    }

    /// How often a Gitter room is looked at.
    fn look_every(&self) -> Duration {
        (self.settings.privacy_check / LOOKS).clamp(ROUND, LONGEST_LOOK)
    }

    /// Has the next look bring the state of a Gitter room's Matrix room in step again, whatever it was before.
    pub(super) fn put_out_of_step(&self, room: &GitterRoomId) {
        lock(&self.life.in_step).remove(room);
    }
}

/// Looks after the portals until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    loop {
        match bridge.stop.run_until_cancelled(round(&bridge)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => warn!(error = %error, "Portals cannot be looked after now; waiting"),
        }
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = bridge.life.wake.notified() => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

async fn round(bridge: &Arc<Bridge>) -> Result<(), BridgeError> {
    look(bridge).await?;
    report_unconfirmed(bridge).await?;
    say_what_is_to_say(bridge).await?;
    invitation::take_up(bridge).await?;
    Ok(())
}

/// Looks at the Gitter rooms whose turn it is, a few a round, so that they do not all come at once.
async fn look(bridge: &Bridge) -> Result<(), StoreError> {
    let every = bridge.look_every();
    let mut tx = bridge.db.read().await?;
    let portals = portal::portals(&mut tx).await?;
    drop(tx);
    let now = Instant::now();
    let since = lock(&bridge.life.last_look).replace(now);
    let since = since.map_or(ROUND, |last| now.duration_since(last));
    let share = share(portals.len(), since, every);
    let mut looked_at = lock(&bridge.life.looked_at);
    looked_at.retain(|room, _| portals.iter().any(|portal| portal.gitter_room_id == *room));
    let last_of = |room: &GitterRoomId| looked_at.get(room).copied();
    let mut due: Vec<GitterRoomId> = portals
        .into_iter()
        .map(|portal| portal.gitter_room_id)
        .filter(|room| {
            bridge.follows(room) && last_of(room).is_none_or(|last| now.duration_since(last) + ROUND > every)
        })
        .collect();
    // Those whose look is longest ago first, or the share would always be taken by the same.
    due.sort_by_key(last_of);
    due.truncate(share);
    for room in due {
        bridge.realtime.look_at(room.clone());
        looked_at.insert(room, now);
    }
    Ok(())
}

/// How many of some rooms are to be looked at when the last look was so long ago.
fn share(rooms: usize, since: Duration, every: Duration) -> usize {
    let rooms_of_time = u128::try_from(rooms).unwrap_or(u128::MAX) * since.min(every).as_millis();
    usize::try_from(rooms_of_time.div_ceil(every.as_millis().max(1))).unwrap_or(usize::MAX)
}

/// Says once of each room whose messages are held back because nobody can say whether it is public.
async fn report_unconfirmed(bridge: &Bridge) -> Result<(), StoreError> {
    let mut tx = bridge.db.read().await?;
    let unconfirmed = life::unconfirmed(&mut tx, bridge.confirmed_since(now())).await?;
    drop(tx);
    let now: BTreeSet<GitterRoomId> = unconfirmed.into_iter().collect();
    let before = std::mem::replace(&mut *lock(&bridge.life.told_unconfirmed), now.clone());
    for room in now.difference(&before) {
        error!(portal.room = %room, "Gitter does not confirm that a room is public; what is said there is held back \
            until it does");
    }
    for room in before.difference(&now) {
        info!(portal.room = %room, "A room's messages go on: Gitter confirms that it is public, or it has stopped");
        bridge.wake.notify_one();
    }
    Ok(())
}

/// Says, as the bot, what has become of portals. A homeserver that cannot be reached is asked again; one that refuses
/// is not.
async fn say_what_is_to_say(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let to_tell = life::to_tell(&mut tx).await?;
    drop(tx);
    for telling in to_tell {
        let key = format!("life {} {}", telling.gitter_room_id, telling.told_of);
        match say(bridge, &telling.matrix_room_id, &key, &telling.text).await {
            Err(BridgeError::Matrix(error))
                if error
                    .status()
                    .is_none_or(|status| status.is_server_error() || status == 429) =>
            {
                debug!(error = %error, "A room cannot be told now what has become of it");
                continue;
            }
            Err(error @ BridgeError::Matrix(_)) => {
                warn!(room.id = %telling.matrix_room_id, error = %error, "A room could not be told what has become of it");
            }
            said => said?,
        }
        let mut tx = bridge.db.write().await?;
        life::told(&mut tx, &telling).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Stops a portal, for what a Matrix room was seen to be if one is given; `false` if it has stopped so already, or is in
/// another Matrix room by now.
async fn stop(
    bridge: &Bridge,
    room: &GitterRoomId,
    seen: Option<&RoomId>,
    stop: &Stop,
) -> Result<bool, StoreError> {
    let mut tx = bridge.db.write().await?;
    catch_up::lock(&mut tx, iter::once(room)).await?;
    if let Some(seen) = seen {
        let portal = portal::portal_by_gitter_room(&mut tx, room).await?;
        if portal.is_none_or(|portal| portal.matrix_room_id != seen) {
            return Ok(false);
        }
    }
    let stopped = life::stop(&mut tx, room, stop, now()).await?;
    tx.commit().await?;
    if stopped {
        error!(portal.room = %room, portal.state = stop.state.as_str(), why = stop.detail, "A portal stops");
        bridge.portals_changed();
        bridge.life.wake.notify_one();
    }
    Ok(stopped)
}

/// The Gitter rooms of portals that are broken, and stay so whatever a start tries: only somebody can mend what stopped
/// them.
pub(super) struct Hopeless {
    /// They are gone, so there is nothing to follow.
    pub(super) gone: BTreeSet<GitterRoomId>,
    /// The bot is not in their Matrix rooms. They are followed: what is said waits, and they may turn private.
    pub(super) left: BTreeSet<GitterRoomId>,
}

pub(super) async fn hopeless(tx: &mut Tx) -> Result<Hopeless, StoreError> {
    let gone = life::stopped_by(tx, StopCause::Gone).await?;
    let left = life::stopped_by(tx, StopCause::Kicked).await?;
    Ok(Hopeless {
        gone: gone.into_iter().collect(),
        left: left.into_iter().collect(),
    })
}

/// Whether a portal has stopped because its Gitter room is gone.
pub(super) async fn is_gone(tx: &mut Tx, portal: &Portal) -> Result<bool, StoreError> {
    let life = life::of(tx, &portal.gitter_room_id).await?;
    let for_that = life.is_some_and(|life| life.stopped_by == Some(StopCause::Gone));
    Ok(for_that && portal.state == PortalState::Broken)
}

/// Whether a portal's Gitter room is followed while it is in a state: what is said meanwhile then waits for it to go on.
pub(super) const fn is_followed(state: PortalState) -> bool {
    !matches!(state, PortalState::Private)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_round_makes_up_for_those_that_were_not() {
        let every = Duration::from_mins(1);
        let share = |since| share(240, since, every);
        assert_eq!(share(ROUND), 2);
        assert_eq!(share(ROUND * 60), 120);
        assert_eq!(share(every * 5), 240);
        assert_eq!(share(Duration::ZERO), 0);
    }
}
