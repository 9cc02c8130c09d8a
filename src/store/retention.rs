//! How long the ledger keeps items that are settled: first what they said goes, then they go themselves.
//!
//! Items that have failed stay until an operator retries or drops them. So does every item whose key could come
//! again: it is what makes a repeat a repeat.

use sqlx::FromRow;

use super::{
    Direction, LaneKey, StoreError, Tx,
    db::{execute, query, statements},
    lane,
    ledger::Place,
};
use crate::{ids::GitterMessageId, outcome::Reason};

statements! {
    OLD = "SELECT settled_at, gitter_room_id, direction, purpose, number, source_id, reason, body = '{}' AS forgotten
        FROM inbox
        WHERE state = 'settled' AND outcome <> 'failed' AND settled_at < $1
            AND (settled_at, gitter_room_id, direction, purpose, number) > ($2, $3, $4, $5, $6)
        ORDER BY settled_at, gitter_room_id, direction, purpose, number LIMIT $7";
    LANE = "SELECT next_number, cursor FROM lane WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3";
    REMOVE_ATTEMPTS = "DELETE FROM attempt WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4";
    FORGET = "UPDATE inbox SET body = '{}'
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4
            AND state = 'settled' AND outcome <> 'failed'";
    REMOVE = "DELETE FROM inbox
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4
            AND state = 'settled' AND outcome <> 'failed'";
}

/// The latest places of a lane stay, however old (held items leave places empty, so these are half as many items at
/// least): where an event of the homeserver may have been left
/// out, the room is read back to the last one that is known (`bridge::look_back`).
const LATEST: i64 = 50;

/// How long before the newest Gitter message of a room catch-up may find one that is not known, with a margin.
const OVERLAP: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Until when items had to be settled.
#[derive(Debug, Clone, Copy)]
pub struct Horizons {
    /// What earlier ones said is forgotten.
    pub forget: i64,
    /// Earlier ones go themselves; no later than `forget`.
    pub remove: i64,
}

/// An item that was settled long ago.
#[derive(Debug, Clone)]
pub struct OldItem {
    /// Where it is.
    pub place: Place,
    settled_at: i64,
    source_id: String,
    reason: String,
    forgotten: bool,
}

#[derive(FromRow)]
struct Row {
    settled_at: i64,
    gitter_room_id: String,
    direction: String,
    purpose: String,
    number: i64,
    source_id: String,
    reason: String,
    forgotten: bool,
}

/// Items that were settled before then, the longest ago first: so many, behind one.
pub async fn old_items(
    tx: &mut Tx,
    before: i64,
    after: Option<&OldItem>,
    limit: i64,
) -> Result<Vec<OldItem>, StoreError> {
    let (settled_at, room, direction, purpose, number) = after.map_or((-1, "", "", "", 0), |item| {
        let LaneKey {
            room,
            direction,
            purpose,
        } = &item.place.lane;
        let (direction, purpose) = (direction.as_str(), purpose.as_str());
        (
            item.settled_at,
            room.as_str(),
            direction,
            purpose,
            item.place.number,
        )
    });
    let rows = query!(
        tx, fetch_all, Row, OLD, before, settled_at, room, direction, purpose, number, limit
    )?;
    rows.into_iter()
        .map(|row| {
            Ok(OldItem {
                place: Place::read(row.gitter_room_id, row.direction, row.purpose, row.number)?,
                settled_at: row.settled_at,
                source_id: row.source_id,
                reason: row.reason,
                forgotten: row.forgotten,
            })
        })
        .collect()
}

/// Lets old items of one lane go, or what they said. Gives how many went.
pub async fn clear(
    tx: &mut Tx,
    lane: &LaneKey,
    items: &[OldItem],
    horizons: Horizons,
) -> Result<usize, StoreError> {
    // The lane first, then attempts, then items, as everywhere.
    lane::lock_lane(tx, lane).await?;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    let found = query!(
        tx,
        fetch_optional,
        (i64, String),
        LANE,
        &lane.room,
        direction,
        purpose
    )?;
    let Some((next_number, cursor)) = found else {
        return Ok(0);
    };
    let (mut going, mut fading): (Vec<&OldItem>, Vec<&OldItem>) = items.iter().partition(|item| {
        item.settled_at < horizons.remove
            && item.place.number < next_number - LATEST
            && !may_come_again(item, &cursor)
    });
    fading.retain(|item| !item.forgotten);
    for item in going.iter().chain(&fading) {
        execute!(
            tx,
            REMOVE_ATTEMPTS,
            &lane.room,
            direction,
            purpose,
            item.place.number
        )?;
    }
    for item in fading {
        execute!(tx, FORGET, &lane.room, direction, purpose, item.place.number)?;
    }
    let gone = going.len();
    for item in going.drain(..) {
        execute!(tx, REMOVE, &lane.room, direction, purpose, item.place.number)?;
    }
    Ok(gone)
}

/// Whether catch-up may find the very thing again. What an operator dropped would then cross after all.
fn may_come_again(item: &OldItem, cursor: &str) -> bool {
    if item.place.lane.direction == Direction::ToGitter {
        return false;
    }
    if item.reason == Reason::DroppedByOperator.as_str() {
        return true;
    }
    let newest = cursor.parse::<GitterMessageId>().ok();
    let overlap = newest.and_then(|newest| newest.time()?.checked_sub(OVERLAP).ok());
    let begin = overlap.map(GitterMessageId::first_of_second);
    begin.is_none_or(|begin| item.source_id.as_str() >= begin.as_str())
}
