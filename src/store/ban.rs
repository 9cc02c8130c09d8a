//! Who is banned in the Gitter rooms of portals, as last seen there.

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
};
use crate::ids::GitterRoomId;

statements! {
    OF_ROOM = "SELECT who, ban FROM gitter_ban WHERE gitter_room_id = $1 ORDER BY who";
    ONE = "SELECT who, ban FROM gitter_ban WHERE gitter_room_id = $1 AND who = $2";
    RECORD = "INSERT INTO gitter_ban (gitter_room_id, who, ban) VALUES ($1, $2, $3)
        ON CONFLICT (gitter_room_id, who) DO UPDATE SET ban = excluded.ban";
    REMOVE = "DELETE FROM gitter_ban WHERE gitter_room_id = $1 AND who = $2";
    CLEAR = "DELETE FROM gitter_ban WHERE gitter_room_id = $1";
}

/// Who is banned in a room, each with the ban as Gitter lists it.
pub async fn bans(tx: &mut Tx, room: &GitterRoomId) -> Result<Vec<(String, String)>, StoreError> {
    Ok(query!(tx, fetch_all, (String, String), OF_ROOM, room.as_str())?)
}

/// Whether somebody is banned in a room: an account by its id, a virtual user by its external id.
pub async fn is_banned(tx: &mut Tx, room: &GitterRoomId, who: &str) -> Result<bool, StoreError> {
    let found = query!(tx, fetch_optional, (String, String), ONE, room.as_str(), who)?;
    Ok(found.is_some())
}

/// Notes that somebody is banned.
pub async fn record_ban(tx: &mut Tx, room: &GitterRoomId, who: &str, ban: &str) -> Result<(), StoreError> {
    execute!(tx, RECORD, room.as_str(), who, ban)?;
    Ok(())
}

/// Notes that somebody is not banned any more.
pub async fn remove_ban(tx: &mut Tx, room: &GitterRoomId, who: &str) -> Result<(), StoreError> {
    execute!(tx, REMOVE, room.as_str(), who)?;
    Ok(())
}

/// Forgets who is banned in a room.
pub async fn clear_bans(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, CLEAR, room.as_str())?;
    Ok(())
}
