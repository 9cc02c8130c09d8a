//! The inbox: every thing to carry across, waiting or with its outcome. After the outcome a row is the
//! item's line in the ledger.

use sqlx::FromRow;

use super::{
    Direction, LaneKey, StoreError, Tx,
    db::{execute, query, statements},
    error::words,
    lane::{NEVER, take_number, take_numbers},
    ledger::Place,
    news::Subject,
};
use crate::{
    ids::{GitterMessageId, GitterRoomId},
    outcome::{Outcome, Reason},
};

statements! {
    INSERT = "INSERT INTO inbox (gitter_room_id, direction, purpose, number, source_key, source_id, operation, body,
            source_time, state, outcome, reason, detail, created_at, settled_at, target)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (direction, source_key) DO NOTHING";
    HEAD = "SELECT number, source_key, source_id, operation, body, source_time, attempts, first_attempt_at, next_attempt_at,
            created_at, target
        FROM inbox
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND state = 'waiting' AND state <> 'settled'
        ORDER BY number LIMIT 1";
    WAITING = "SELECT number, source_key, source_id, operation, body, source_time, attempts, first_attempt_at,
            next_attempt_at, created_at, target
        FROM inbox
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND state = 'waiting'";
    // `state <> 'settled'` beside the state asked for: SQLite then sees that the index of open items serves.
    COUNT_HELD = "SELECT COUNT(*) FROM inbox
        WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND purpose = 'live' AND state = 'held'
            AND state <> 'settled'";
    RELEASE_HELD = "UPDATE inbox SET state = 'waiting', number = $2 + held.place
        FROM (SELECT number AS old_number,
                ROW_NUMBER() OVER (ORDER BY source_time, source_id, number) - 1 AS place
            FROM inbox
            WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND purpose = 'live' AND state = 'held'
                AND state <> 'settled') AS held
        WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND purpose = 'live' AND number = held.old_number";
    HELD_SOURCES = "SELECT source_id FROM inbox
        WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND purpose = 'live' AND state = 'held'
            AND state <> 'settled'
            AND operation = $2";
    SETTLE = "UPDATE inbox SET state = 'settled', outcome = $5, reason = $6, detail = $7, settled_at = $8
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND state = 'waiting'";
    POSTPONE = "UPDATE inbox SET next_attempt_at = $5, detail = $6
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND state = 'waiting'";
    NOTE = "UPDATE inbox SET detail = $5
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND outcome = 'bridged'";
    COUNT_TRY = "UPDATE inbox SET attempts = attempts + 1,
            first_attempt_at = CASE WHEN first_attempt_at = 0 THEN $5 ELSE first_attempt_at END
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND state = 'waiting'";
    SETTLE_ALL = "UPDATE inbox SET state = 'settled', outcome = $3, reason = $4, detail = $5, settled_at = $6
        WHERE gitter_room_id = $1 AND direction = $2 AND state <> 'settled'";
    OUTCOME_OF = "SELECT reason FROM inbox WHERE source_id = $1 AND direction = $2 AND state = 'settled'
            AND outcome <> 'bridged'
        ORDER BY gitter_room_id, purpose, number LIMIT 1";
    // Of a tombstone, the key ends so (`bridge::accept`).
    REMOVAL_WAITS = "SELECT number FROM inbox
        WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND purpose = 'live' AND state <> 'settled'
            AND source_id = $2 AND (operation = 'remove' OR source_key LIKE '% true') LIMIT 1";
    IS_KNOWN = "SELECT number FROM inbox WHERE direction = $1 AND source_key = $2";
}

words! {
    /// Where an item is on its way.
    ItemState {
        /// Kept back until what is older has been fetched.
        Held = "held",
        /// In its lane.
        Waiting = "waiting",
        /// It has its outcome.
        Settled = "settled",
    }
}

/// A thing to carry across, as it is accepted.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// The lane it goes into.
    pub lane: LaneKey,
    /// What makes a repeat a repeat; unique per direction.
    pub source_key: String,
    /// The event or Gitter message it came from.
    pub source_id: String,
    /// The event's type, or `create`, `update`, `patch`, `remove`.
    pub operation: String,
    /// Raw JSON.
    pub body: String,
    /// When it was made on its side.
    pub source_time: i64,
    /// The event that it edits or redacts; empty for others.
    pub target: String,
    /// Whether it is kept back until catch-up is done.
    pub held: bool,
    /// Its outcome, where there is nothing to do for it.
    pub outcome: Option<Outcome>,
}

/// An item at the head of its lane.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its lane.
    pub lane: LaneKey,
    /// Its place in the lane.
    pub number: i64,
    /// What makes a repeat a repeat.
    pub source_key: String,
    /// The event or Gitter message it came from.
    pub source_id: String,
    /// The event's type, or `create`, `update`, `patch`, `remove`.
    pub operation: String,
    /// Raw JSON.
    pub body: String,
    /// When it was made on its side.
    pub source_time: i64,
    /// How often something was sent for it.
    pub attempts: i64,
    /// When something was first sent for it; 0 for never.
    pub first_attempt_at: i64,
    /// Not before then.
    pub next_attempt_at: i64,
    /// When it was accepted.
    pub created_at: i64,
    /// The event that it edits or redacts; empty for others.
    pub target: String,
}

impl NewItem {
    fn subject(&self, number: i64) -> Subject {
        Subject {
            place: Place {
                lane: self.lane.clone(),
                number,
            },
            source_key: self.source_key.clone(),
            source_id: self.source_id.clone(),
        }
    }
}

impl Item {
    /// Where it is.
    pub fn place(&self) -> Place {
        Place {
            lane: self.lane.clone(),
            number: self.number,
        }
    }

    fn subject(&self) -> Subject {
        Subject {
            place: self.place(),
            source_key: self.source_key.clone(),
            source_id: self.source_id.clone(),
        }
    }
}

#[derive(FromRow)]
pub(super) struct Row {
    number: i64,
    source_key: String,
    source_id: String,
    operation: String,
    body: String,
    source_time: i64,
    attempts: i64,
    first_attempt_at: i64,
    next_attempt_at: i64,
    created_at: i64,
    target: String,
}

impl Row {
    pub(super) fn item(self, lane: &LaneKey) -> Item {
        Item {
            lane: lane.clone(),
            number: self.number,
            source_key: self.source_key,
            source_id: self.source_id,
            operation: self.operation,
            body: self.body,
            source_time: self.source_time,
            attempts: self.attempts,
            first_attempt_at: self.first_attempt_at,
            next_attempt_at: self.next_attempt_at,
            created_at: self.created_at,
            target: self.target,
        }
    }
}

/// The columns `outcome`, `reason` and `detail` of an outcome.
fn outcome_columns(outcome: &Outcome) -> (&'static str, &'static str, &str) {
    let (word, reason) = outcome.words();
    (word, reason, outcome.detail())
}

/// Whether an item was accepted before.
pub async fn is_known(tx: &mut Tx, direction: Direction, source_key: &str) -> Result<bool, StoreError> {
    let found = query!(
        tx,
        fetch_optional,
        (i64,),
        IS_KNOWN,
        direction.as_str(),
        source_key
    )?;
    Ok(found.is_some())
}

/// Accepts items, in order. Repeats are left out; gives the number of new ones.
pub async fn enqueue(tx: &mut Tx, items: &[NewItem], now: i64) -> Result<usize, StoreError> {
    let mut added = 0;
    for item in items {
        let (direction, purpose) = (item.lane.direction.as_str(), item.lane.purpose.as_str());
        if is_known(tx, item.lane.direction, &item.source_key).await? {
            continue;
        }
        let state = match (&item.outcome, item.held) {
            (Some(_), _) => ItemState::Settled,
            (None, true) => ItemState::Held,
            (None, false) => ItemState::Waiting,
        };
        let due = if state == ItemState::Waiting { now } else { NEVER };
        let number = take_number(tx, &item.lane, due).await?;
        let (outcome, reason, detail) = item.outcome.as_ref().map_or(("", "", ""), outcome_columns);
        let settled_at = if state == ItemState::Settled { now } else { 0 };
        let inserted = execute!(
            tx,
            INSERT,
            &item.lane.room,
            direction,
            purpose,
            number,
            &item.source_key,
            &item.source_id,
            &item.operation,
            &item.body,
            item.source_time,
            state.as_str(),
            outcome,
            reason,
            detail,
            now,
            settled_at,
            &item.target,
        )?;
        if inserted == 1 {
            added += 1;
            let subject = || item.subject(number);
            tx.news.accepted(subject);
            if let Some(outcome) = &item.outcome {
                tx.news.settled(&item.lane, outcome, subject);
            }
        }
    }
    Ok(added)
}

/// The first item of a lane that waits.
pub async fn head(tx: &mut Tx, lane: &LaneKey) -> Result<Option<Item>, StoreError> {
    let row = query!(
        tx,
        fetch_optional,
        Row,
        HEAD,
        &lane.room,
        lane.direction.as_str(),
        lane.purpose.as_str()
    )?;
    Ok(row.map(|row| row.item(lane)))
}

/// An item that waits, wherever it is in its lane.
pub async fn waiting_item(tx: &mut Tx, lane: &LaneKey, number: i64) -> Result<Option<Item>, StoreError> {
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    let row = query!(
        tx,
        fetch_optional,
        Row,
        WAITING,
        &lane.room,
        direction,
        purpose,
        number
    )?;
    Ok(row.map(|row| row.item(lane)))
}

/// Lets a portal's held items go, in the order in which they were made on Gitter.
pub async fn release_held(tx: &mut Tx, room: &GitterRoomId, now: i64) -> Result<usize, StoreError> {
    let lane = LaneKey::live(Some(room), Direction::ToMatrix);
    let (held,) = query!(tx, fetch_one, (i64,), COUNT_HELD, room.as_str())?;
    if held > 0 {
        // Fresh places: places are handed out in commit order, and these were taken in order of arrival.
        let first = take_numbers(tx, &lane, held, now).await?;
        execute!(tx, RELEASE_HELD, room.as_str(), first)?;
    }
    Ok(usize::try_from(held).unwrap_or(usize::MAX))
}

/// The Gitter messages that a portal's held items of one operation are about.
pub async fn held_sources(
    tx: &mut Tx,
    room: &GitterRoomId,
    operation: &str,
) -> Result<Vec<String>, StoreError> {
    let rows = query!(tx, fetch_all, (String,), HELD_SOURCES, room.as_str(), operation)?;
    Ok(rows.into_iter().map(|(source,)| source).collect())
}

/// Gives an item its outcome; `false` if it has one already.
pub async fn settle_item(tx: &mut Tx, item: &Item, outcome: &Outcome, now: i64) -> Result<bool, StoreError> {
    let (word, reason, detail) = outcome_columns(outcome);
    let (room, direction, purpose) = (
        &item.lane.room,
        item.lane.direction.as_str(),
        item.lane.purpose.as_str(),
    );
    let settled = execute!(
        tx,
        SETTLE,
        room,
        direction,
        purpose,
        item.number,
        word,
        reason,
        detail,
        now
    )? == 1;
    if settled {
        tx.news.settled(&item.lane, outcome, || item.subject());
        if *outcome == Outcome::Bridged {
            tx.news.delivered(item.lane.direction, now - item.created_at);
        }
    }
    Ok(settled)
}

/// Puts an item off; it stays at the head of its lane. The detail says why, for people.
pub async fn postpone(tx: &mut Tx, item: &Item, until: i64, detail: &str) -> Result<(), StoreError> {
    let (direction, purpose) = (item.lane.direction.as_str(), item.lane.purpose.as_str());
    execute!(
        tx,
        POSTPONE,
        &item.lane.room,
        direction,
        purpose,
        item.number,
        until,
        detail
    )?;
    Ok(())
}

/// Says for people what is odd about an item that crossed; nothing if the note is empty.
pub async fn note(tx: &mut Tx, item: &Item, note: &str) -> Result<(), StoreError> {
    let (direction, purpose) = (item.lane.direction.as_str(), item.lane.purpose.as_str());
    if !note.is_empty() {
        execute!(tx, NOTE, &item.lane.room, direction, purpose, item.number, note)?;
    }
    Ok(())
}

/// Counts that something is about to be sent for an item; `false` if the item has its outcome already.
pub async fn count_try(tx: &mut Tx, item: &Item, now: i64) -> Result<bool, StoreError> {
    let (direction, purpose) = (item.lane.direction.as_str(), item.lane.purpose.as_str());
    Ok(execute!(
        tx,
        COUNT_TRY,
        &item.lane.room,
        direction,
        purpose,
        item.number,
        now
    )? == 1)
}

/// Gives all items of a portal that have no outcome this one.
pub async fn settle_waiting(
    tx: &mut Tx,
    room: &GitterRoomId,
    outcome: &Outcome,
    now: i64,
) -> Result<(), StoreError> {
    let (word, reason, detail) = outcome_columns(outcome);
    for direction in [Direction::ToGitter, Direction::ToMatrix] {
        let settled = execute!(
            tx,
            SETTLE_ALL,
            room.as_str(),
            direction.as_str(),
            word,
            reason,
            detail,
            now
        )?;
        tx.news.settled_together(direction, outcome, settled);
    }
    Ok(())
}

/// Why what was made of an event or Gitter message did not cross; `None` if it did, or is not known.
pub async fn why_not(
    tx: &mut Tx,
    direction: Direction,
    source_id: &str,
) -> Result<Option<Reason>, StoreError> {
    let found = query!(
        tx,
        fetch_optional,
        (String,),
        OUTCOME_OF,
        source_id,
        direction.as_str()
    )?;
    found
        .map(|(reason,)| super::error::column("inbox", "reason", reason))
        .transpose()
}

/// Whether the removal of a Gitter message is known, and has not crossed.
pub async fn removal_waits(
    tx: &mut Tx,
    room: &GitterRoomId,
    id: &GitterMessageId,
) -> Result<bool, StoreError> {
    let found = query!(
        tx,
        fetch_optional,
        (i64,),
        REMOVAL_WAITS,
        room.as_str(),
        id.as_str()
    )?;
    Ok(found.is_some())
}
