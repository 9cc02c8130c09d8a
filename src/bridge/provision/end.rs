//! Ending portals: unlinked, replaced by another, or in the way of one though their Gitter room is gone.
//!
//! Whoever ends a portal means the one that was looked at. If its rooms were linked anew meanwhile, that link stays.

use tracing::info;

use super::{ProvisionError, store_portal};
use crate::{
    bridge::{Bridge, catch_up, leave, life as lives, now},
    ids::MediaId,
    matrix::JoinedMember,
    outcome::{Outcome, Reason},
    store::{
        Direction, LaneKey, Portal, StoreError, Tx, attempt, ban, code, inbox, lane,
        leaving::{self, Cause, Leaving},
        life, media, member, person, portal, room_admin, setting,
    },
};

impl Bridge {
    /// Unlinks a room, given by either side's id. Ghosts leave; what waits is dropped; the map stays.
    pub async fn unlink(&self, room: &str) -> Result<(), ProvisionError> {
        let portal = self.find_portal(room).await?;
        self.end(&portal).await
    }

    /// Unlinks the rooms of just this portal.
    pub(in crate::bridge) async fn end(&self, portal: &Portal) -> Result<(), ProvisionError> {
        let _alone = self.lock_room(&portal.gitter_room_id).await;
        let Some(leaving) = self.part(portal, None).await? else {
            return Err(ProvisionError::NotFound(portal.gitter_uri.clone()));
        };
        info!(portal.uri = portal.gitter_uri, portal.matrix_room = %portal.matrix_room_id, "Unlinked a room");
        leave::take_leave(self, &leaving).await;
        Ok(())
    }

    /// Unlinks the rooms of a portal whose Gitter room is gone. One that is not what it was stays: whoever links its
    /// Matrix room looks again.
    pub(super) async fn clear_away(&self, outlived: &Portal) -> Result<(), ProvisionError> {
        let _alone = self.lock_room(&outlived.gitter_room_id).await;
        let mut tx = self.db.read().await?;
        let now = portal::portal_by_gitter_room(&mut tx, &outlived.gitter_room_id).await?;
        let is_gone = match now {
            Some(now) => lives::is_gone(&mut tx, &now).await?,
            None => false,
        };
        drop(tx);
        if is_gone && let Some(leaving) = self.part(outlived, None).await? {
            info!(portal.uri = outlived.gitter_uri, portal.matrix_room = %outlived.matrix_room_id, "Unlinked a room");
            leave::take_leave(self, &leaving).await;
        }
        Ok(())
    }

    /// Removes a portal, and puts its successor in its place if there is one. Gives what is left to be done, which is noted
    /// with it; `None` if the portal is not what it was. The caller holds the lock of the Gitter room.
    pub(super) async fn part(
        &self,
        portal: &Portal,
        successor: Option<(&Portal, Vec<JoinedMember>)>,
    ) -> Result<Option<Leaving>, ProvisionError> {
        let room = &portal.gitter_room_id;
        catch_up::stop_catch_up(self, room).await;
        let mut tx = self.db.write().await?;
        for direction in [Direction::ToGitter, Direction::ToMatrix] {
            lane::lock_lane(&mut tx, &LaneKey::live(Some(room), direction)).await?;
        }
        let now_linked = portal::portal_by_gitter_room(&mut tx, room).await?;
        if !now_linked.is_some_and(|linked| is_same(&linked, portal)) {
            return Ok(None);
        }
        let leaving = Leaving {
            gitter_room_id: room.clone(),
            matrix_room_id: portal.matrix_room_id.clone(),
            gitter_uri: portal.gitter_uri.clone(),
            cause: if successor.is_some() {
                Cause::Replaced
            } else {
                Cause::Unlinked
            },
            ghosts: member::ghosts_in(&mut tx, &portal.matrix_room_id).await?,
            noted_at: now(),
        };
        leaving::note(&mut tx, &leaving).await?;
        let rested = drop_portal(&mut tx, portal).await?;
        if let Some((successor, members)) = successor {
            store_portal(&mut tx, successor, members).await?;
        }
        tx.commit().await?;
        // Not before: a portal that stays after all is to be followed.
        self.unsubscribe(room);
        self.put_out_of_step(room);
        self.cache.remove(&rested).await;
        Ok(Some(leaving))
    }
}

/// Whether a portal is the one that was looked at: not made anew, and in the same Matrix room.
fn is_same(now: &Portal, before: &Portal) -> bool {
    now.matrix_room_id == before.matrix_room_id && now.created_at == before.created_at
}

/// Removes a portal whose lanes are locked; its items get their outcome and nothing waits for its attempts any more. Gives
/// the links that rest, whose copies are to go after the commit.
async fn drop_portal(tx: &mut Tx, portal: &Portal) -> Result<Vec<MediaId>, StoreError> {
    let room = &portal.gitter_room_id;
    let outcome = Outcome::Skipped(Reason::DroppedByOperator, "the room was unlinked".to_owned());
    // Attempts before items, as everywhere: in the other order this and a delivery may wait for each other.
    attempt::abandon_attempts(tx, room.as_str()).await?;
    inbox::settle_waiting(tx, room, &outcome, now()).await?;
    member::clear_members(tx, &portal.matrix_room_id).await?;
    person::clear(tx, room).await?;
    // What was allowed for these two rooms is not for the next that one of them is linked with.
    setting::clear(tx, room).await?;
    ban::clear_bans(tx, room).await?;
    code::forget_link(tx, room, &portal.matrix_room_id).await?;
    let rested = media::suspend(tx, room).await?;
    life::clear_former(tx, room).await?;
    room_admin::set_room_admins(tx, room, &[]).await?;
    portal::delete_portal(tx, room).await?;
    Ok(rested)
}
