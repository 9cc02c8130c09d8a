//! Attempts: actions frozen before they are sent (DESIGN 3.1).
//!
//! `planned` has not left, or surely did not arrive; `open` is on its way in the process that holds the
//! lane; `unknown` may or may not have arrived; `done` did; `refused` will not.

use sqlx::FromRow;

use super::{
    Direction, Item, LaneKey, StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};

statements! {
    INSERT = "INSERT INTO attempt (gitter_room_id, direction, purpose, number, position, action, author, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'planned')";
    OF_ITEM = "SELECT gitter_room_id, direction, purpose, number, position, action, author, state, opened_at, tries,
            result_id, error
        FROM attempt WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 ORDER BY position";
    // Only what was first tried by $3, and whose item still waits: others' fate is known.
    UNSETTLED = "SELECT gitter_room_id, direction, purpose, number, position, action, author, state, opened_at, tries,
            result_id, error
        FROM attempt WHERE gitter_room_id = $1 AND direction = $2 AND state IN ('open', 'unknown')
            AND EXISTS (SELECT 1 FROM inbox
                WHERE inbox.gitter_room_id = attempt.gitter_room_id AND inbox.direction = attempt.direction
                    AND inbox.purpose = attempt.purpose AND inbox.number = attempt.number
                    AND inbox.state = 'waiting' AND inbox.first_attempt_at <= $3)
        ORDER BY number, position";
    OPEN = "UPDATE attempt SET state = 'open', opened_at = $6, tries = tries + 1
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND position = $5
            AND state <> 'done'";
    SETTLE = "UPDATE attempt SET state = 'done', result_id = $6, settled_at = $7, error = ''
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND position = $5
            AND state <> 'done'";
    SETTLE_UNKNOWN = "UPDATE attempt SET state = 'done', result_id = $6, settled_at = $7, error = ''
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND position = $5
            AND state = 'unknown'";
    SET_STATE = "UPDATE attempt SET state = $6, error = $7
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND position = $5
            AND state <> 'done'";
    THAW = "DELETE FROM attempt WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4
            AND state NOT IN ('done', 'refused')";
    ABANDON = "UPDATE attempt SET state = 'planned'
        WHERE gitter_room_id = $1 AND state IN ('open', 'unknown')";
}

words! {
    /// How far an attempt is.
    AttemptState {
        /// It has not left, or surely did not arrive.
        Planned = "planned",
        /// It is on its way.
        Open = "open",
        /// It may or may not have arrived.
        Unknown = "unknown",
        /// It arrived.
        Done = "done",
        /// A removal that the other side refuses for good, among others that are made all the same.
        Refused = "refused",
    }
}

impl AttemptState {
    /// Whether nothing is to be done for it any more.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Refused)
    }
}

/// An action to freeze.
#[derive(Debug, Clone)]
pub struct NewAttempt {
    /// The action, as JSON.
    pub action: String,
    /// Who it will be of: the virtual user's external id, the account's id, or the ghost.
    pub author: String,
}

/// A frozen action.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The item's lane.
    pub lane: LaneKey,
    /// The item's number.
    pub number: i64,
    /// The action's place among the item's.
    pub position: i64,
    /// The action, as JSON.
    pub action: String,
    /// Who it will be of.
    pub author: String,
    /// How far it is.
    pub state: AttemptState,
    /// When the request was last about to leave; 0 for never.
    pub opened_at: i64,
    /// How often it was sent.
    pub tries: i64,
    /// What it became on the other side, once done.
    pub result_id: String,
    /// What the last try met.
    pub error: String,
}

#[derive(FromRow)]
struct Row {
    gitter_room_id: String,
    direction: String,
    purpose: String,
    number: i64,
    position: i64,
    action: String,
    author: String,
    state: String,
    opened_at: i64,
    tries: i64,
    result_id: String,
    error: String,
}

impl TryFrom<Row> for Attempt {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            lane: LaneKey {
                room: row.gitter_room_id,
                direction: column("attempt", "direction", row.direction)?,
                purpose: column("attempt", "purpose", row.purpose)?,
            },
            number: row.number,
            position: row.position,
            action: row.action,
            author: row.author,
            state: column("attempt", "state", row.state)?,
            opened_at: row.opened_at,
            tries: row.tries,
            result_id: row.result_id,
            error: row.error,
        })
    }
}

/// Freezes an item's actions, all at once, behind those that are frozen already.
pub async fn freeze(tx: &mut Tx, item: &Item, actions: &[NewAttempt]) -> Result<(), StoreError> {
    let frozen = attempts_of(tx, &item.lane, item.number).await?;
    let first = frozen.last().map_or(0, |attempt| attempt.position + 1);
    for (position, attempt) in (first..).zip(actions) {
        execute!(
            tx,
            INSERT,
            &item.lane.room,
            item.lane.direction.as_str(),
            item.lane.purpose.as_str(),
            item.number,
            position,
            &attempt.action,
            &attempt.author,
        )?;
    }
    Ok(())
}

/// Takes back the frozen actions of an item that are not done: only for those that surely had no effect.
pub async fn thaw(tx: &mut Tx, item: &Item) -> Result<(), StoreError> {
    let (direction, purpose) = (item.lane.direction.as_str(), item.lane.purpose.as_str());
    execute!(tx, THAW, &item.lane.room, direction, purpose, item.number)?;
    Ok(())
}

/// The frozen actions of an item, in order; empty if it has not been attempted.
pub async fn attempts_of(tx: &mut Tx, lane: &LaneKey, number: i64) -> Result<Vec<Attempt>, StoreError> {
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    let rows = query!(
        tx, fetch_all, Row, OF_ITEM, &lane.room, direction, purpose, number
    )?;
    rows.into_iter().map(Attempt::try_from).collect()
}

/// Attempts of a portal in one direction that are on their way, or may have arrived, and whose item was first
/// tried at `by` at the latest.
pub async fn unsettled_attempts(
    tx: &mut Tx,
    room: &str,
    direction: Direction,
    by: i64,
) -> Result<Vec<Attempt>, StoreError> {
    let rows = query!(tx, fetch_all, Row, UNSETTLED, room, direction.as_str(), by)?;
    rows.into_iter().map(Attempt::try_from).collect()
}

/// Notes that an attempt's request is about to leave; `false` if it is done already.
pub async fn open_attempt(tx: &mut Tx, attempt: &Attempt, now: i64) -> Result<bool, StoreError> {
    let Attempt {
        lane,
        number,
        position,
        ..
    } = attempt;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    Ok(execute!(tx, OPEN, &lane.room, direction, purpose, number, position, now)? == 1)
}

/// Notes what an attempt became; `false` if somebody else noted it before.
pub async fn settle_attempt(
    tx: &mut Tx,
    attempt: &Attempt,
    result_id: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let Attempt {
        lane,
        number,
        position,
        ..
    } = attempt;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    Ok(execute!(
        tx, SETTLE, &lane.room, direction, purpose, number, position, result_id, now
    )? == 1)
}

/// [`settle_attempt`] for one that was found to have arrived; `false` if its outcome is no longer unknown.
pub async fn settle_unknown(
    tx: &mut Tx,
    attempt: &Attempt,
    result_id: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let Attempt {
        lane,
        number,
        position,
        ..
    } = attempt;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    Ok(execute!(
        tx,
        SETTLE_UNKNOWN,
        &lane.room,
        direction,
        purpose,
        number,
        position,
        result_id,
        now
    )? == 1)
}

/// Notes that an attempt has to be made again: `planned` where it surely did not arrive, else `unknown`.
/// The error is for people.
pub async fn set_attempt_state(
    tx: &mut Tx,
    attempt: &Attempt,
    state: AttemptState,
    error: &str,
) -> Result<(), StoreError> {
    let Attempt {
        lane,
        number,
        position,
        ..
    } = attempt;
    let (direction, purpose) = (lane.direction.as_str(), lane.purpose.as_str());
    execute!(
        tx,
        SET_STATE,
        &lane.room,
        direction,
        purpose,
        number,
        position,
        state.as_str(),
        error
    )?;
    Ok(())
}

/// Ends the wait for all unsettled attempts of a portal that is unlinked.
pub async fn abandon_attempts(tx: &mut Tx, room: &str) -> Result<(), StoreError> {
    execute!(tx, ABANDON, room)?;
    Ok(())
}
