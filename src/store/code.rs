//! Codes by which an admin of a Gitter room allows what somebody asked for on Matrix, and which links both rooms were told
//! of. How codes are made and heard is not known here.

use ruma::{OwnedEventId, OwnedRoomId, RoomId};
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::{GitterMessageId, GitterRoomId};

statements! {
    INSERT = "INSERT INTO code (gitter_room_id, matrix_room_id, purpose, code, event_id, expires_at, read_to)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (gitter_room_id, matrix_room_id, purpose) DO UPDATE
            SET code = excluded.code, event_id = excluded.event_id, expires_at = excluded.expires_at,
                read_to = excluded.read_to
            WHERE code.expires_at <= $8";
    OF_EVENT = "SELECT gitter_room_id, matrix_room_id, code, event_id, expires_at, read_to, purpose FROM code WHERE event_id = $1";
    READ_TO = "UPDATE code SET read_to = $2 WHERE event_id = $1";
    DELETE = "DELETE FROM code WHERE event_id = $1";
    PRUNE = "DELETE FROM code WHERE expires_at <= $1";
    COUNT = "SELECT COUNT(*) FROM code WHERE expires_at > $1 AND event_id <> $2";
    ANNOUNCED = "SELECT announced_at FROM announced_link WHERE gitter_room_id = $1 AND matrix_room_id = $2";
    ANNOUNCE = "INSERT INTO announced_link (gitter_room_id, matrix_room_id, announced_at) VALUES ($1, $2, $3)
        ON CONFLICT (gitter_room_id, matrix_room_id) DO UPDATE SET announced_at = excluded.announced_at";
    // Not deleted: the commands that wait for them have to see that they had one.
    END_CODES = "UPDATE code SET expires_at = 0
        WHERE gitter_room_id = $1 AND matrix_room_id = $2 AND purpose = 'moderation'";
    FORGET_ANNOUNCED = "DELETE FROM announced_link WHERE gitter_room_id = $1 AND matrix_room_id = $2";
}

words! {
    /// What a code allows.
    CodePurpose {
        /// To link the two rooms.
        Link = "link",
        /// To let bans and deletions go from the Matrix room to the Gitter room.
        Moderation = "moderation",
    }
}

/// A code that was asked for.
#[derive(Debug, Clone)]
pub struct Code {
    /// Where it is to be posted.
    pub gitter_room: GitterRoomId,
    /// The Matrix room that it is about.
    pub matrix_room: OwnedRoomId,
    /// The code.
    pub code: String,
    /// The command that asked for it.
    pub event_id: OwnedEventId,
    /// When it ends.
    pub expires_at: i64,
    /// The newest Gitter message that was looked at.
    pub read_to: GitterMessageId,
    /// What it allows.
    pub purpose: CodePurpose,
}

#[derive(FromRow)]
struct Row {
    gitter_room_id: String,
    matrix_room_id: String,
    code: String,
    event_id: String,
    expires_at: i64,
    read_to: String,
    purpose: String,
}

/// Notes a code; `false` if another holds for the same rooms and purpose.
pub async fn keep(tx: &mut Tx, code: &Code, now: i64) -> Result<bool, StoreError> {
    let kept = execute!(
        tx,
        INSERT,
        code.gitter_room.as_str(),
        code.matrix_room.as_str(),
        code.purpose.as_str(),
        &code.code,
        code.event_id.as_str(),
        code.expires_at,
        code.read_to.as_str(),
        now
    )?;
    Ok(kept == 1)
}

/// The code that a command asked for.
pub async fn of_event(tx: &mut Tx, event_id: &OwnedEventId) -> Result<Option<Code>, StoreError> {
    let row = query!(tx, fetch_optional, Row, OF_EVENT, event_id.as_str())?;
    row.map(|row| {
        Ok(Code {
            gitter_room: column("code", "gitter_room_id", row.gitter_room_id)?,
            matrix_room: column("code", "matrix_room_id", row.matrix_room_id)?,
            code: row.code,
            event_id: column("code", "event_id", row.event_id)?,
            expires_at: row.expires_at,
            read_to: column("code", "read_to", row.read_to)?,
            purpose: column("code", "purpose", row.purpose)?,
        })
    })
    .transpose()
}

/// Notes up to where messages were looked at.
pub async fn has_read(tx: &mut Tx, code: &Code, read_to: &GitterMessageId) -> Result<(), StoreError> {
    execute!(tx, READ_TO, code.event_id.as_str(), read_to.as_str())?;
    Ok(())
}

/// Ends the code that a command asked for, if it did.
pub async fn end(tx: &mut Tx, event_id: &OwnedEventId) -> Result<(), StoreError> {
    execute!(tx, DELETE, event_id.as_str())?;
    Ok(())
}

/// Forgets codes that ended long ago.
pub async fn prune(tx: &mut Tx, up_to: i64) -> Result<(), StoreError> {
    execute!(tx, PRUNE, up_to)?;
    Ok(())
}

/// How many codes hold at a time, other than that of a command.
pub async fn count_others(tx: &mut Tx, event_id: &OwnedEventId, now: i64) -> Result<i64, StoreError> {
    let (count,) = query!(tx, fetch_one, (i64,), COUNT, now, event_id.as_str())?;
    Ok(count)
}

/// When both rooms were last told of their link.
pub async fn announced(
    tx: &mut Tx,
    gitter_room: &GitterRoomId,
    matrix_room: &RoomId,
) -> Result<Option<i64>, StoreError> {
    let row = query!(
        tx,
        fetch_optional,
        (i64,),
        ANNOUNCED,
        gitter_room.as_str(),
        matrix_room.as_str()
    )?;
    Ok(row.map(|(at,)| at))
}

/// Notes that both rooms were told of their link.
pub async fn announce(
    tx: &mut Tx,
    gitter_room: &GitterRoomId,
    matrix_room: &RoomId,
    now: i64,
) -> Result<(), StoreError> {
    execute!(tx, ANNOUNCE, gitter_room.as_str(), matrix_room.as_str(), now)?;
    Ok(())
}

/// Ends the codes for moderation between two rooms, and forgets that they were told of their link: it has ended.
pub async fn forget_link(
    tx: &mut Tx,
    gitter_room: &GitterRoomId,
    matrix_room: &RoomId,
) -> Result<(), StoreError> {
    execute!(tx, END_CODES, gitter_room.as_str(), matrix_room.as_str())?;
    execute!(tx, FORGET_ANNOUNCED, gitter_room.as_str(), matrix_room.as_str())?;
    Ok(())
}
