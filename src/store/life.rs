//! What happens to a portal as a whole: why it stopped, when its Gitter room was last known to be public, where it
//! moved. Nothing is decided here.

use ruma::{OwnedRoomId, RoomId};

use super::{
    Direction, PortalState, StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
    room_admin,
};
use crate::{
    ids::{GitterMessageId, GitterRoomId},
    outcome::{Outcome, Reason},
};

statements! {
    OF = "SELECT stopped_by, state_detail, confirmed_at FROM portal WHERE gitter_room_id = $1";
    // What has stopped for being private stays so until it goes on, unless its room is gone: what was said meanwhile must
    // not cross.
    STOP = "UPDATE portal SET state = $2, stopped_by = $3, state_detail = $4, to_tell = $5, told_of = $6
        WHERE gitter_room_id = $1 AND NOT (state = $7 AND stopped_by = $8) AND (state <> 'private' OR $9 = 'gone')";
    GO_ON = "UPDATE portal SET state = 'catching_up', stopped_by = '', state_detail = '', to_tell = ''
        WHERE gitter_room_id = $1 AND state NOT IN ('active', 'catching_up')";
    STOPPED_BY = "SELECT gitter_room_id FROM portal WHERE stopped_by = $1 AND state IN ('paused', 'private', 'broken')
        ORDER BY gitter_room_id";
    // Often in vain, where several processes hear the same: that locks nothing.
    CONFIRM = "UPDATE portal SET confirmed_at = $2 WHERE gitter_room_id = $1 AND confirmed_at < $3";
    UNCONFIRM = "UPDATE portal SET confirmed_at = 0 WHERE gitter_room_id = $1";
    BEGIN_ANEW = "UPDATE portal SET confirmed_at = $2, anew_at = $2 WHERE gitter_room_id = $1";
    UNCONFIRMED = "SELECT gitter_room_id FROM portal WHERE state IN ('active', 'catching_up') AND confirmed_at < $1
        ORDER BY gitter_room_id";
    IS_OPEN = "SELECT gitter_room_id FROM portal WHERE gitter_room_id = $1 AND state IN ('active', 'catching_up')
        AND ($2 = 'to_gitter' OR confirmed_at >= $3)";
    RENAME = "UPDATE portal SET gitter_uri = $2 WHERE gitter_room_id = $1 AND gitter_uri <> $3";
    SET_SINCE = "UPDATE portal SET since_id = $2 WHERE gitter_room_id = $1";
    TO_TELL = "SELECT gitter_room_id, matrix_room_id, to_tell, told_of FROM portal WHERE to_tell <> ''
        ORDER BY gitter_room_id";
    TELL = "UPDATE portal SET to_tell = $2, told_of = $3 WHERE gitter_room_id = $1";
    TOLD = "UPDATE portal SET to_tell = '' WHERE gitter_room_id = $1 AND told_of = $2";
    // What may have crossed, or is about to, keeps its place; and so does what was deleted, which is to go on Matrix too.
    // Of a tombstone, the key ends so (`bridge::accept`).
    WITHHOLD = "UPDATE inbox SET state = 'settled', outcome = 'skipped', reason = $2, detail = $3, settled_at = $4
        WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND state <> 'settled'
            AND operation <> 'remove' AND source_key NOT LIKE '% true'
            AND NOT EXISTS (SELECT 1 FROM attempt
                WHERE attempt.gitter_room_id = inbox.gitter_room_id AND attempt.direction = inbox.direction
                    AND attempt.purpose = inbox.purpose AND attempt.number = inbox.number
                    AND attempt.state IN ('open', 'unknown', 'done'))";
    MEMBERSHIPS = "SELECT number, body FROM inbox WHERE gitter_room_id = $1 AND direction = 'to_gitter' AND purpose = 'live'
            AND state <> 'settled' AND operation = 'm.room.member' AND body LIKE $2
        ORDER BY number DESC";
    LEAVE = "INSERT INTO former_room (matrix_room_id, gitter_room_id)
        SELECT matrix_room_id, gitter_room_id FROM portal WHERE gitter_room_id = $1
        ON CONFLICT (matrix_room_id) DO UPDATE SET gitter_room_id = excluded.gitter_room_id";
    FORMER = "SELECT gitter_room_id FROM former_room WHERE matrix_room_id = $1";
    CLEAR_FORMER = "DELETE FROM former_room WHERE gitter_room_id = $1";
    FORMER_ROOM_OF = "SELECT message.matrix_room_id FROM message
        JOIN former_room ON former_room.matrix_room_id = message.matrix_room_id
            AND former_room.gitter_room_id = message.gitter_room_id
        WHERE message.gitter_room_id = $1 AND message.gitter_message_id = $2 LIMIT 1";
    MOVE = "UPDATE portal SET matrix_room_id = $2, receipt = '' WHERE gitter_room_id = $1";
    // What has not left is translated anew: in the new room it must not refer to events of the old one.
    THAW = "DELETE FROM attempt WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND state = 'planned'
        AND NOT EXISTS (SELECT 1 FROM attempt AS other
            WHERE other.gitter_room_id = attempt.gitter_room_id AND other.direction = attempt.direction
                AND other.purpose = attempt.purpose AND other.number = attempt.number
                AND other.state <> 'planned')";
}

words! {
    /// What stopped a portal.
    StopCause {
        /// An operator did.
        Operator = "operator",
        /// The Gitter room is not public any more.
        Private = "private",
        /// The Gitter room is gone.
        Gone = "gone",
        /// The bot is not in the Matrix room any more.
        Kicked = "kicked",
        /// The Matrix room is encrypted.
        Encrypted = "encrypted",
        /// The Matrix room has a successor to which the bridge could not follow.
        Upgraded = "upgraded",
    }
}

/// What is known beside a portal's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// What stopped it; `None` where it works, or something else did.
    pub stopped_by: Option<StopCause>,
    /// The same, for people; empty where it works.
    pub detail: String,
    /// When Gitter last said that the room is public.
    pub confirmed_at: i64,
}

/// A stop to note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The state that the portal gets.
    pub state: PortalState,
    /// What stopped it.
    pub cause: StopCause,
    /// The same, for people.
    pub detail: String,
    /// What the bot has to say in the Matrix room; empty for nothing.
    pub to_tell: String,
}

/// What the bot has to say in a Matrix room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToTell {
    /// The portal.
    pub gitter_room_id: GitterRoomId,
    /// The room.
    pub matrix_room_id: OwnedRoomId,
    /// What.
    pub text: String,
    /// When what it is about happened.
    pub told_of: i64,
}

/// What is known beside a portal's state; `None` where there is no portal.
pub async fn of(tx: &mut Tx, room: &GitterRoomId) -> Result<Option<Life>, StoreError> {
    let Some((stopped_by, detail, confirmed_at)) =
        query!(tx, fetch_optional, (String, String, i64), OF, room.as_str())?
    else {
        return Ok(None);
    };
    let stopped_by = (!stopped_by.is_empty())
        .then(|| column("portal", "stopped_by", stopped_by))
        .transpose()?;
    Ok(Some(Life {
        stopped_by,
        detail,
        confirmed_at,
    }))
}

/// Stops a portal; `false` if it has stopped so already, is private already, or is none.
pub async fn stop(tx: &mut Tx, room: &GitterRoomId, stop: &Stop, now: i64) -> Result<bool, StoreError> {
    let (state, cause) = (stop.state.as_str(), stop.cause.as_str());
    let (detail, to_tell) = (&stop.detail, &stop.to_tell);
    Ok(execute!(
        tx,
        STOP,
        room.as_str(),
        state,
        cause,
        detail,
        to_tell,
        now,
        state,
        cause,
        cause
    )? == 1)
}

/// Lets a portal that stopped go on, once it has caught up; `false` if it works.
pub async fn go_on(tx: &mut Tx, room: &GitterRoomId) -> Result<bool, StoreError> {
    Ok(execute!(tx, GO_ON, room.as_str())? == 1)
}

/// The Gitter rooms of portals that stopped for this and did not go on.
pub async fn stopped_by(tx: &mut Tx, cause: StopCause) -> Result<Vec<GitterRoomId>, StoreError> {
    rooms(query!(tx, fetch_all, (String,), STOPPED_BY, cause.as_str())?)
}

/// Notes that Gitter says that a room is public, unless that was noted since `before`.
pub async fn confirm(tx: &mut Tx, room: &GitterRoomId, now: i64, before: i64) -> Result<(), StoreError> {
    execute!(tx, CONFIRM, room.as_str(), now, before)?;
    Ok(())
}

/// Forgets when Gitter last said that a room is public.
pub async fn unconfirm(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, UNCONFIRM, room.as_str())?;
    Ok(())
}

/// Notes that a room that was private is public again, and that nothing older than that is to cross.
pub async fn begin_anew(tx: &mut Tx, room: &GitterRoomId, now: i64) -> Result<(), StoreError> {
    execute!(tx, BEGIN_ANEW, room.as_str(), now)?;
    Ok(())
}

/// The Gitter rooms of portals that were not confirmed as public since then.
pub async fn unconfirmed(tx: &mut Tx, since: i64) -> Result<Vec<GitterRoomId>, StoreError> {
    rooms(query!(tx, fetch_all, (String,), UNCONFIRMED, since)?)
}

/// Whether items of a portal may cross in a direction now.
pub async fn is_open(
    tx: &mut Tx,
    room: &GitterRoomId,
    direction: Direction,
    confirmed_since: i64,
) -> Result<bool, StoreError> {
    let (room, direction) = (room.as_str(), direction.as_str());
    let found = query!(
        tx,
        fetch_optional,
        (String,),
        IS_OPEN,
        room,
        direction,
        confirmed_since
    )?;
    Ok(found.is_some())
}

/// Notes a Gitter room's URI; `false` if it is known.
pub async fn rename(tx: &mut Tx, room: &GitterRoomId, uri: &str) -> Result<bool, StoreError> {
    Ok(execute!(tx, RENAME, room.as_str(), uri, uri)? == 1)
}

/// Sets the newest Gitter message that is not to cross.
pub async fn set_since(tx: &mut Tx, room: &GitterRoomId, id: &GitterMessageId) -> Result<(), StoreError> {
    execute!(tx, SET_SINCE, room.as_str(), id.as_str())?;
    Ok(())
}

/// What the bot has to say, in all rooms.
pub async fn to_tell(tx: &mut Tx) -> Result<Vec<ToTell>, StoreError> {
    query!(tx, fetch_all, (String, String, String, i64), TO_TELL)?
        .into_iter()
        .map(|(gitter, matrix, text, told_of)| {
            Ok(ToTell {
                gitter_room_id: column("portal", "gitter_room_id", gitter)?,
                matrix_room_id: column("portal", "matrix_room_id", matrix)?,
                text,
                told_of,
            })
        })
        .collect()
}

/// Has the bot say something in a portal's Matrix room.
pub async fn tell(tx: &mut Tx, room: &GitterRoomId, text: &str, now: i64) -> Result<(), StoreError> {
    execute!(tx, TELL, room.as_str(), text, now)?;
    Ok(())
}

/// Notes that the bot has said what it had to.
pub async fn told(tx: &mut Tx, said: &ToTell) -> Result<(), StoreError> {
    execute!(tx, TOLD, said.gitter_room_id.as_str(), said.told_of)?;
    Ok(())
}

/// Ends what waits toward Matrix and was never sent: it was said in a room that is not public any more.
pub async fn withhold(tx: &mut Tx, room: &GitterRoomId, detail: &str, now: i64) -> Result<u64, StoreError> {
    let reason = Reason::PrivateRoom;
    let settled = execute!(tx, WITHHOLD, room.as_str(), reason.as_str(), detail, now)?;
    let outcome = Outcome::Skipped(reason, detail.to_owned());
    tx.news.settled_together(Direction::ToMatrix, &outcome, settled);
    Ok(settled)
}

/// The membership events of a portal's Matrix room that wait and name somebody, newest first, with their places.
pub async fn waiting_memberships(
    tx: &mut Tx,
    room: &GitterRoomId,
    user: &str,
) -> Result<Vec<(i64, String)>, StoreError> {
    let naming = format!("%{user}%");
    Ok(query!(
        tx,
        fetch_all,
        (i64, String),
        MEMBERSHIPS,
        room.as_str(),
        &naming
    )?)
}

/// Moves a portal to another Matrix room. What is in the map stays with the room in which it is.
///
/// # Errors
/// A unique violation where that room is in a portal already.
pub async fn move_portal(tx: &mut Tx, room: &GitterRoomId, to: &RoomId) -> Result<(), StoreError> {
    execute!(tx, LEAVE, room.as_str())?;
    room_admin::carry_given(tx, room, to).await?;
    execute!(tx, MOVE, room.as_str(), to.as_str())?;
    execute!(tx, THAW, room.as_str())?;
    Ok(())
}

/// The portal, by its Gitter room, that was in a Matrix room before that was upgraded.
pub async fn portal_of_former(tx: &mut Tx, room: &RoomId) -> Result<Option<GitterRoomId>, StoreError> {
    query!(tx, fetch_optional, (String,), FORMER, room.as_str())?
        .map(|(room,)| column("former_room", "gitter_room_id", room))
        .transpose()
}

/// The former Matrix room into which a Gitter message crossed.
pub async fn former_room_of(
    tx: &mut Tx,
    room: &GitterRoomId,
    message: &GitterMessageId,
) -> Result<Option<OwnedRoomId>, StoreError> {
    let (room, message) = (room.as_str(), message.as_str());
    query!(tx, fetch_optional, (String,), FORMER_ROOM_OF, room, message)?
        .map(|(room,)| column("message", "matrix_room_id", room))
        .transpose()
}

/// Forgets the former rooms of a portal.
pub async fn clear_former(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, CLEAR_FORMER, room.as_str())?;
    Ok(())
}

fn rooms(rows: Vec<(String,)>) -> Result<Vec<GitterRoomId>, StoreError> {
    rows.into_iter()
        .map(|(room,)| column("portal", "gitter_room_id", room))
        .collect()
}
