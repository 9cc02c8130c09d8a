//! The ledger: items as operators see them. It lists those that wait and those that have failed, finds all that
//! is known of an id of either side, and takes items back or out.
//!
//! It decides nothing: who may be retried is judged in `bridge::ledger`.

use sqlx::FromRow;

use super::{
    Direction, LaneKey, StoreError, Tx,
    db::{execute, query, statements},
    error::column,
    inbox::ItemState,
    news::Subject,
};
use crate::{
    ids::ItemId,
    outcome::{Outcome, Reason},
};

statements! {
    // `state <> 'settled'` and `outcome = 'failed'` stand as in the indexes that serve these lists.
    OPEN = "SELECT gitter_room_id, direction, purpose, number, source_id, operation, state, outcome, reason, detail,
            attempts, next_attempt_at, created_at, settled_at, body = '{}' AS forgotten
        FROM inbox
        WHERE state <> 'settled' AND (gitter_room_id, direction, purpose, number) > ($1, $2, $3, $4)
            AND ($5 = '' OR gitter_room_id = $5)
        ORDER BY gitter_room_id, direction, purpose, number LIMIT $6";
    FAILED = "SELECT gitter_room_id, direction, purpose, number, source_id, operation, state, outcome, reason, detail,
            attempts, next_attempt_at, created_at, settled_at, body = '{}' AS forgotten
        FROM inbox
        WHERE outcome = 'failed' AND (gitter_room_id, direction, purpose, number) > ($1, $2, $3, $4)
            AND ($5 = '' OR gitter_room_id = $5)
        ORDER BY gitter_room_id, direction, purpose, number LIMIT $6";
    FAILED_LAST = "SELECT gitter_room_id, direction, purpose, number, source_id, operation, state, outcome, reason, detail,
            attempts, next_attempt_at, created_at, settled_at, body = '{}' AS forgotten
        FROM inbox WHERE outcome = 'failed' ORDER BY settled_at DESC LIMIT $1";
    BY_PLACE = "SELECT gitter_room_id, direction, purpose, number, source_id, operation, state, outcome, reason, detail,
            attempts, next_attempt_at, created_at, settled_at, body = '{}' AS forgotten
        FROM inbox WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4";
    BY_SOURCE = "SELECT gitter_room_id, direction, purpose, number, source_id, operation, state, outcome, reason, detail,
            attempts, next_attempt_at, created_at, settled_at, body = '{}' AS forgotten
        FROM inbox WHERE source_id = $1
        ORDER BY created_at, gitter_room_id, direction, purpose, number LIMIT 200";
    BY_RESULT = "SELECT gitter_room_id, direction, purpose, number, source_id, operation, state, outcome, reason, detail,
            attempts, next_attempt_at, created_at, settled_at, body = '{}' AS forgotten
        FROM inbox
        WHERE (gitter_room_id, direction, purpose, number) IN (
            SELECT gitter_room_id, direction, purpose, number FROM attempt WHERE result_id = $1 AND result_id <> '')
        ORDER BY created_at, gitter_room_id, direction, purpose, number LIMIT 200";
    // What may have arrived is looked for before it is sent again, and what was refused is asked for again.
    REVIVE_ATTEMPTS = "UPDATE attempt SET state = CASE WHEN state IN ('open', 'unknown') THEN 'unknown' ELSE 'planned' END
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND state <> 'done'";
    REVIVE = "UPDATE inbox SET state = 'waiting', outcome = '', reason = '', detail = 'retried by an operator',
            first_attempt_at = $6, next_attempt_at = $5, settled_at = 0
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND outcome = 'failed'";
    HURRY = "UPDATE inbox SET next_attempt_at = $5
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND state = 'waiting'";
    DROP = "UPDATE inbox SET state = 'settled', outcome = 'skipped', reason = $5, detail = $6, settled_at = $7
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4
            AND (state = 'waiting' OR outcome = 'failed')
        RETURNING source_key, source_id";
    IS_WORKED = "SELECT 1 FROM lane
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND owner <> '' AND lease_until >= $4";
    PAIRS = "SELECT gitter_room_id, matrix_room_id, gitter_message_id, event_id, part, kind, origin
        FROM message WHERE event_id = $1
        UNION
        SELECT gitter_room_id, matrix_room_id, gitter_message_id, event_id, part, kind, origin
        FROM message WHERE gitter_message_id = $1
        ORDER BY 1, 2, 3, 4, 5, 6";
    // Grouped by an expression: SQLite would otherwise read the whole table along an index that begins with the
    // direction, instead of the few rows that this is about.
    WAITING = "SELECT way, CAST(SUM(items) AS BIGINT), MIN(oldest), COUNT(*), MAX(items)
        FROM (SELECT direction || '' AS way, COUNT(*) AS items, MIN(created_at) AS oldest FROM inbox
            WHERE state <> 'settled' GROUP BY direction || '', gitter_room_id, purpose) AS lanes
        GROUP BY way";
    FAILURES = "SELECT direction || '' AS way, COUNT(*) FROM inbox WHERE outcome = 'failed' GROUP BY direction || ''";
    BODY = "SELECT body FROM inbox WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4";
}

/// Where an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its lane.
    pub lane: LaneKey,
    /// Its number in there.
    pub number: i64,
}

impl Place {
    /// The id that stands for this place.
    pub fn id(&self) -> ItemId {
        let LaneKey {
            room,
            direction,
            purpose,
        } = &self.lane;
        ItemId::make(direction.as_str(), purpose.as_str(), self.number, room)
    }

    /// The place that an id stands for; `None` if there can be no such place.
    pub fn of(id: &ItemId) -> Option<Self> {
        Some(Self {
            lane: LaneKey {
                room: id.room().to_owned(),
                direction: id.direction().parse().ok()?,
                purpose: id.purpose().parse().ok()?,
            },
            number: id.number(),
        })
    }

    /// The place that a row says.
    pub(super) fn read(
        room: String,
        direction: String,
        purpose: String,
        number: i64,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            lane: LaneKey {
                room,
                direction: column("inbox", "direction", direction)?,
                purpose: column("inbox", "purpose", purpose)?,
            },
            number,
        })
    }

    pub(super) fn columns(&self) -> (&str, &'static str, &'static str, i64) {
        let LaneKey {
            room,
            direction,
            purpose,
        } = &self.lane;
        (room, direction.as_str(), purpose.as_str(), self.number)
    }
}

/// An item, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub place: Place,
    /// The event or Gitter message it came from.
    pub source_id: String,
    /// The event's type, or `create`, `update`, `patch`, `remove`.
    pub operation: String,
    /// How far it is.
    pub state: ItemState,
    /// `bridged`, `skipped` or `failed`; empty before it has an outcome.
    pub outcome: String,
    /// Why, in one word; may be empty.
    pub reason: String,
    /// Why, for people; may be empty.
    pub detail: String,
    /// How often something was sent for it.
    pub attempts: i64,
    /// Not before then; 0 for at once.
    pub next_attempt_at: i64,
    /// When it was accepted.
    pub created_at: i64,
    /// When it got its outcome; 0 before.
    pub settled_at: i64,
    /// Whether what it said is forgotten.
    pub forgotten: bool,
}

impl Entry {
    /// Whether it has failed.
    pub fn has_failed(&self) -> bool {
        self.outcome == "failed"
    }
}

#[derive(FromRow)]
struct Row {
    gitter_room_id: String,
    direction: String,
    purpose: String,
    number: i64,
    source_id: String,
    operation: String,
    state: String,
    outcome: String,
    reason: String,
    detail: String,
    attempts: i64,
    next_attempt_at: i64,
    created_at: i64,
    settled_at: i64,
    forgotten: bool,
}

impl TryFrom<Row> for Entry {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            place: Place::read(row.gitter_room_id, row.direction, row.purpose, row.number)?,
            source_id: row.source_id,
            operation: row.operation,
            state: column("inbox", "state", row.state)?,
            outcome: row.outcome,
            reason: row.reason,
            detail: row.detail,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            created_at: row.created_at,
            settled_at: row.settled_at,
            forgotten: row.forgotten,
        })
    }
}

fn entries(rows: Vec<Row>) -> Result<Vec<Entry>, StoreError> {
    rows.into_iter().map(Entry::try_from).collect()
}

/// Which items to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Those without an outcome.
    Open,
    /// Those that have failed.
    Failed,
}

/// Items in the order of their places: at most so many, behind a place, of one Gitter room or of all.
pub async fn list(
    tx: &mut Tx,
    which: Listed,
    room: Option<&str>,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    let statement = match which {
        Listed::Open => OPEN,
        Listed::Failed => FAILED,
    };
    let (after_room, direction, purpose, number) = after.map_or(("", "", "", 0), Place::columns);
    let room = room.unwrap_or_default();
    let rows = query!(
        tx, fetch_all, Row, statement, after_room, direction, purpose, number, room, limit
    )?;
    entries(rows)
}

/// What failed last, the newest first: at most so many.
pub async fn failed_last(tx: &mut Tx, limit: i64) -> Result<Vec<Entry>, StoreError> {
    entries(query!(tx, fetch_all, Row, FAILED_LAST, limit)?)
}

/// The item at a place.
pub async fn entry(tx: &mut Tx, place: &Place) -> Result<Option<Entry>, StoreError> {
    let (room, direction, purpose, number) = place.columns();
    query!(
        tx,
        fetch_optional,
        Row,
        BY_PLACE,
        room,
        direction,
        purpose,
        number
    )?
    .map(Entry::try_from)
    .transpose()
}

/// The items that came from an event or a Gitter message, oldest first; at most 200.
pub async fn of_source(tx: &mut Tx, source_id: &str) -> Result<Vec<Entry>, StoreError> {
    entries(query!(tx, fetch_all, Row, BY_SOURCE, source_id)?)
}

/// The items that an event or a Gitter message was made from, oldest first; at most 200.
pub async fn of_result(tx: &mut Tx, result_id: &str) -> Result<Vec<Entry>, StoreError> {
    entries(query!(tx, fetch_all, Row, BY_RESULT, result_id)?)
}

/// The number of the item of a lane that an event or a Gitter message was made from, as far as that is kept.
pub async fn number_of_result(
    tx: &mut Tx,
    lane: &LaneKey,
    result_id: &str,
) -> Result<Option<i64>, StoreError> {
    let found = of_result(tx, result_id).await?.into_iter();
    let of_lane = found.filter(|entry| entry.place.lane == *lane);
    Ok(of_lane.map(|entry| entry.place.number).max())
}

/// Whether a later item of the same lane, about the same event or Gitter message, has crossed.
pub async fn has_later_bridged(tx: &mut Tx, place: &Place, source_id: &str) -> Result<bool, StoreError> {
    let found = of_source(tx, source_id).await?;
    Ok(found.iter().any(|entry| {
        entry.outcome == "bridged" && entry.place.lane == place.lane && entry.place.number > place.number
    }))
}

/// What an item said, as raw JSON.
pub async fn body(tx: &mut Tx, place: &Place) -> Result<Option<String>, StoreError> {
    let (room, direction, purpose, number) = place.columns();
    let found = query!(
        tx,
        fetch_optional,
        (String,),
        BODY,
        room,
        direction,
        purpose,
        number
    )?;
    Ok(found.map(|(body,)| body))
}

/// Whether a process holds a lane.
pub async fn is_worked(tx: &mut Tx, lane: &LaneKey, now: i64) -> Result<bool, StoreError> {
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    let found = query!(
        tx,
        fetch_optional,
        (i32,),
        IS_WORKED,
        &lane.room,
        direction,
        purpose,
        now
    )?;
    Ok(found.is_some())
}

/// Lets a failed item wait again, at its old place and not to be tried before then. How long it is tried counts from
/// now. The caller has locked the lane. `false` if it has not failed.
pub async fn revive(tx: &mut Tx, place: &Place, not_before: i64, now: i64) -> Result<bool, StoreError> {
    let (room, direction, purpose, number) = place.columns();
    execute!(tx, REVIVE_ATTEMPTS, room, direction, purpose, number)?;
    Ok(execute!(tx, REVIVE, room, direction, purpose, number, not_before, now)? == 1)
}

/// Lets an item that waits be tried as soon as that. The caller has locked the lane. `false` if it does not wait.
pub async fn hurry(tx: &mut Tx, place: &Place, not_before: i64) -> Result<bool, StoreError> {
    let (room, direction, purpose, number) = place.columns();
    Ok(execute!(tx, HURRY, room, direction, purpose, number, not_before)? == 1)
}

/// Takes out an item that waits or has failed. The caller has locked the lane. `false` if it is neither.
pub async fn drop_item(tx: &mut Tx, place: &Place, detail: &str, now: i64) -> Result<bool, StoreError> {
    let (room, direction, purpose, number) = place.columns();
    let reason = Reason::DroppedByOperator;
    let dropped = query!(
        tx,
        fetch_optional,
        (String, String),
        DROP,
        room,
        direction,
        purpose,
        number,
        reason.as_str(),
        detail,
        now
    )?;
    let Some((source_key, source_id)) = dropped else {
        return Ok(false);
    };
    let outcome = Outcome::Skipped(reason, detail.to_owned());
    tx.news.settled(&place.lane, &outcome, || Subject {
        place: place.clone(),
        source_key,
        source_id,
    });
    Ok(true)
}

/// An event and a Gitter message that are the same thing, in whichever rooms.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Pair {
    /// The Gitter room.
    pub gitter_room_id: String,
    /// The Matrix room.
    pub matrix_room_id: String,
    /// The Gitter message.
    pub gitter_message_id: String,
    /// The event.
    pub event_id: String,
    /// Which of the messages that one became, from 0.
    pub part: i64,
    /// `create`, `edit` or `correction`.
    pub kind: String,
    /// The side it was written on: `gitter` or `matrix`.
    pub origin: String,
}

/// The lines of the map that hold an event or a Gitter message.
pub async fn pairs(tx: &mut Tx, id: &str) -> Result<Vec<Pair>, StoreError> {
    Ok(query!(tx, fetch_all, Pair, PAIRS, id)?)
}

/// How many items of a direction wait or have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// The direction.
    pub direction: Direction,
    /// Items without an outcome.
    pub waiting: i64,
    /// When the oldest of those was accepted.
    pub oldest: Option<i64>,
    /// Items that have failed.
    pub failed: i64,
    /// Lanes with items without an outcome.
    pub lanes: i64,
    /// How many the lane with the most has.
    pub deepest: i64,
}

/// How many items of each direction wait or have failed.
pub async fn backlogs(tx: &mut Tx) -> Result<[Backlog; 2], StoreError> {
    let waiting = query!(tx, fetch_all, (String, i64, i64, i64, i64), WAITING)?;
    let failures = query!(tx, fetch_all, (String, i64), FAILURES)?;
    Ok([Direction::ToGitter, Direction::ToMatrix].map(|direction| {
        let is_own = |found: &String| found == direction.as_str();
        let waiting = waiting.iter().find(|(found, ..)| is_own(found));
        let failed = failures.iter().find(|(found, _)| is_own(found));
        Backlog {
            direction,
            waiting: waiting.map_or(0, |(_, count, ..)| *count),
            oldest: waiting.map(|(_, _, oldest, ..)| *oldest),
            failed: failed.map_or(0, |(_, count)| *count),
            lanes: waiting.map_or(0, |(.., lanes, _)| *lanes),
            deepest: waiting.map_or(0, |(.., deepest)| *deepest),
        }
    }))
}
