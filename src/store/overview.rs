//! All rooms at a glance: what waits, what has failed, and what became of items lately. Each is one question for all
//! rooms together.

use sqlx::FromRow;

use super::{
    Direction, StoreError, Tx,
    db::{query, statements},
    error::column,
};

statements! {
    // `state <> 'settled'` and `outcome = 'failed'` stand as in the partial indexes that serve these.
    OPEN = "SELECT gitter_room_id, direction, COUNT(*), MIN(created_at) FROM inbox
        WHERE state <> 'settled' GROUP BY gitter_room_id, direction";
    FAILED = "SELECT gitter_room_id, direction, COUNT(*) FROM inbox
        WHERE outcome = 'failed' GROUP BY gitter_room_id, direction";
    // The echo of what the bridge sent itself tells nobody anything.
    SETTLED = "SELECT gitter_room_id, direction, outcome, (settled_at - $1) / $2 AS slot, COUNT(*) AS items FROM inbox
        WHERE state = 'settled' AND outcome <> 'failed' AND settled_at >= $1 AND reason <> 'own_echo'
        GROUP BY gitter_room_id, direction, outcome, (settled_at - $1) / $2";
    // Grouped by an expression first: SQLite would otherwise go through all that ever failed, in the order of rooms.
    FAILED_LATELY = "SELECT gitter_room_id, direction, outcome, (settled_at - $1) / $2 AS slot, COUNT(*) AS items FROM inbox
        WHERE outcome = 'failed' AND settled_at >= $1
        GROUP BY gitter_room_id || '', gitter_room_id, direction, outcome, (settled_at - $1) / $2";
    DETAILS = "SELECT gitter_room_id, state_detail FROM portal WHERE state_detail <> ''";
}

/// What waits of a room in a direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The Gitter room; empty for what belongs to no portal.
    pub room: String,
    /// The direction.
    pub direction: Direction,
    /// Items without an outcome.
    pub count: i64,
    /// When the oldest of them was accepted.
    pub oldest: i64,
}

/// What has failed of a room in a direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The Gitter room; empty for what belongs to no portal.
    pub room: String,
    /// The direction.
    pub direction: Direction,
    /// Items that were neither retried nor dropped.
    pub count: i64,
}

/// What became of a room's items within a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The Gitter room; empty for what belongs to no portal.
    pub room: String,
    /// The direction.
    pub direction: Direction,
    /// `bridged`, `skipped` or `failed`.
    pub outcome: String,
    /// Which stretch, from 0.
    pub slot: i64,
    /// How many.
    pub count: i64,
}

#[derive(FromRow)]
struct Row {
    gitter_room_id: String,
    direction: String,
    outcome: String,
    slot: i64,
    items: i64,
}

/// What waits, room by room.
pub async fn open(tx: &mut Tx) -> Result<Vec<Open>, StoreError> {
    query!(tx, fetch_all, (String, String, i64, i64), OPEN)?
        .into_iter()
        .map(|(room, direction, count, oldest)| {
            Ok(Open {
                room,
                direction: column("inbox", "direction", direction)?,
                count,
                oldest,
            })
        })
        .collect()
}

/// What has failed, room by room.
pub async fn failed(tx: &mut Tx) -> Result<Vec<Failed>, StoreError> {
    query!(tx, fetch_all, (String, String, i64), FAILED)?
        .into_iter()
        .map(|(room, direction, count)| {
            Ok(Failed {
                room,
                direction: column("inbox", "direction", direction)?,
                count,
            })
        })
        .collect()
}

/// What became of items since then, in stretches of so many milliseconds.
pub async fn settled(tx: &mut Tx, since: i64, stretch: i64) -> Result<Vec<Settled>, StoreError> {
    let mut rows = query!(tx, fetch_all, Row, SETTLED, since, stretch)?;
    rows.extend(query!(tx, fetch_all, Row, FAILED_LATELY, since, stretch)?);
    rows.into_iter()
        .map(|row| {
            Ok(Settled {
                room: row.gitter_room_id,
                direction: column("inbox", "direction", row.direction)?,
                outcome: row.outcome,
                slot: row.slot,
                count: row.items,
            })
        })
        .collect()
}

/// Why portals stopped, for people: each Gitter room with its reason.
pub async fn details(tx: &mut Tx) -> Result<Vec<(String, String)>, StoreError> {
    Ok(query!(tx, fetch_all, (String, String), DETAILS)?)
}
