//! Items that go out with another one: what waits behind an item and changes what it says, and what went with it.
//!
//! It decides nothing: what may be folded is judged in `bridge::fold`.

use super::{
    Item, LaneKey, StoreError, Tx,
    db::{execute, query, statements},
    inbox::Row,
};

statements! {
    // The changes of one event: its edits, its redactions, and the redactions of its edits. `target <> ''` and
    // `folded_into <> 0` stand as in the indexes that serve these. The lane is compared as an expression: SQLite would
    // otherwise read the whole of it, instead of the few rows that this is about.
    WAITING = "SELECT number, source_key, source_id, operation, body, source_time, attempts, first_attempt_at,
            next_attempt_at, created_at, target
        FROM inbox
        WHERE gitter_room_id || '' = $1 AND direction || '' = $2 AND purpose || '' = $3 AND number > $4
            AND state = 'waiting' AND target <> '' AND target IN (
                SELECT CAST($5 AS TEXT) UNION ALL SELECT source_id FROM inbox WHERE target = $5 AND target <> '')
        ORDER BY number LIMIT $6";
    FOLDED = "SELECT number, source_key, source_id, operation, body, source_time, attempts, first_attempt_at,
            next_attempt_at, created_at, target
        FROM inbox
        WHERE gitter_room_id = $1 AND direction || '' = $2 AND purpose || '' = $3 AND folded_into = $4
            AND folded_into <> 0
        ORDER BY number";
    FOLD = "UPDATE inbox SET folded_into = $5
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4";
    UNFOLD = "UPDATE inbox SET state = 'waiting', outcome = '', reason = '', detail = '', settled_at = 0, folded_into = 0
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND folded_into = $4 AND folded_into <> 0
            AND body <> '{}'";
    // An edit keeps nobody waiting who reads along; everything else that is sent does.
    SPEAKS = "SELECT number FROM inbox
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number > $4 AND state = 'waiting'
            AND state <> 'settled' AND (operation IN ('m.sticker', 'm.room.redaction')
                OR operation = 'm.room.message' AND target = '')
        ORDER BY number LIMIT 1";
}

/// The changes of an event that wait behind an item of its lane: in order, so many at most.
pub async fn waiting_changes(
    tx: &mut Tx,
    lane: &LaneKey,
    behind: i64,
    event_id: &str,
    limit: i64,
) -> Result<Vec<Item>, StoreError> {
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    let rows = query!(
        tx, fetch_all, Row, WAITING, &lane.room, direction, purpose, behind, event_id, limit
    )?;
    Ok(rows.into_iter().map(|row| row.item(lane)).collect())
}

/// The edits that an item was already made to say, in order.
pub async fn folded_into(tx: &mut Tx, item: &Item) -> Result<Vec<Item>, StoreError> {
    let lane = &item.lane;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    let rows = query!(
        tx,
        fetch_all,
        Row,
        FOLDED,
        &lane.room,
        direction,
        purpose,
        item.number
    )?;
    Ok(rows.into_iter().map(|row| row.item(lane)).collect())
}

/// Notes that an edit goes out with an item of the same lane.
pub async fn fold_into(tx: &mut Tx, edit: &Item, item: &Item) -> Result<(), StoreError> {
    let lane = &edit.lane;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    execute!(tx, FOLD, &lane.room, direction, purpose, edit.number, item.number)?;
    Ok(())
}

/// Lets the edits that were to go out with an item wait again, but those that are forgotten.
pub async fn unfold(tx: &mut Tx, item: &Item) -> Result<(), StoreError> {
    let lane = &item.lane;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    execute!(tx, UNFOLD, &lane.room, direction, purpose, item.number)?;
    Ok(())
}

/// Whether anything but edits waits to be sent behind an item of its lane.
pub async fn speech_waits(tx: &mut Tx, item: &Item) -> Result<bool, StoreError> {
    let lane = &item.lane;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    let found = query!(
        tx,
        fetch_optional,
        (i64,),
        SPEAKS,
        &lane.room,
        direction,
        purpose,
        item.number
    )?;
    Ok(found.is_some())
}
