//! What was posted on Gitter and not heard of since (DESIGN 3.1, "Accepted is not stored"), and taking back that it
//! arrived.

use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::column,
    ledger::Place,
    news::Subject,
};
use crate::{
    ids::{GitterMessageId, GitterRoomId, GitterUserId},
    outcome::{Outcome, Reason},
};

statements! {
    INSERT = "INSERT INTO awaited_echo (gitter_room_id, gitter_message_id, account_id, posted_at)
        VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    DUE = "SELECT gitter_room_id, gitter_message_id, account_id, posted_at FROM awaited_echo
        WHERE posted_at <= $1 ORDER BY posted_at, gitter_message_id LIMIT 100";
    // Whatever is said of the message: that it was made, changed or removed.
    FORGET_HEARD = "DELETE FROM awaited_echo
        WHERE EXISTS (SELECT 1 FROM inbox WHERE inbox.source_id = awaited_echo.gitter_message_id
            AND inbox.direction = 'to_matrix')";
    FORGET = "DELETE FROM awaited_echo WHERE gitter_room_id = $1 AND gitter_message_id = $2";
    IS_AWAITED = "SELECT 1 FROM awaited_echo WHERE gitter_room_id = $1 AND gitter_message_id = $2";
    UNDO_ATTEMPT = "UPDATE attempt SET state = 'planned', result_id = '', settled_at = 0, error = $6
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND result_id = $5
            AND state = 'done'";
    UNDO_ITEM = "UPDATE inbox SET outcome = 'failed', reason = $5, detail = $6
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND outcome = 'bridged'
        RETURNING source_key, source_id";
    UNDO_PAIRS = "DELETE FROM message WHERE gitter_room_id = $1 AND gitter_message_id = $2 AND origin = 'matrix'";
}

/// A message that nobody has told the bridge of since it was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedEcho {
    /// The Gitter room.
    pub room: GitterRoomId,
    /// The message.
    pub message: GitterMessageId,
    /// Whose it is.
    pub account: GitterUserId,
    /// When Gitter answered that it took it.
    pub posted_at: i64,
}

#[derive(FromRow)]
struct Row {
    gitter_room_id: String,
    gitter_message_id: String,
    account_id: String,
    posted_at: i64,
}

impl TryFrom<Row> for AwaitedEcho {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            room: column("awaited_echo", "gitter_room_id", row.gitter_room_id)?,
            message: column("awaited_echo", "gitter_message_id", row.gitter_message_id)?,
            account: column("awaited_echo", "account_id", row.account_id)?,
            posted_at: row.posted_at,
        })
    }
}

/// Notes that a message's echo is awaited.
pub async fn await_echo(tx: &mut Tx, awaited: &AwaitedEcho) -> Result<(), StoreError> {
    let AwaitedEcho {
        room,
        message,
        account,
        posted_at,
    } = awaited;
    execute!(
        tx,
        INSERT,
        room.as_str(),
        message.as_str(),
        account.as_str(),
        *posted_at
    )?;
    Ok(())
}

/// Forgets the messages of which something was heard.
pub async fn forget_heard(tx: &mut Tx) -> Result<(), StoreError> {
    execute!(tx, FORGET_HEARD)?;
    Ok(())
}

/// Forgets a message.
pub async fn forget(tx: &mut Tx, awaited: &AwaitedEcho) -> Result<(), StoreError> {
    execute!(tx, FORGET, awaited.room.as_str(), awaited.message.as_str())?;
    Ok(())
}

/// Whether nothing was heard of a message yet.
pub async fn is_awaited(tx: &mut Tx, awaited: &AwaitedEcho) -> Result<bool, StoreError> {
    let (room, message) = (awaited.room.as_str(), awaited.message.as_str());
    Ok(query!(tx, fetch_optional, (i32,), IS_AWAITED, room, message)?.is_some())
}

/// Messages that were posted at a time or before, oldest first; at most 100.
pub async fn due(tx: &mut Tx, posted_by: i64) -> Result<Vec<AwaitedEcho>, StoreError> {
    let rows = query!(tx, fetch_all, Row, DUE, posted_by)?;
    rows.into_iter().map(AwaitedEcho::try_from).collect()
}

/// Takes back that a message arrived: its attempt can be made again, and an item that counted as bridged has failed.
/// The caller has locked the lane. `false` if the item had not crossed.
pub async fn take_back(
    tx: &mut Tx,
    place: &Place,
    awaited: &AwaitedEcho,
    detail: &str,
) -> Result<bool, StoreError> {
    let (room, direction, purpose, number) = place.columns();
    let message = awaited.message.as_str();
    execute!(
        tx,
        UNDO_ATTEMPT,
        room,
        direction,
        purpose,
        number,
        message,
        detail
    )?;
    execute!(tx, UNDO_PAIRS, room, message)?;
    let reason = Reason::SilentBan;
    let undone = query!(
        tx,
        fetch_optional,
        (String, String),
        UNDO_ITEM,
        room,
        direction,
        purpose,
        number,
        reason.as_str(),
        detail
    )?;
    let Some((source_key, source_id)) = undone else {
        return Ok(false);
    };
    let outcome = Outcome::Failed(reason, detail.to_owned());
    tx.news.settled(&place.lane, &outcome, || Subject {
        place: place.clone(),
        source_key,
        source_id,
    });
    Ok(true)
}
