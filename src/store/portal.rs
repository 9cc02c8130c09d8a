//! Portals: a Gitter room and a Matrix room joined together.

use ruma::{OwnedRoomId, RoomId};
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::{GitterMessageId, GitterRoomId, GitterUserId};

statements! {
    INSERT = "INSERT INTO portal (gitter_room_id, matrix_room_id, gitter_uri, kind, state, account_id, virtual_users,
            since_id, created_at, gitter_admin, repository, confirmed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    ALL = "SELECT gitter_room_id, matrix_room_id, gitter_uri, kind, state, account_id, virtual_users, since_id,
            created_at, last_bridged_at, gitter_admin, repository, anew_at
        FROM portal ORDER BY gitter_uri, gitter_room_id";
    BY_GITTER_ROOM = "SELECT gitter_room_id, matrix_room_id, gitter_uri, kind, state, account_id, virtual_users,
            since_id, created_at, last_bridged_at, gitter_admin, repository, anew_at
        FROM portal WHERE gitter_room_id = $1";
    BY_MATRIX_ROOM = "SELECT gitter_room_id, matrix_room_id, gitter_uri, kind, state, account_id, virtual_users,
            since_id, created_at, last_bridged_at, gitter_admin, repository, anew_at
        FROM portal WHERE matrix_room_id = $1";
    // A room that was deleted may have had the URI before.
    BY_URI = "SELECT gitter_room_id, matrix_room_id, gitter_uri, kind, state, account_id, virtual_users,
            since_id, created_at, last_bridged_at, gitter_admin, repository, anew_at
        FROM portal WHERE LOWER(gitter_uri) = LOWER($1)
        ORDER BY CASE state WHEN 'broken' THEN 1 ELSE 0 END, created_at DESC LIMIT 1";
    SET_STATE = "UPDATE portal SET state = $3 WHERE gitter_room_id = $1 AND state = $2";
    SET_VIRTUAL_USERS = "UPDATE portal SET virtual_users = $2 WHERE gitter_room_id = $1";
    // Mostly in vain: that locks nothing.
    SET_GITTER_ADMIN = "UPDATE portal SET gitter_admin = $2 WHERE gitter_room_id = $1 AND gitter_admin <> $2";
    TOUCH = "UPDATE portal SET last_bridged_at = $2 WHERE gitter_room_id = $1 AND last_bridged_at < $2";
    DELETE = "DELETE FROM portal WHERE gitter_room_id = $1";
    CREATED = "SELECT COUNT(*) FROM portal WHERE kind = 'created' AND created_at > $1";
    BY_STATE = "SELECT state, COUNT(*) FROM portal GROUP BY state";
    COUNT = "SELECT
            (SELECT COUNT(*) FROM inbox WHERE gitter_room_id = $1 AND state <> 'settled'),
            (SELECT COUNT(*) FROM inbox WHERE gitter_room_id = $1 AND outcome = 'failed')";
}

words! {
    /// How a portal came to be.
    PortalKind {
        /// The bridge made the Matrix room.
        Created = "created",
        /// An admin joined two existing rooms.
        Linked = "linked",
    }
}

words! {
    /// Whether things cross, and if not, why.
    PortalState {
        /// Things cross.
        Active = "active",
        /// What was missed on the Gitter side is being fetched; what is new there waits behind it.
        CatchingUp = "catching_up",
        /// An operator stopped it.
        Paused = "paused",
        /// The Gitter room is not public any more.
        Private = "private",
        /// One of the rooms is gone or refuses the bridge.
        Broken = "broken",
    }
}

/// A Gitter room and a Matrix room joined together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portal {
    /// The Gitter room.
    pub gitter_room_id: GitterRoomId,
    /// The Matrix room.
    pub matrix_room_id: OwnedRoomId,
    /// The Gitter room's URI, in canonical case.
    pub gitter_uri: String,
    /// How it came to be.
    pub kind: PortalKind,
    /// Whether things cross.
    pub state: PortalState,
    /// The account that posts there; only it may edit what it posted.
    pub account_id: GitterUserId,
    /// Whether the account may post for virtual users there.
    pub virtual_users: bool,
    /// The newest Gitter message at link time; it and older ones do not cross. `None` for an empty room.
    pub since_id: Option<GitterMessageId>,
    /// When it was made.
    pub created_at: i64,
    /// When something last crossed; 0 for never.
    pub last_bridged_at: i64,
    /// Whether the account is an admin of the Gitter room, as last seen.
    pub gitter_admin: bool,
    /// The web address of the repository that backs the Gitter room.
    pub repository: Option<String>,
    /// When it last began anew, after its Gitter room had been private; 0 for never.
    pub anew_at: i64,
}

#[derive(FromRow)]
struct Row {
    gitter_room_id: String,
    matrix_room_id: String,
    gitter_uri: String,
    kind: String,
    state: String,
    account_id: String,
    virtual_users: bool,
    since_id: String,
    created_at: i64,
    last_bridged_at: i64,
    gitter_admin: bool,
    repository: String,
    anew_at: i64,
}

impl TryFrom<Row> for Portal {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let since_id = (!row.since_id.is_empty())
            .then(|| column("portal", "since_id", row.since_id))
            .transpose()?;
        Ok(Self {
            gitter_room_id: column("portal", "gitter_room_id", row.gitter_room_id)?,
            matrix_room_id: column("portal", "matrix_room_id", row.matrix_room_id)?,
            gitter_uri: row.gitter_uri,
            kind: column("portal", "kind", row.kind)?,
            state: column("portal", "state", row.state)?,
            account_id: column("portal", "account_id", row.account_id)?,
            virtual_users: row.virtual_users,
            since_id,
            created_at: row.created_at,
            last_bridged_at: row.last_bridged_at,
            gitter_admin: row.gitter_admin,
            repository: Some(row.repository).filter(|address| !address.is_empty()),
            anew_at: row.anew_at,
        })
    }
}

/// Adds a portal.
///
/// # Errors
/// A unique violation where one of the rooms is in a portal already.
pub async fn insert_portal(tx: &mut Tx, portal: &Portal) -> Result<(), StoreError> {
    execute!(
        tx,
        INSERT,
        portal.gitter_room_id.as_str(),
        portal.matrix_room_id.as_str(),
        &portal.gitter_uri,
        portal.kind.as_str(),
        portal.state.as_str(),
        portal.account_id.as_str(),
        portal.virtual_users,
        portal.since_id.as_ref().map_or("", GitterMessageId::as_str),
        portal.created_at,
        portal.gitter_admin,
        portal.repository.as_deref().unwrap_or_default(),
        // A room is looked at just before it is linked.
        portal.created_at,
    )?;
    Ok(())
}

/// All portals, by Gitter URI.
pub async fn portals(tx: &mut Tx) -> Result<Vec<Portal>, StoreError> {
    query!(tx, fetch_all, Row, ALL)?
        .into_iter()
        .map(Portal::try_from)
        .collect()
}

/// The portal of a Gitter room.
pub async fn portal_by_gitter_room(tx: &mut Tx, room: &GitterRoomId) -> Result<Option<Portal>, StoreError> {
    query!(tx, fetch_optional, Row, BY_GITTER_ROOM, room.as_str())?
        .map(Portal::try_from)
        .transpose()
}

/// The portal of a Matrix room.
pub async fn portal_by_matrix_room(tx: &mut Tx, room: &RoomId) -> Result<Option<Portal>, StoreError> {
    query!(tx, fetch_optional, Row, BY_MATRIX_ROOM, room.as_str())?
        .map(Portal::try_from)
        .transpose()
}

/// The portal that an operator means by the id of either side's room, or by the Gitter room's URI in any case.
pub async fn portal_named(tx: &mut Tx, name: &str) -> Result<Option<Portal>, StoreError> {
    match (RoomId::parse(name), name.parse::<GitterRoomId>()) {
        (Ok(room), _) => portal_by_matrix_room(tx, &room).await,
        (_, Ok(room)) => portal_by_gitter_room(tx, &room).await,
        _ => query!(tx, fetch_optional, Row, BY_URI, name)?
            .map(Portal::try_from)
            .transpose(),
    }
}

/// Notes whether the account is an admin of the Gitter room.
pub async fn set_gitter_admin(tx: &mut Tx, room: &GitterRoomId, is_admin: bool) -> Result<(), StoreError> {
    execute!(tx, SET_GITTER_ADMIN, room.as_str(), is_admin)?;
    Ok(())
}

/// Moves a portal from one state to another; `false` if it was not in the first.
pub async fn set_portal_state(
    tx: &mut Tx,
    room: &GitterRoomId,
    from: PortalState,
    to: PortalState,
) -> Result<bool, StoreError> {
    Ok(execute!(tx, SET_STATE, room.as_str(), from.as_str(), to.as_str())? == 1)
}

/// Notes whether the account may post for virtual users.
pub async fn set_virtual_users(tx: &mut Tx, room: &GitterRoomId, allowed: bool) -> Result<(), StoreError> {
    execute!(tx, SET_VIRTUAL_USERS, room.as_str(), allowed)?;
    Ok(())
}

/// Notes that something crossed.
pub async fn touch_portal(tx: &mut Tx, room: &str, now: i64) -> Result<(), StoreError> {
    execute!(tx, TOUCH, room, now)?;
    Ok(())
}

/// Removes a portal; the map stays.
pub async fn delete_portal(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, DELETE, room.as_str())?;
    Ok(())
}

/// How many items of a portal have no outcome yet, and how many have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemCounts {
    /// Held or waiting.
    pub waiting: i64,
    /// Failed, and neither retried nor dropped.
    pub failed: i64,
}

/// Counts a portal's items.
pub async fn count_items(tx: &mut Tx, room: &GitterRoomId) -> Result<ItemCounts, StoreError> {
    let (waiting, failed) = query!(tx, fetch_one, (i64, i64), COUNT, room.as_str())?;
    Ok(ItemCounts { waiting, failed })
}

/// How many portals there are of rooms that the bridge made since then.
pub async fn count_created(tx: &mut Tx, since: i64) -> Result<i64, StoreError> {
    let (count,) = query!(tx, fetch_one, (i64,), CREATED, since)?;
    Ok(count)
}

/// How many portals are in each state that any is in.
pub async fn count_states(tx: &mut Tx) -> Result<Vec<(PortalState, i64)>, StoreError> {
    let rows = query!(tx, fetch_all, (String, i64), BY_STATE)?;
    rows.into_iter()
        .map(|(state, count)| Ok((column("portal", "state", state)?, count)))
        .collect()
}
