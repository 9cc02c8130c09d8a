//! Making a Matrix room for a Gitter room (DESIGN 5).
//!
//! The alias of the Gitter room's id is what keeps two rooms from being made for one: a room that was made and not
//! noted, because the bridge died in between, is found by it and taken up.

use ruma::{OwnedRoomId, OwnedUserId, UserId, events::StateEventType};
use serde_json::{Value, json};
use tracing::info;

use super::{Linked, NewLink, ProvisionError, checks::Survey};
use crate::{
    bridge::{Bridge, BridgeError, alias, kill_point::KillPoint, room_state},
    check::Checks,
    matrix::{MatrixError, NewRoom},
    model,
    store::{Direction, Portal, portal},
};

/// What a room that the bridge made says of the Gitter room, from its beginning and for good.
const MADE_FOR: &str = "im.gitter.room_id";

/// Whether the bridge made a Matrix room for a Gitter room; `false` also where it may not look.
pub(super) async fn is_made_for(
    bridge: &Bridge,
    matrix: &ruma::RoomId,
    gitter: &model::Room,
) -> Result<bool, MatrixError> {
    match bridge.matrix.creation(matrix).await {
        Err(error) if error.is("M_FORBIDDEN") => Ok(false),
        creation => Ok(creation?
            .is_some_and(|creation| creation.is_by(bridge.matrix.bot(), MADE_FOR, gitter.id.as_str()))),
    }
}

impl Bridge {
    /// Makes a room as an operator asks, after the checks.
    pub(super) async fn create(
        &self,
        survey: Survey,
        requester: Option<&UserId>,
    ) -> Result<Linked, ProvisionError> {
        match survey.gitter_room {
            Some(gitter) if survey.checks.all_passed() => {
                let portal = self
                    .create_for(&gitter, requester, Some(survey.virtual_users))
                    .await?;
                Ok(Linked::New(NewLink {
                    portal: self.view(portal).await?,
                    notes: survey.checks.into_advice(),
                }))
            }
            _ => Err(ProvisionError::Checks(survey.checks.into_vec())),
        }
    }

    /// The portal of a public Gitter room; made, with its Matrix room, if there is none. Whether virtual users may post
    /// there is found out if it is not known.
    pub(in crate::bridge) async fn create_for(
        &self,
        gitter: &model::Room,
        requester: Option<&UserId>,
        virtual_users: Option<bool>,
    ) -> Result<Portal, ProvisionError> {
        let _alone = self.lock_room(&gitter.id).await;
        if let Some(portal) = self.portal_of(gitter).await? {
            return Ok(portal);
        }
        let virtual_users = if let Some(known) = virtual_users {
            known
        } else {
            let allowed = self.gitter.virtual_users_allowed(&gitter.id).await;
            allowed.map_err(BridgeError::from)?
        };
        let matrix = self.make_room(gitter, requester).await?;
        KillPoint::RoomMade.reached(Direction::ToMatrix);
        match self.make_portal(gitter, matrix, virtual_users, None).await {
            // Another process on the same database was first.
            Err(taken @ ProvisionError::AlreadyLinked { .. }) => self.portal_of(gitter).await?.ok_or(taken),
            made => made,
        }
    }

    async fn portal_of(&self, gitter: &model::Room) -> Result<Option<Portal>, ProvisionError> {
        let mut tx = self.db.read().await?;
        Ok(portal::portal_by_gitter_room(&mut tx, &gitter.id).await?)
    }

    /// The Matrix room for a Gitter room: a new one, or the one that was made for it before.
    async fn make_room(
        &self,
        gitter: &model::Room,
        requester: Option<&UserId>,
    ) -> Result<OwnedRoomId, ProvisionError> {
        let creation = match requester {
            None => json!({ MADE_FOR: gitter.id }),
            // From room version 12 on; older ones pay no heed to it.
            Some(requester) => json!({ MADE_FOR: gitter.id, "additional_creators": [requester] }),
        };
        let new = NewRoom {
            alias: alias::localpart_of_id(self, gitter.id.as_str()),
            name: room_state::name(gitter).to_owned(),
            creation,
            state: vec![
                ("m.room.topic", json!({ "topic": gitter.topic })),
                (
                    "m.room.history_visibility",
                    json!({ "history_visibility": "world_readable" }),
                ),
            ],
            power_levels: None,
            invite: requester.map(OwnedUserId::from).into_iter().collect(),
        };
        let room = match self.matrix.create_room(&new).await {
            Err(error) if error.is("M_ROOM_IN_USE") => {
                if let Some(room) = self.adopt(gitter).await? {
                    return Ok(room);
                }
                self.matrix.create_room(&new).await.map_err(BridgeError::from)?
            }
            made => made.map_err(BridgeError::from)?,
        };
        info!(portal.uri = gitter.uri, portal.matrix_room = %room, "Made a Matrix room");
        if let Some(requester) = requester {
            self.share_power(&room, requester)
                .await
                .map_err(BridgeError::from)?;
        }
        Ok(room)
    }

    /// Takes up the room that has the alias already. Where the bot cannot get in any more, the alias is taken from it.
    async fn adopt(&self, gitter: &model::Room) -> Result<Option<OwnedRoomId>, ProvisionError> {
        let localpart = alias::localpart_of_id(self, gitter.id.as_str());
        let alias = alias::alias_of(self, &localpart);
        let room = match &alias {
            Some(alias) => alias::resolve(self, alias).await?,
            None => None,
        };
        if let Some(room) = room
            && is_made_for(self, &room, gitter)
                .await
                .map_err(BridgeError::from)?
        {
            let found = alias::enter(self, alias.as_deref(), room).await;
            let found = found.map_err(BridgeError::from)?;
            if let Some(room) = &found {
                info!(portal.uri = gitter.uri, portal.matrix_room = %room, "Took up a room that was made before");
            }
            return Ok(found);
        }
        let mut checks = Checks::default();
        alias_is_taken(&mut checks, &localpart);
        Err(ProvisionError::Checks(checks.into_vec()))
    }

    /// Gives the requester the bot's power, where the room's version did not do so already.
    async fn share_power(&self, room: &ruma::RoomId, requester: &UserId) -> Result<(), MatrixError> {
        if self.matrix.room_access(room).await?.has_privileged_creators() {
            return Ok(());
        }
        let event_type = StateEventType::RoomPowerLevels;
        let levels = self.matrix.state(room, event_type.clone(), "").await?;
        let Some(mut levels) = levels else { return Ok(()) };
        if let Some(users) = levels.get_mut("users").and_then(Value::as_object_mut) {
            users.insert(requester.as_str().to_owned(), json!(100));
        }
        self.matrix.set_state(room, event_type, "", &levels).await?;
        Ok(())
    }
}

/// The alias that the new room is to have is free, or leads to a room that was made for it before.
pub(super) async fn alias_is_free(bridge: &Bridge, survey: &mut Survey) -> Result<(), ProvisionError> {
    let Some(gitter) = survey.gitter_room.clone() else {
        return Ok(());
    };
    let localpart = alias::localpart_of_id(bridge, gitter.id.as_str());
    let Some(alias) = alias::alias_of(bridge, &localpart) else {
        return Ok(());
    };
    match alias::resolve(bridge, &alias).await? {
        None => survey.checks.passed(ALIAS_FREE, format!("{alias} is free")),
        Some(room) => {
            let ours = is_made_for(bridge, &room, &gitter).await;
            if ours.map_err(BridgeError::from)? {
                let detail = format!("{alias} leads to {room}, which was made for this room before");
                survey.checks.passed(ALIAS_FREE, detail);
            } else {
                alias_is_taken(&mut survey.checks, &localpart);
            }
        }
    }
    Ok(())
}

const ALIAS_FREE: &str = "matrix_alias_free";

fn alias_is_taken(checks: &mut Checks, localpart: &str) {
    checks.failed(
        ALIAS_FREE,
        format!("#{localpart} leads to a room that this bridge did not make for the Gitter room"),
        "link that room, or have an admin of the homeserver delete the alias",
    );
}
