//! The ghosts of those who are admins of a portal's Gitter room, and those that were given power for it.

use ruma::{OwnedUserId, RoomId};

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
    GIVEN = "SELECT user_id FROM given_power WHERE matrix_room_id = $1 ORDER BY user_id";
    GIVE = "INSERT INTO given_power (matrix_room_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    TAKE = "DELETE FROM given_power WHERE matrix_room_id = $1 AND user_id = $2";
    CARRY = "INSERT INTO given_power (matrix_room_id, user_id)
        SELECT $2, given_power.user_id FROM given_power
        JOIN portal ON portal.matrix_room_id = given_power.matrix_room_id
        WHERE portal.gitter_room_id = $1
        ON CONFLICT DO NOTHING";
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

/// The ghosts that have their power in a Matrix room from the bridge.
pub async fn given_power(tx: &mut Tx, room: &RoomId) -> Result<Vec<OwnedUserId>, StoreError> {
    query!(tx, fetch_all, (String,), GIVEN, room.as_str())?
        .into_iter()
        .map(|(user,)| column("given_power", "user_id", user))
        .collect()
}

/// Notes that the bridge gives ghosts power.
pub async fn note_given(tx: &mut Tx, room: &RoomId, ghosts: &[OwnedUserId]) -> Result<(), StoreError> {
    for ghost in ghosts {
        execute!(tx, GIVE, room.as_str(), ghost.as_str())?;
    }
    Ok(())
}

/// Notes that ghosts have no power from the bridge any more.
pub async fn note_taken(tx: &mut Tx, room: &RoomId, ghosts: &[OwnedUserId]) -> Result<(), StoreError> {
    for ghost in ghosts {
        execute!(tx, TAKE, room.as_str(), ghost.as_str())?;
    }
    Ok(())
}

/// Notes the same for the room that a portal moves to: the power that was given moves along.
pub async fn carry_given(tx: &mut Tx, room: &GitterRoomId, to: &RoomId) -> Result<(), StoreError> {
    execute!(tx, CARRY, room.as_str(), to.as_str())?;
    Ok(())
}
