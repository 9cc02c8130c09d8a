//! Stops portals, and lets them go on, as an operator asks.

use std::{iter, sync::Arc};

use http::StatusCode;
use tracing::info;

use super::{
    SAID_IN_PRIVATE, StopCause,
    gitter_room::{NOT_PUBLIC, NOT_READABLE, turn_private},
    matrix_room, upgrade,
};
use crate::{
    bridge::{Bridge, BridgeError, catch_up, now, provision::ProvisionError},
    gitter::{Class, GitterError, MessagePage},
    model,
    store::{Direction, LaneKey, Portal, PortalState, lane, life, life::Stop, media, portal},
};

/// What has to be mended.
const PRIVATE: &str = "the Gitter room is private; make it public on Gitter first";

fn works(portal: &Portal) -> bool {
    matches!(portal.state, PortalState::Active | PortalState::CatchingUp)
}

impl Bridge {
    /// Stops a portal, given by either side's id: what is said from here on waits. One that has stopped already stays
    /// as it is.
    ///
    /// # Errors
    /// When the room is not linked, or the database fails.
    pub async fn pause(&self, room: &str) -> Result<(), ProvisionError> {
        let portal = self.find_portal(room).await?;
        if works(&portal) {
            let stop = Stop {
                state: PortalState::Paused,
                cause: StopCause::Operator,
                detail: format!(
                    "it was paused; what is said waits. To go on: gitter-matrix-bridge room resume {}",
                    portal.gitter_room_id
                ),
                to_tell: String::new(),
            };
            let mut tx = self.db.write().await?;
            catch_up::lock(&mut tx, iter::once(&portal.gitter_room_id)).await?;
            // It may have stopped for another reason since.
            let current = portal::portal_by_gitter_room(&mut tx, &portal.gitter_room_id).await?;
            if !current.is_some_and(|current| works(&current)) {
                return Ok(());
            }
            life::stop(&mut tx, &portal.gitter_room_id, &stop, now()).await?;
            tx.commit().await?;
            info!(portal.uri = portal.gitter_uri, "A portal is paused");
            self.portals_changed();
        }
        Ok(())
    }

    /// Lets a portal that stopped go on, given by either side's id; what waited crosses, and what was missed. Looks
    /// first whether what stopped it is mended.
    ///
    /// # Errors
    /// When the room is not linked, what stopped its portal is not mended, or a side cannot be asked.
    pub async fn resume(self: &Arc<Self>, room: &str) -> Result<(), ProvisionError> {
        let portal = self.find_portal(room).await?;
        if works(&portal) {
            return Ok(());
        }
        let mut tx = self.db.read().await?;
        let life = life::of(&mut tx, &portal.gitter_room_id).await?;
        drop(tx);
        let stopped_by = life.and_then(|life| life.stopped_by);
        // Whatever stopped it: the room may have turned private since.
        self.gitter_room_is_public(&portal).await?;
        if stopped_by != Some(StopCause::Operator) {
            match matrix_room::get_in(self, &portal).await? {
                None => {}
                Some(obstacle) if obstacle.cause == StopCause::Upgraded => {
                    if let Some(obstacle) = upgrade::follow(self, &portal).await? {
                        return Err(refused(&portal, &obstacle.detail));
                    }
                }
                Some(obstacle) => return Err(refused(&portal, &obstacle.detail)),
            }
        }
        // A room that seemed to be gone was one that the account could not read.
        if portal.state == PortalState::Private || stopped_by == Some(StopCause::Gone) {
            self.start_anew(&portal).await?;
        }
        if !self.go_on(&portal).await? {
            return Err(refused(&portal, PRIVATE));
        }
        Ok(())
    }

    /// Sets a portal that stopped to catch up; `false` if it turned private meanwhile.
    pub(super) async fn go_on(&self, portal: &Portal) -> Result<bool, BridgeError> {
        let room = &portal.gitter_room_id;
        let mut tx = self.db.write().await?;
        catch_up::lock(&mut tx, iter::once(room)).await?;
        let current = portal::portal_by_gitter_room(&mut tx, room).await?;
        let is_private = current.is_some_and(|current| current.state == PortalState::Private);
        if is_private && portal.state != PortalState::Private {
            return Ok(false);
        }
        let goes_on = life::go_on(&mut tx, room).await?;
        media::resume(&mut tx, room).await?;
        tx.commit().await?;
        if goes_on {
            info!(portal.uri = portal.gitter_uri, "A portal goes on");
        }
        self.subscribe(room);
        self.portals_changed();
        self.wake.notify_one();
        Ok(true)
    }

    /// Refuses where the room is not public, and notes that: what was said there meanwhile must not cross later on.
    async fn gitter_room_is_public(&self, portal: &Portal) -> Result<(), ProvisionError> {
        match self.gitter.room(&portal.gitter_room_id).await {
            Ok(room) if room.public => Ok(()),
            Ok(_) => {
                turn_private(self, &portal.gitter_room_id, NOT_PUBLIC).await?;
                Err(refused(portal, PRIVATE))
            }
            Err(GitterError::Status { status, .. }) if status == StatusCode::NOT_FOUND => {
                Err(refused(portal, "the Gitter room is gone; unlink it"))
            }
            Err(GitterError::Status { status, .. }) if status == StatusCode::FORBIDDEN => {
                turn_private(self, &portal.gitter_room_id, NOT_READABLE).await?;
                Err(refused(
                    portal,
                    "Gitter does not let the account read the room; make it public there, and unban the account",
                ))
            }
            Err(error) => Err(BridgeError::from(error).into()),
        }
    }

    /// Sets a portal to catch up whose Gitter room was private: what was said there meanwhile does not cross, whoever
    /// still takes it in.
    async fn start_anew(&self, portal: &Portal) -> Result<(), ProvisionError> {
        let room = &portal.gitter_room_id;
        let newest = MessagePage {
            after: None,
            before: None,
            limit: 1,
            class: Class::Read,
        };
        let newest = self
            .gitter
            .messages(room, &newest)
            .await
            .map_err(BridgeError::from)?;
        let newest = newest
            .last()
            .and_then(|raw| serde_json::from_str::<model::Message>(raw.get()).ok());
        let mut tx = self.db.write().await?;
        lane::lock_lane(&mut tx, &LaneKey::live(Some(room), Direction::ToMatrix)).await?;
        if let Some(newest) = newest {
            life::set_since(&mut tx, room, &newest.id).await?;
            lane::advance_cursor(&mut tx, room, newest.id.as_str()).await?;
        }
        let now = now();
        let withheld = life::withhold(&mut tx, room, SAID_IN_PRIVATE, now).await?;
        life::begin_anew(&mut tx, room, now).await?;
        life::go_on(&mut tx, room).await?;
        media::resume(&mut tx, room).await?;
        tx.commit().await?;
        info!(portal.uri = portal.gitter_uri, withheld, "A portal begins anew");
        Ok(())
    }

    /// What there is of a portal, as it is now.
    pub(super) async fn portal_now(&self, portal: &Portal) -> Result<Option<Portal>, BridgeError> {
        let mut tx = self.db.read().await?;
        Ok(portal::portal_by_gitter_room(&mut tx, &portal.gitter_room_id).await?)
    }
}

fn refused(portal: &Portal, why: &str) -> ProvisionError {
    ProvisionError::Invalid {
        error: format!("the portal of {} cannot go on: {why}", portal.gitter_uri),
        mend: format!(
            "mend that, then resume it again: gitter-matrix-bridge room resume {}",
            portal.gitter_room_id
        ),
    }
}
