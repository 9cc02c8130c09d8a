//! What Matrix people are told of what becomes of their messages: who is still to be told of a failure, and where the
//! bot's read receipts are.

use ruma::{OwnedEventId, OwnedRoomId, RoomId, UserId};
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::column,
    ledger::Place,
};
use crate::{ids::GitterRoomId, outcome::Reason};

statements! {
    // `outcome` and `told` stand as in the index that serves this.
    UNTOLD = "SELECT inbox.gitter_room_id, inbox.direction, inbox.purpose, inbox.number, inbox.source_id,
            inbox.operation, inbox.reason, inbox.body, portal.matrix_room_id
        FROM inbox JOIN portal ON portal.gitter_room_id = inbox.gitter_room_id
            AND portal.created_at <= inbox.created_at
        WHERE inbox.direction = 'to_gitter' AND inbox.outcome = 'failed' AND NOT inbox.told
        ORDER BY inbox.settled_at, inbox.gitter_room_id, inbox.number LIMIT 100";
    // Of several processes one finds it so.
    MARK_TOLD = "UPDATE inbox SET told = TRUE
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND NOT told";
    MAY_TELL = "INSERT INTO notice (matrix_room_id, user_id, told_at) VALUES ($1, $2, $3)
        ON CONFLICT (matrix_room_id, user_id) DO UPDATE SET told_at = excluded.told_at WHERE notice.told_at <= $4";
    // The newest event that crossed before everything that waits or has failed; what an earlier link of the room left
    // does not count.
    CROSSED = "SELECT gitter_room_id, matrix_room_id, event_id FROM (
            SELECT portal.gitter_room_id, portal.matrix_room_id, portal.receipt,
                (SELECT inbox.source_id FROM inbox
                    WHERE inbox.gitter_room_id = portal.gitter_room_id AND inbox.direction = 'to_gitter'
                        AND inbox.purpose = 'live' AND inbox.outcome = 'bridged'
                        AND inbox.created_at >= portal.created_at
                        AND inbox.number < COALESCE((SELECT MIN(number) FROM inbox AS waiting
                            WHERE waiting.gitter_room_id = portal.gitter_room_id AND waiting.direction = 'to_gitter'
                                AND waiting.purpose = 'live' AND waiting.state <> 'settled'), 9223372036854775807)
                        AND inbox.number < COALESCE((SELECT MIN(number) FROM inbox AS failed
                            WHERE failed.gitter_room_id = portal.gitter_room_id AND failed.direction = 'to_gitter'
                                AND failed.purpose = 'live' AND failed.outcome = 'failed'
                                AND failed.created_at >= portal.created_at), 9223372036854775807)
                    ORDER BY inbox.number DESC LIMIT 1) AS event_id
            FROM portal) AS newest
        WHERE event_id IS NOT NULL AND event_id <> receipt
        ORDER BY gitter_room_id";
    SET_RECEIPT = "UPDATE portal SET receipt = $2 WHERE gitter_room_id = $1";
}

/// A failed item whose sender was not told.
#[derive(Debug, Clone)]
pub struct Untold {
    /// Where the item is.
    pub place: Place,
    /// The event.
    pub event_id: String,
    /// Its type.
    pub operation: String,
    /// Why it failed.
    pub reason: Reason,
    /// The event, as JSON.
    pub body: String,
    /// The portal's Matrix room.
    pub room: OwnedRoomId,
}

/// Up to where everything of a room has crossed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossed {
    /// The portal's Gitter room.
    pub gitter_room: GitterRoomId,
    /// Its Matrix room.
    pub room: OwnedRoomId,
    /// The event.
    pub event_id: OwnedEventId,
}

#[derive(FromRow)]
struct UntoldRow {
    gitter_room_id: String,
    direction: String,
    purpose: String,
    number: i64,
    source_id: String,
    operation: String,
    reason: String,
    body: String,
    matrix_room_id: String,
}

impl TryFrom<UntoldRow> for Untold {
    type Error = StoreError;

    fn try_from(row: UntoldRow) -> Result<Self, StoreError> {
        Ok(Self {
            place: Place::read(row.gitter_room_id, row.direction, row.purpose, row.number)?,
            event_id: row.source_id,
            operation: row.operation,
            reason: column("inbox", "reason", row.reason)?,
            body: row.body,
            room: column("portal", "matrix_room_id", row.matrix_room_id)?,
        })
    }
}

/// Failed items whose senders were not told, the first that failed first; at most 100.
pub async fn untold(tx: &mut Tx) -> Result<Vec<Untold>, StoreError> {
    let rows = query!(tx, fetch_all, UntoldRow, UNTOLD)?;
    rows.into_iter().map(Untold::try_from).collect()
}

/// Notes that nobody is to be told of an item any more; `false` if that was so.
pub async fn mark_told(tx: &mut Tx, place: &Place) -> Result<bool, StoreError> {
    let (room, direction, purpose, number) = place.columns();
    Ok(execute!(tx, MARK_TOLD, room, direction, purpose, number)? == 1)
}

/// Notes that a person is told something in a room now; `false` if they were after `not_since`.
pub async fn may_tell(
    tx: &mut Tx,
    room: &RoomId,
    user: &UserId,
    now: i64,
    not_since: i64,
) -> Result<bool, StoreError> {
    Ok(execute!(tx, MAY_TELL, room.as_str(), user.as_str(), now, not_since)? == 1)
}

/// The rooms in which more has crossed than the bot's read receipt says.
pub async fn crossed(tx: &mut Tx) -> Result<Vec<Crossed>, StoreError> {
    let rows = query!(tx, fetch_all, (String, String, String), CROSSED)?;
    rows.into_iter()
        .map(|(gitter_room, room, event_id)| {
            Ok(Crossed {
                gitter_room: column("portal", "gitter_room_id", gitter_room)?,
                room: column("portal", "matrix_room_id", room)?,
                event_id: column("inbox", "source_id", event_id)?,
            })
        })
        .collect()
}

/// Notes where the bot's read receipt is.
pub async fn set_receipt(tx: &mut Tx, crossed: &Crossed) -> Result<(), StoreError> {
    execute!(
        tx,
        SET_RECEIPT,
        crossed.gitter_room.as_str(),
        crossed.event_id.as_str()
    )?;
    Ok(())
}
