//! Aliases of portals (DESIGN 5): `<alias_prefix>` and the Gitter room's URI with `_` for `/`, or its id.
//!
//! Only the bridge can make aliases in its namespace, so one that leads elsewhere is left over from before and is
//! taken over. The alias of a former URI stays. An alias that could as well stand for another Gitter room is not
//! made; the one of the id always is, and it also keeps two rooms from being made for one of Gitter's.

mod allowance;
#[cfg(fuzzing)]
pub mod fuzzing;
mod names;
mod query;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use http::StatusCode;
use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId, RoomId, events::StateEventType};
use serde_json::json;
use tracing::{info, warn};

pub(super) use self::names::is_id;
pub use self::query::AliasAnswer;
use self::{
    allowance::Allowance,
    names::{Candidates, candidates},
};
use super::{Bridge, BridgeError, now};
use crate::{
    gitter::GitterError,
    ids::GitterRoomId,
    matrix::MatrixError,
    model,
    store::{
        Portal,
        alias::{self as aliases, Alias},
        portal,
    },
};

/// What this process remembers of aliases.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// For aliases that people try.
    allowance: Allowance,
    /// Whether the alias of a URI stands for that URI alone, of those that were looked at.
    unambiguous: Mutex<HashMap<String, bool>>,
}

/// The localpart of the alias that every Gitter room has for itself.
pub(super) fn localpart_of_id(bridge: &Bridge, id: &str) -> String {
    names::localpart(&bridge.settings.alias_prefix, id)
}

/// An alias on this homeserver; none if it would be too long.
pub(super) fn alias_of(bridge: &Bridge, localpart: &str) -> Option<OwnedRoomAliasId> {
    names::alias(localpart, &bridge.settings.server_name)
}

/// Sees to it that the aliases of a room that the bridge made lead to it. Gives them, the one to show first.
pub(super) async fn keep(
    bridge: &Bridge,
    portal: &Portal,
    room: &model::Room,
) -> Result<Vec<OwnedRoomAliasId>, BridgeError> {
    let uri = room.uri.as_deref().unwrap_or(&portal.gitter_uri);
    let of_uri = names::localpart(&bridge.settings.alias_prefix, uri);
    let lower = of_uri.to_lowercase();
    let mut localparts = vec![of_uri];
    if !localparts.contains(&lower) {
        localparts.push(lower);
    }
    let mut kept = Vec::new();
    for localpart in localparts {
        let Some(alias) = alias_of(bridge, &localpart) else {
            continue;
        };
        let known = is_known(bridge, &alias, portal).await?;
        if (known || is_unambiguous(bridge, uri).await?) && lead(bridge, &alias, portal, known).await? {
            kept.push(alias);
        }
    }
    let of_id = localpart_of_id(bridge, portal.gitter_room_id.as_str());
    if let Some(alias) = alias_of(bridge, &of_id) {
        let known = is_known(bridge, &alias, portal).await?;
        if lead(bridge, &alias, portal, known).await? {
            kept.push(alias);
        }
    }
    Ok(kept)
}

/// The alias to tell people of a portal: one that it has, by its URI if it can be, or one that it gets once it is tried.
pub(super) fn to_show(
    bridge: &Bridge,
    portal: &Portal,
    known: &[OwnedRoomAliasId],
) -> Option<OwnedRoomAliasId> {
    let of = |name: &str| alias_of(bridge, &names::localpart(&bridge.settings.alias_prefix, name));
    let by_uri = of(&portal.gitter_uri);
    let by_id = of(portal.gitter_room_id.as_str());
    let text = portal.gitter_uri.replace('/', "_");
    let alone = candidates(&text).of_two_parts.len() == 1;
    by_uri.filter(|alias| alone || known.contains(alias)).or(by_id)
}

/// Whether it is noted that an alias leads to a portal's room.
async fn is_known(bridge: &Bridge, alias: &RoomAliasId, portal: &Portal) -> Result<bool, BridgeError> {
    let mut tx = bridge.db.read().await?;
    let known = aliases::alias(&mut tx, alias).await?;
    Ok(known.is_some_and(|known| {
        known.gitter_room_id == portal.gitter_room_id && known.matrix_room_id == portal.matrix_room_id
    }))
}

/// Whether an alias is noted as one of a portal.
pub(super) async fn is_of_portal(bridge: &Bridge, alias: &RoomAliasId) -> Result<bool, BridgeError> {
    let mut tx = bridge.db.read().await?;
    let Some(known) = aliases::alias(&mut tx, alias).await? else {
        return Ok(false);
    };
    let portal = portal::portal_by_gitter_room(&mut tx, &known.gitter_room_id).await?;
    Ok(portal.is_some())
}

/// Lets an alias lead to a portal's room, unless another portal has it or the homeserver refuses; `false` then.
/// Where it is `known` to do so already, nothing is asked.
async fn lead(
    bridge: &Bridge,
    alias: &RoomAliasId,
    portal: &Portal,
    known: bool,
) -> Result<bool, BridgeError> {
    if known {
        return Ok(true);
    }
    let mut tx = bridge.db.read().await?;
    if let Some(other) = aliases::alias(&mut tx, alias).await?
        && other.gitter_room_id != portal.gitter_room_id
        && portal::portal_by_gitter_room(&mut tx, &other.gitter_room_id)
            .await?
            .is_some()
    {
        info!(alias = %alias, portal.room = %portal.gitter_room_id, "Another portal has the alias of this one");
        return Ok(false);
    }
    drop(tx);
    match take(bridge, alias, &portal.matrix_room_id).await {
        Err(BridgeError::Matrix(error)) if error.refuses() => {
            warn!(alias = %alias, error = %error, "The homeserver refuses an alias");
            return Ok(false);
        }
        taken => taken?,
    }
    let mut tx = bridge.db.write().await?;
    let noted = Alias {
        alias: alias.to_owned(),
        gitter_room_id: portal.gitter_room_id.clone(),
        matrix_room_id: portal.matrix_room_id.clone(),
    };
    aliases::record_alias(&mut tx, &noted).await?;
    tx.commit().await?;
    Ok(true)
}

/// The room that an alias leads to. The homeserver asks the bridge for one of ours that it does not know, which would
/// make a room; so it is noted that it is the bridge that wants to know.
pub(super) async fn resolve(
    bridge: &Bridge,
    alias: &RoomAliasId,
) -> Result<Option<OwnedRoomId>, BridgeError> {
    let mut tx = bridge.db.write().await?;
    aliases::ask(&mut tx, alias, now()).await?;
    tx.commit().await?;
    let room = bridge.matrix.resolve_alias(alias).await;
    let mut tx = bridge.db.write().await?;
    aliases::answered(&mut tx, alias, now()).await?;
    tx.commit().await?;
    Ok(room?)
}

/// Enters a room of the bridge's own, which the bot may have left. One that nobody can enter any more loses its alias.
pub(super) async fn enter(
    bridge: &Bridge,
    alias: Option<&RoomAliasId>,
    room: OwnedRoomId,
) -> Result<Option<OwnedRoomId>, MatrixError> {
    match bridge.matrix.join(&room, bridge.matrix.bot()).await {
        Err(error) if error.refuses() => {
            warn!(room = %room, error = %error, "A room that the bridge made cannot be entered any more");
            if let Some(alias) = alias {
                bridge.matrix.delete_alias(alias).await?;
            }
            Ok(None)
        }
        joined => joined.map(|()| Some(room)),
    }
}

/// Makes an alias lead to a room, wherever it led before.
pub(super) async fn take(bridge: &Bridge, alias: &RoomAliasId, room: &RoomId) -> Result<(), BridgeError> {
    match bridge.matrix.create_alias(alias, room).await {
        Err(error) if error.status() == Some(StatusCode::CONFLICT) => {
            if resolve(bridge, alias).await?.as_deref() == Some(room) {
                return Ok(());
            }
            bridge.matrix.delete_alias(alias).await?;
            Ok(bridge.matrix.create_alias(alias, room).await?)
        }
        created => Ok(created?),
    }
}

/// Has the aliases of a Gitter room lead from the Matrix room that was left to that of its portal.
pub(super) async fn follow(bridge: &Bridge, left: &RoomId, successor: &Portal) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let known = aliases::aliases_of(&mut tx, &successor.gitter_room_id).await?;
    drop(tx);
    hide(bridge, left, &known).await?;
    for known in known {
        let in_step = known.matrix_room_id == successor.matrix_room_id;
        lead(bridge, &known.alias, successor, in_step).await?;
    }
    Ok(())
}

/// Takes the aliases of a portal that is gone away.
pub(super) async fn withdraw(
    bridge: &Bridge,
    gitter: &GitterRoomId,
    matrix: &RoomId,
) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let known = aliases::aliases_of(&mut tx, gitter).await?;
    drop(tx);
    hide(bridge, matrix, &known).await?;
    for known in &known {
        bridge.matrix.delete_alias(&known.alias).await?;
    }
    let mut tx = bridge.db.write().await?;
    aliases::clear_aliases(&mut tx, gitter).await?;
    tx.commit().await?;
    Ok(())
}

/// A room does not show an alias of the bridge's any more.
async fn hide(bridge: &Bridge, room: &RoomId, known: &[Alias]) -> Result<(), MatrixError> {
    let event_type = StateEventType::RoomCanonicalAlias;
    let shown = match bridge.matrix.state(room, event_type.clone(), "").await {
        Err(error) if error.is("M_FORBIDDEN") => return Ok(()),
        shown => shown?.unwrap_or_default(),
    };
    let is_ours = |alias: &str| known.iter().any(|known| known.alias == alias);
    if !shown
        .get("alias")
        .and_then(|alias| alias.as_str())
        .is_some_and(is_ours)
    {
        return Ok(());
    }
    match bridge.matrix.set_state(room, event_type, "", &json!({})).await {
        Err(error) if error.is("M_FORBIDDEN") => Ok(()),
        set => set.map(drop),
    }
}

/// Whether the alias of a URI could stand for no other room that there is on Gitter.
async fn is_unambiguous(bridge: &Bridge, uri: &str) -> Result<bool, BridgeError> {
    let looked_at = &bridge.aliases.unambiguous;
    let lower = uri.to_lowercase();
    if let Some(known) = looked_at
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&lower)
    {
        return Ok(*known);
    }
    let Candidates {
        mut of_two_parts,
        of_three_parts,
    } = candidates(&uri.replace('/', "_"));
    if uri.matches('/').count() > 1 {
        of_two_parts.extend(of_three_parts);
    }
    let mut alone = true;
    for other in of_two_parts {
        let other_lower = other.to_lowercase();
        // Most were asked for just now, when somebody tried the alias.
        if alone && other_lower != lower && !bridge.aliases.allowance.is_missed(&other_lower) {
            alone = look_up(bridge, &other).await?.is_none();
        }
    }
    looked_at
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(lower, alone);
    Ok(alone)
}

/// The public room with a URI, of those that may be linked; none if there is no such room.
async fn look_up(bridge: &Bridge, uri: &str) -> Result<Option<model::Room>, BridgeError> {
    if !bridge.settings.rooms.allow(uri) {
        return Ok(None);
    }
    found(bridge.gitter.resolve(uri).await)
}

/// The public room with an id, of those that may be linked; none if there is no such room.
async fn look_up_id(bridge: &Bridge, id: &GitterRoomId) -> Result<Option<model::Room>, BridgeError> {
    let room = found(bridge.gitter.room(id).await)?;
    Ok(room.filter(|room| {
        let uri = room.uri.as_deref().unwrap_or_default();
        uri.contains('/') && bridge.settings.rooms.allow(uri)
    }))
}

/// Only public rooms of groups count.
fn found(answer: Result<model::Room, GitterError>) -> Result<Option<model::Room>, BridgeError> {
    match answer {
        Ok(room) => Ok(Some(room).filter(|room| room.public && !room.one_to_one)),
        Err(
            GitterError::NotARoomUri { .. }
            | GitterError::OneToOne { .. }
            | GitterError::Renamed { .. }
            | GitterError::OtherRoom { .. },
        ) => Ok(None),
        Err(error) if error.refuses() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
