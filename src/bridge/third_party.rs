//! What clients that search other networks are told of Gitter's rooms and people (application service API, "Third-party
//! networks"). All of it from the store: nobody's search costs a request.

use ruma::{OwnedRoomAliasId, RoomAliasId, UserId};
use serde::Serialize;

use super::{Bridge, BridgeError, alias};
use crate::store::{Ghost, Portal, alias as aliases, ghost, portal};

/// The name of the protocol.
pub const PROTOCOL: &str = "gitter";

/// The most rooms that one search gives.
const MOST: usize = 50;

/// A bridged room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    alias: OwnedRoomAliasId,
    protocol: &'static str,
    fields: RoomFields,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct RoomFields {
    room: String,
}

/// A ghost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    userid: String,
    protocol: &'static str,
    fields: PersonFields,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct PersonFields {
    username: String,
}

impl From<Ghost> for Person {
    fn from(ghost: Ghost) -> Self {
        Self {
            userid: ghost.user_id.into(),
            protocol: PROTOCOL,
            fields: PersonFields {
                username: ghost.username,
            },
        }
    }
}

impl Bridge {
    /// Bridged rooms whose Gitter URI holds a text; the one with just that URI alone, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_rooms(&self, text: &str) -> Result<Vec<Location>, BridgeError> {
        let text = text.trim().trim_matches('/').to_lowercase();
        let mut tx = self.db.read().await?;
        let mut found = portal::portals(&mut tx).await?;
        found.retain(|portal| portal.gitter_uri.to_lowercase().contains(&text));
        if let Some(exact) = found
            .iter()
            .find(|portal| portal.gitter_uri.to_lowercase() == text)
        {
            found = vec![exact.clone()];
        }
        let mut locations = Vec::new();
        for portal in found.into_iter().take(MOST) {
            let known = aliases::aliases_of(&mut tx, &portal.gitter_room_id).await?;
            let known: Vec<OwnedRoomAliasId> = known.into_iter().map(|known| known.alias).collect();
            locations.extend(alias::to_show(self, &portal, &known).map(|alias| location(alias, portal)));
        }
        Ok(locations)
    }

    /// The bridged room that an alias of the bridge's leads to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn room_with_alias(&self, alias: &str) -> Result<Option<Location>, BridgeError> {
        let Ok(alias) = RoomAliasId::parse(alias) else {
            return Ok(None);
        };
        let mut tx = self.db.read().await?;
        let Some(known) = aliases::alias(&mut tx, &alias).await? else {
            return Ok(None);
        };
        let portal = portal::portal_by_gitter_room(&mut tx, &known.gitter_room_id).await?;
        Ok(portal.map(|portal| location(alias, portal)))
    }

    /// Ghosts of people with a Gitter user name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people_named(&self, username: &str) -> Result<Vec<Person>, BridgeError> {
        let username = username.trim().trim_start_matches('@');
        let mut tx = self.db.read().await?;
        let found = ghost::ghosts_by_username(&mut tx, username).await?;
        Ok(found
            .into_iter()
            .filter(|ghost| ghost.registered && !ghost.username.is_empty())
            .map(Person::from)
            .collect())
    }

    /// The person that a Matrix user stands for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person_of(&self, user: &str) -> Result<Option<Person>, BridgeError> {
        let Ok(user) = UserId::parse(user) else {
            return Ok(None);
        };
        let mut tx = self.db.read().await?;
        let ghost = ghost::ghost_by_user_id(&mut tx, &user).await?;
        Ok(ghost
            .filter(|ghost| ghost.registered && !ghost.username.is_empty())
            .map(Person::from))
    }
}

fn location(alias: OwnedRoomAliasId, portal: Portal) -> Location {
    Location {
        alias,
        protocol: PROTOCOL,
        fields: RoomFields {
            room: portal.gitter_uri,
        },
    }
}
