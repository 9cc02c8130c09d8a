//! Who is to join or leave the Matrix rooms of portals, as their Gitter rooms say, and whose profile is to be shown anew.
//! One at a time is claimed, by moving its due time, so that of several processes one does it.

use std::collections::BTreeSet;

use ruma::UserId;
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::{GitterRoomId, GitterUserId};

/// The due time of what is done.
const DONE: i64 = i64::MAX;

statements! {
    // What is so already, or waits for its turn, stays.
    WANT = "INSERT INTO gitter_member (gitter_room_id, gitter_user_id, wanted, due) VALUES ($1, $2, $3, $4)
        ON CONFLICT (gitter_room_id, gitter_user_id) DO UPDATE
            SET wanted = excluded.wanted, due = excluded.due, tries = 0
            WHERE gitter_member.wanted <> excluded.wanted";
    NEXT = "SELECT gitter_member.gitter_room_id, gitter_user_id, wanted, due, tries
        FROM gitter_member JOIN portal ON portal.gitter_room_id = gitter_member.gitter_room_id
        WHERE due <= $1 AND portal.state = 'active'
        ORDER BY due, gitter_member.gitter_room_id, gitter_user_id LIMIT 1";
    MOVE = "UPDATE gitter_member SET due = $5, tries = tries + 1
        WHERE gitter_room_id = $1 AND gitter_user_id = $2 AND wanted = $3 AND due = $4";
    FINISH = "UPDATE gitter_member SET due = $4, tries = 0
        WHERE gitter_room_id = $1 AND gitter_user_id = $2 AND wanted = $3";
    REMOVE = "DELETE FROM gitter_member WHERE gitter_room_id = $1 AND gitter_user_id = $2 AND wanted = $3";
    MEMBERS = "SELECT gitter_user_id FROM gitter_member WHERE gitter_room_id = $1 AND wanted = 'join'";
    ROOMS = "SELECT gitter_room_id FROM portal JOIN member ON member.matrix_room_id = portal.matrix_room_id
        WHERE member.user_id = $1 AND member.membership = 'join' ORDER BY gitter_room_id";
    CLEAR = "DELETE FROM gitter_member WHERE gitter_room_id = $1";
    MARK_STALE = "UPDATE ghost SET stale = TRUE WHERE gitter_user_id = $1 AND registered";
    NEXT_STALE = "SELECT gitter_user_id FROM ghost WHERE stale ORDER BY user_id LIMIT 1";
    CLEAR_STALE = "UPDATE ghost SET stale = FALSE WHERE gitter_user_id = $1 AND stale";
}

words! {
    /// What is to become of a ghost in a room.
    Wanted {
        /// It is to be there.
        Join = "join",
        /// It is not.
        Leave = "leave",
    }
}

/// Something to do for one ghost in one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The portal's Gitter room.
    pub room: GitterRoomId,
    /// The Gitter user.
    pub user: GitterUserId,
    /// What is to become of the ghost.
    pub wanted: Wanted,
    /// Since when it is due.
    pub due: i64,
    /// How often it was tried.
    pub tries: i64,
}

#[derive(FromRow)]
struct Row {
    gitter_room_id: String,
    gitter_user_id: String,
    wanted: String,
    due: i64,
    tries: i64,
}

impl TryFrom<Row> for Move {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            room: column("gitter_member", "gitter_room_id", row.gitter_room_id)?,
            user: column("gitter_member", "gitter_user_id", row.gitter_user_id)?,
            wanted: column("gitter_member", "wanted", row.wanted)?,
            due: row.due,
            tries: row.tries,
        })
    }
}

/// Notes what is to become of a user's ghost in a room; `false` if that is known.
pub async fn want(
    tx: &mut Tx,
    room: &GitterRoomId,
    user: &GitterUserId,
    wanted: Wanted,
    now: i64,
) -> Result<bool, StoreError> {
    Ok(execute!(tx, WANT, room.as_str(), user.as_str(), wanted.as_str(), now)? == 1)
}

/// What is due first, in rooms where things cross. Who does it puts it off before, so that nobody else does.
pub async fn next(tx: &mut Tx, now: i64) -> Result<Option<Move>, StoreError> {
    query!(tx, fetch_optional, Row, NEXT, now)?
        .map(Move::try_from)
        .transpose()
}

/// Puts off until then what is due at a time; `false` if it is another's by now.
pub async fn put_off(tx: &mut Tx, found: &Move, due: i64, until: i64) -> Result<bool, StoreError> {
    let (room, user, wanted) = (found.room.as_str(), found.user.as_str(), found.wanted.as_str());
    Ok(execute!(tx, MOVE, room, user, wanted, due, until)? == 1)
}

/// Notes that something is done: who joined is known to be there, who left is not known any more.
pub async fn finish(tx: &mut Tx, done: &Move) -> Result<(), StoreError> {
    let (room, user, wanted) = (done.room.as_str(), done.user.as_str(), done.wanted.as_str());
    match done.wanted {
        Wanted::Join => execute!(tx, FINISH, room, user, wanted, DONE)?,
        Wanted::Leave => execute!(tx, REMOVE, room, user, wanted)?,
    };
    Ok(())
}

/// Lets go of something that is not wanted any more.
pub async fn drop_move(tx: &mut Tx, dropped: &Move) -> Result<(), StoreError> {
    let (room, user, wanted) = (
        dropped.room.as_str(),
        dropped.user.as_str(),
        dropped.wanted.as_str(),
    );
    execute!(tx, REMOVE, room, user, wanted)?;
    Ok(())
}

/// Who is, or is to be, in the Matrix room for being in the Gitter room.
pub async fn members(tx: &mut Tx, room: &GitterRoomId) -> Result<BTreeSet<GitterUserId>, StoreError> {
    query!(tx, fetch_all, (String,), MEMBERS, room.as_str())?
        .into_iter()
        .map(|(user,)| column("gitter_member", "gitter_user_id", user))
        .collect()
}

/// The portals in whose Matrix rooms a ghost is.
pub async fn rooms_of(tx: &mut Tx, ghost: &UserId) -> Result<Vec<GitterRoomId>, StoreError> {
    query!(tx, fetch_all, (String,), ROOMS, ghost.as_str())?
        .into_iter()
        .map(|(room,)| column("portal", "gitter_room_id", room))
        .collect()
}

/// Forgets who is to be in a room.
pub async fn clear(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, CLEAR, room.as_str())?;
    Ok(())
}

/// Notes that a ghost's profile is to be shown anew, if it was shown before.
pub async fn mark_stale(tx: &mut Tx, user: &GitterUserId) -> Result<(), StoreError> {
    execute!(tx, MARK_STALE, user.as_str())?;
    Ok(())
}

/// A user whose ghost's profile is to be shown anew.
pub async fn next_stale(tx: &mut Tx) -> Result<Option<GitterUserId>, StoreError> {
    query!(tx, fetch_optional, (String,), NEXT_STALE)?
        .map(|(user,)| column("ghost", "gitter_user_id", user))
        .transpose()
}

/// Takes a profile to show anew; `false` if somebody else has it by now.
pub async fn take_stale(tx: &mut Tx, user: &GitterUserId) -> Result<bool, StoreError> {
    Ok(execute!(tx, CLEAR_STALE, user.as_str())? == 1)
}
