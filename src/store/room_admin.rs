//! The ghosts of those who are admins of a portal's Gitter room.

use ruma::OwnedUserId;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::column,
};
use crate::ids::GitterRoomId;

statements! {
    OF_ROOM = "SELECT user_id FROM room_admin WHERE gitter_room_id = $1 ORDER BY user_id";
    ADD = "INSERT INTO room_admin (gitter_room_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    CLEAR = "DELETE FROM room_admin WHERE gitter_room_id = $1";
}

/// The admins' ghosts, in the order of their ids.
pub async fn room_admins(tx: &mut Tx, room: &GitterRoomId) -> Result<Vec<OwnedUserId>, StoreError> {
    query!(tx, fetch_all, (String,), OF_ROOM, room.as_str())?
        .into_iter()
        .map(|(user,)| column("room_admin", "user_id", user))
        .collect()
}

/// Notes who the admins are now; none are left where the portal is gone.
pub async fn set_room_admins(
    tx: &mut Tx,
    room: &GitterRoomId,
    ghosts: &[OwnedUserId],
) -> Result<(), StoreError> {
    execute!(tx, CLEAR, room.as_str())?;
    for ghost in ghosts {
        execute!(tx, ADD, room.as_str(), ghost.as_str())?;
    }
    Ok(())
}
