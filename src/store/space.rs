//! Spaces, which stand for Gitter's groups, and the group of each portal's room.

use ruma::{OwnedRoomId, RoomId};

use super::{
    Portal, StoreError, Tx,
    db::{execute, query, statements},
    error::column,
    portal,
};
use crate::ids::{GitterGroupId, GitterRoomId};

statements! {
    OF_GROUP = "SELECT matrix_room_id FROM space WHERE gitter_group_id = $1";
    GROUP_OF = "SELECT gitter_group_id FROM room_group WHERE gitter_room_id = $1";
    RECORD = "INSERT INTO space (gitter_group_id, matrix_room_id, uri) VALUES ($1, $2, $3)
        ON CONFLICT (gitter_group_id) DO UPDATE SET matrix_room_id = excluded.matrix_room_id, uri = excluded.uri";
    SET_GROUP = "INSERT INTO room_group (gitter_room_id, gitter_group_id) VALUES ($1, $2)
        ON CONFLICT (gitter_room_id) DO UPDATE SET gitter_group_id = excluded.gitter_group_id";
    ROOMS = "SELECT gitter_room_id FROM room_group WHERE gitter_group_id = $1 ORDER BY gitter_room_id";
    IS_SPACE = "SELECT 1 FROM space WHERE matrix_room_id = $1";
    CLEAR = "DELETE FROM room_group WHERE gitter_room_id = $1";
}

/// The Space of a group.
pub async fn space(tx: &mut Tx, group: &GitterGroupId) -> Result<Option<OwnedRoomId>, StoreError> {
    query!(tx, fetch_optional, (String,), OF_GROUP, group.as_str())?
        .map(|(room,)| column("space", "matrix_room_id", room))
        .transpose()
}

/// The group that was noted for a portal's room.
pub async fn group_of(tx: &mut Tx, room: &GitterRoomId) -> Result<Option<GitterGroupId>, StoreError> {
    query!(tx, fetch_optional, (String,), GROUP_OF, room.as_str())?
        .map(|(group,)| column("room_group", "gitter_group_id", group))
        .transpose()
}

/// Whether a Matrix room is the Space of a group.
pub async fn is_space(tx: &mut Tx, room: &RoomId) -> Result<bool, StoreError> {
    let found = query!(tx, fetch_optional, (i32,), IS_SPACE, room.as_str())?;
    Ok(found.is_some())
}

/// Notes the Space of a group, with the group's URI.
pub async fn record_space(
    tx: &mut Tx,
    group: &GitterGroupId,
    space: &OwnedRoomId,
    uri: &str,
) -> Result<(), StoreError> {
    execute!(tx, RECORD, group.as_str(), space.as_str(), uri)?;
    Ok(())
}

/// Notes the group of a portal's room.
pub async fn set_group(tx: &mut Tx, room: &GitterRoomId, group: &GitterGroupId) -> Result<(), StoreError> {
    execute!(tx, SET_GROUP, room.as_str(), group.as_str())?;
    Ok(())
}

/// The portals whose rooms are of a group.
pub async fn portals_of_group(tx: &mut Tx, group: &GitterGroupId) -> Result<Vec<Portal>, StoreError> {
    let rooms = query!(tx, fetch_all, (String,), ROOMS, group.as_str())?;
    let mut portals = Vec::new();
    for (room,) in rooms {
        let room = column("room_group", "gitter_room_id", room)?;
        portals.extend(portal::portal_by_gitter_room(tx, &room).await?);
    }
    Ok(portals)
}

/// Forgets the group of a portal's room.
pub async fn clear_group(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, CLEAR, room.as_str())?;
    Ok(())
}
