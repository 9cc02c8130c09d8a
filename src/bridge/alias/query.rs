//! What the homeserver asks when somebody tries an alias that it does not know (application service API, "Querying").
//!
//! What is stored is looked at first. Gitter is asked little: a query must not spend the budget of messages, nor be
//! a way to make rooms of what is not public.

use std::{str::FromStr as _, sync::Arc};

use ruma::{OwnedRoomAliasId, RoomAliasId};
use tracing::{info, warn};

use super::{Candidates, candidates, is_id, is_known, lead, look_up, look_up_id, names};
use crate::{
    bridge::{Bridge, BridgeError, now, provision::ProvisionError},
    ids::GitterRoomId,
    model,
    store::{Portal, PortalState, alias as aliases, portal},
};

/// The most rooms that are made within a day before aliases make no more: each costs requests for ever.
const ROOMS_A_DAY: i64 = 50;

/// A day, in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// What an alias leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasAnswer {
    /// To a room, which the alias has now.
    Room,
    /// To nothing, or not to one room alone.
    Nothing,
    /// It is not known: too much was asked of late.
    Later,
}

/// What Gitter has for an alias.
enum Found {
    Portal(Portal),
    Room(model::Room),
    Nothing,
    Later,
}

impl Bridge {
    /// Lets an alias lead to a portal's room; the portal is made if a public Gitter room stands for the alias alone.
    ///
    /// # Errors
    /// When the database or one of the sides fails, or the room cannot be bridged.
    pub async fn query_alias(self: &Arc<Self>, alias: &str) -> Result<AliasAnswer, ProvisionError> {
        let Ok(alias) = OwnedRoomAliasId::try_from(alias) else {
            return Ok(AliasAnswer::Nothing);
        };
        let settings = &self.settings;
        let Some(text) = names::named(&alias, &settings.alias_prefix, &settings.server_name) else {
            return Ok(AliasAnswer::Nothing);
        };
        let mut tx = self.db.read().await?;
        if aliases::is_asked(&mut tx, &alias, now()).await? {
            return Ok(AliasAnswer::Nothing);
        }
        drop(tx);
        // Two who try one alias at once ask Gitter once.
        let name = format!("alias {}", text.to_lowercase());
        let _alone = self.locks.lock(&name).await;
        let portal = match self.find(&alias, text).await? {
            Found::Portal(portal) => portal,
            Found::Room(_) if !self.may_make_a_room().await? => {
                warn!(alias = %alias, "No room is made for an alias now: {ROOMS_A_DAY} were made within a day");
                return Ok(AliasAnswer::Later);
            }
            Found::Room(room) => self.create_for_alias(&room).await?,
            Found::Nothing => return Ok(AliasAnswer::Nothing),
            Found::Later => {
                info!(alias = %alias, "An alias is not looked for now: Gitter was asked for too many of late");
                return Ok(AliasAnswer::Later);
            }
        };
        Ok(if self.point(&alias, &portal).await? {
            AliasAnswer::Room
        } else {
            AliasAnswer::Nothing
        })
    }

    /// Makes an alias lead to a portal's room. What is noted of it may be wrong: the homeserver does not know it.
    async fn point(&self, alias: &RoomAliasId, portal: &Portal) -> Result<bool, BridgeError> {
        if is_known(self, alias, portal).await? {
            super::take(self, alias, &portal.matrix_room_id).await?;
            return Ok(true);
        }
        lead(self, alias, portal, false).await
    }

    async fn may_make_a_room(&self) -> Result<bool, BridgeError> {
        let mut tx = self.db.read().await?;
        Ok(portal::count_created(&mut tx, now() - DAY).await? < ROOMS_A_DAY)
    }

    async fn find(&self, alias: &RoomAliasId, text: &str) -> Result<Found, BridgeError> {
        let mut tx = self.db.read().await?;
        if let Some(known) = aliases::alias(&mut tx, alias).await?
            && let Some(portal) = portal::portal_by_gitter_room(&mut tx, &known.gitter_room_id).await?
        {
            return Ok(Found::Portal(portal));
        }
        drop(tx);
        if is_id(text)
            && let Ok(id) = GitterRoomId::from_str(&text.to_lowercase())
        {
            return self.find_by_id(&id).await;
        }
        let Candidates {
            of_two_parts,
            of_three_parts,
        } = candidates(text);
        match self.the_only_one(&of_two_parts).await? {
            Found::Nothing if !of_two_parts.is_empty() => self.the_only_one(&of_three_parts).await,
            found => Ok(found),
        }
    }

    async fn find_by_id(&self, id: &GitterRoomId) -> Result<Found, BridgeError> {
        let mut tx = self.db.read().await?;
        if let Some(portal) = portal::portal_by_gitter_room(&mut tx, id).await? {
            return Ok(Found::Portal(portal));
        }
        drop(tx);
        let allowance = &self.aliases.allowance;
        if allowance.is_missed(id.as_str()) {
            return Ok(Found::Nothing);
        }
        if !allowance.take() {
            return Ok(Found::Later);
        }
        let Some(room) = look_up_id(self, id).await? else {
            allowance.miss(id.as_str());
            return Ok(Found::Nothing);
        };
        Ok(Found::Room(room))
    }

    /// The one room that some URIs name. Two that both exist are as good as none: nobody could say which is meant.
    async fn the_only_one(&self, uris: &[String]) -> Result<Found, BridgeError> {
        let allowance = &self.aliases.allowance;
        let together = uris.join(" ").to_lowercase();
        if allowance.is_missed(&together) {
            return Ok(Found::Nothing);
        }
        let mut tx = self.db.read().await?;
        // One that does not work may be of a room that is gone, and another may have its URI now.
        let mut portals = portal::portals(&mut tx).await?;
        portals.retain(|portal| portal.state != PortalState::Broken);
        drop(tx);
        let mut only = Found::Nothing;
        for uri in uris {
            let lower = uri.to_lowercase();
            let known = portals
                .iter()
                .find(|portal| portal.gitter_uri.to_lowercase() == lower);
            let found = if let Some(portal) = known {
                Found::Portal(portal.clone())
            } else if allowance.is_missed(&lower) || !self.settings.rooms.allow(uri) {
                continue;
            } else if !allowance.take() {
                return Ok(Found::Later);
            } else if let Some(room) = look_up(self, uri).await? {
                Found::Room(room)
            } else {
                allowance.miss(&lower);
                continue;
            };
            if !matches!(only, Found::Nothing) {
                info!(uris = ?uris, "An alias stands for two rooms of Gitter; it is taken for neither");
                allowance.miss(&together);
                return Ok(Found::Nothing);
            }
            only = found;
        }
        Ok(only)
    }

    /// Makes a room in a task of its own: a homeserver that does not wait does not leave a half-made portal.
    async fn create_for_alias(self: &Arc<Self>, room: &model::Room) -> Result<Portal, ProvisionError> {
        let bridge = Arc::clone(self);
        let (id, room) = (room.id.clone(), room.clone());
        let made = self
            .tracker
            .spawn(async move { bridge.create_for(&room, None, None).await });
        match made.await {
            Ok(made) => made,
            Err(failure) => {
                warn!(portal.room = %id, error = %failure, "Making a room broke off");
                Err(ProvisionError::NotFound(id.to_string()))
            }
        }
    }
}
