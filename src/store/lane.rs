//! Lanes: who works one, when its head is due, and the next place in it (DESIGN 3 and 7).

use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::GitterRoomId;

/// The due time of a lane where nothing waits.
pub const NEVER: i64 = i64::MAX;

statements! {
    MAKE = "INSERT INTO lane (gitter_room_id, direction, purpose, cursor, next_due) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (gitter_room_id, direction, purpose) DO UPDATE SET cursor = excluded.cursor";
    // A later number means a later commit: the row stays locked from here to the end of the transaction.
    // A lane whose head backs off keeps its due time.
    TAKE_NUMBER = "UPDATE lane SET next_number = next_number + 1,
            next_due = CASE WHEN next_due = 9223372036854775807 THEN $4 ELSE next_due END
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 RETURNING next_number - 1";
    // The outer conditions stand twice on purpose: PostgreSQL checks them again on rows that another
    // process claimed between the inner query and the lock.
    CLAIM = "UPDATE lane SET owner = $1, lease_until = $3, fence = fence + 1
        WHERE next_due <= $2 AND owner <> $1 AND (owner = '' OR lease_until < $2)
            AND (gitter_room_id, direction, purpose) IN (
                SELECT gitter_room_id, direction, purpose FROM lane
                WHERE next_due <= $2 AND owner <> $1 AND (owner = '' OR lease_until < $2) AND direction = $4
                    AND gitter_room_id IN (SELECT gitter_room_id FROM portal WHERE state IN ('active', 'catching_up')
                        AND (($4 = 'to_matrix' AND confirmed_at >= $6)
                            OR ($4 = 'to_gitter'
                                AND account_id NOT IN (SELECT user_id FROM account WHERE paused_at <> 0))))
                ORDER BY next_due LIMIT $5)
        RETURNING gitter_room_id, direction, purpose, fence";
    // Writes nothing new, but locks the row: a claim by another process comes before or after, not between.
    VERIFY = "UPDATE lane SET fence = fence
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND owner = $4 AND fence = $5";
    RENEW = "UPDATE lane SET lease_until = $6
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND owner = $4 AND fence = $5";
    // What is claimed and neither worked nor renewed: a claim whose commit was not seen, or a task that broke.
    LAPSED = "SELECT gitter_room_id, direction, purpose, fence FROM lane WHERE owner = $1 AND lease_until < $2
        ORDER BY gitter_room_id, direction, purpose";
    GIVE_BACK_LAPSED = "UPDATE lane SET owner = '', lease_until = 0
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND owner = $4 AND fence = $5 AND lease_until < $6";
    TAKE_NUMBERS = "UPDATE lane SET next_number = next_number + $4, next_due = CASE WHEN next_due > $5 THEN $5 ELSE next_due END
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 RETURNING next_number - $4";
    RELEASE = "UPDATE lane SET owner = '', lease_until = 0, next_due = $6
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND owner = $4 AND fence = $5";
    LOCK = "UPDATE lane SET fence = fence WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3";
    HEAD_DUE = "SELECT next_attempt_at FROM inbox
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND state = 'waiting' AND state <> 'settled'
        ORDER BY number LIMIT 1";
    TOUCH = "UPDATE lane SET next_due = $4
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND next_due > $4";
    CLEAR_LEASES = "UPDATE lane SET owner = '', lease_until = 0 WHERE owner <> ''";
    NEXT_DUE = "SELECT MIN(next_due) FROM lane
        WHERE owner = '' AND ((direction = 'to_gitter' AND $1) OR (direction = 'to_matrix' AND $2))
            AND gitter_room_id IN (SELECT gitter_room_id FROM portal WHERE state IN ('active', 'catching_up')
                AND ((direction = 'to_matrix' AND confirmed_at >= $3)
                    OR (direction = 'to_gitter'
                        AND account_id NOT IN (SELECT user_id FROM account WHERE paused_at <> 0))))";
    CURSOR = "SELECT cursor FROM lane WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND purpose = 'live'";
    SET_CURSOR = "UPDATE lane SET cursor = $2
        WHERE gitter_room_id = $1 AND direction = 'to_matrix' AND purpose = 'live' AND cursor < $2";
}

words! {
    /// The way an item crosses.
    Direction {
        /// From Matrix to Gitter.
        ToGitter = "to_gitter",
        /// From Gitter to Matrix.
        ToMatrix = "to_matrix",
    }
}

words! {
    /// What a lane is for.
    Purpose {
        /// What people say now.
        Live = "live",
        /// What they said before the rooms were linked.
        History = "history",
    }
}

/// Which lane. The room is empty for what belongs to no portal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaneKey {
    /// The Gitter room's id, or nothing.
    pub room: String,
    /// The way its items cross.
    pub direction: Direction,
    /// What it is for.
    pub purpose: Purpose,
}

impl LaneKey {
    /// The live lane of a portal in one direction; of no portal for `None`.
    pub fn live(room: Option<&GitterRoomId>, direction: Direction) -> Self {
        Self {
            room: room.map_or_else(String::new, ToString::to_string),
            direction,
            purpose: Purpose::Live,
        }
    }
}

/// A lane that this process has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Which.
    pub key: LaneKey,
    /// Who claimed it.
    pub owner: String,
    /// The number of the claim.
    pub fence: i64,
}

#[derive(FromRow)]
struct Claimed {
    gitter_room_id: String,
    direction: String,
    purpose: String,
    fence: i64,
}

/// Makes the two live lanes of a new portal. Numbers of an earlier link go on; the cursor starts anew.
pub async fn make_lanes(tx: &mut Tx, room: &GitterRoomId, cursor: &str) -> Result<(), StoreError> {
    for direction in [Direction::ToGitter, Direction::ToMatrix] {
        execute!(
            tx,
            MAKE,
            room.as_str(),
            direction.as_str(),
            Purpose::Live.as_str(),
            cursor,
            NEVER
        )?;
    }
    Ok(())
}

/// Takes the next place in a lane, which becomes due at `due` if nothing waited in it ([`NEVER`]: stays as it is).
pub(super) async fn take_number(tx: &mut Tx, key: &LaneKey, due: i64) -> Result<i64, StoreError> {
    let (number,) = query!(
        tx,
        fetch_one,
        (i64,),
        TAKE_NUMBER,
        &key.room,
        key.direction.as_str(),
        key.purpose.as_str(),
        due
    )?;
    Ok(number)
}

/// Takes the next places in a lane, and makes it due; gives the first of them.
pub(super) async fn take_numbers(
    tx: &mut Tx,
    key: &LaneKey,
    count: i64,
    due: i64,
) -> Result<i64, StoreError> {
    let (direction, purpose) = (key.direction.as_str(), key.purpose.as_str());
    let (number,) = query!(
        tx,
        fetch_one,
        (i64,),
        TAKE_NUMBERS,
        &key.room,
        direction,
        purpose,
        count,
        due
    )?;
    Ok(number)
}

/// Which lanes a process may claim now.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest<'a> {
    /// The process.
    pub owner: &'a str,
    /// The time.
    pub now: i64,
    /// Until when the claim holds unless renewed.
    pub lease_until: i64,
    /// Lanes of this direction.
    pub direction: Direction,
    /// How many at most.
    pub limit: i64,
    /// Toward Matrix: only of portals whose Gitter room was confirmed as public since then.
    pub confirmed_since: i64,
}

/// Claims lanes of working portals whose head is due and that nobody works, longest due first.
pub async fn claim_lanes(tx: &mut Tx, request: ClaimRequest<'_>) -> Result<Vec<Lane>, StoreError> {
    let ClaimRequest {
        owner,
        now,
        lease_until,
        direction,
        limit,
        confirmed_since,
    } = request;
    let rows = query!(
        tx,
        fetch_all,
        Claimed,
        CLAIM,
        owner,
        now,
        lease_until,
        direction.as_str(),
        limit,
        confirmed_since
    )?;
    rows.into_iter()
        .map(|row| {
            let key = LaneKey {
                room: row.gitter_room_id,
                direction: column("lane", "direction", row.direction)?,
                purpose: column("lane", "purpose", row.purpose)?,
            };
            Ok(Lane {
                key,
                owner: owner.to_owned(),
                fence: row.fence,
            })
        })
        .collect()
}

/// Whether the claim still holds, for the rest of this transaction.
pub async fn verify_lease(tx: &mut Tx, lane: &Lane) -> Result<bool, StoreError> {
    let Lane { key, owner, fence } = lane;
    Ok(execute!(
        tx,
        VERIFY,
        &key.room,
        key.direction.as_str(),
        key.purpose.as_str(),
        owner,
        fence
    )? == 1)
}

/// Keeps everybody else from putting items into a lane, or from letting held ones go, for the rest of this
/// transaction. What they committed before is seen by the statements that follow.
pub async fn lock_lane(tx: &mut Tx, key: &LaneKey) -> Result<(), StoreError> {
    let (direction, purpose) = (key.direction.as_str(), key.purpose.as_str());
    execute!(tx, LOCK, &key.room, direction, purpose)?;
    Ok(())
}

/// Renews the claims on the lanes that a process works, in the order in which lanes are locked everywhere: by room,
/// then direction.
pub async fn renew_leases(tx: &mut Tx, lanes: &[Lane], until: i64) -> Result<(), StoreError> {
    let mut lanes: Vec<&Lane> = lanes.iter().collect();
    lanes.sort_by_key(|lane| {
        (
            &lane.key.room,
            lane.key.direction.as_str(),
            lane.key.purpose.as_str(),
        )
    });
    for Lane { key, owner, fence } in lanes {
        execute!(
            tx,
            RENEW,
            &key.room,
            key.direction.as_str(),
            key.purpose.as_str(),
            owner,
            fence,
            until
        )?;
    }
    Ok(())
}

/// Gives back whatever a process holds and did not renew, in the order in which lanes are locked everywhere.
pub async fn give_back_lapsed(tx: &mut Tx, owner: &str, now: i64) -> Result<(), StoreError> {
    for lapsed in query!(tx, fetch_all, Claimed, LAPSED, owner, now)? {
        execute!(
            tx,
            GIVE_BACK_LAPSED,
            &lapsed.gitter_room_id,
            &lapsed.direction,
            &lapsed.purpose,
            owner,
            lapsed.fence,
            now
        )?;
    }
    Ok(())
}

/// Gives a lane back. It is next due when its head is, but not before `not_before`; never if it is empty.
pub async fn release_lane(tx: &mut Tx, lane: &Lane, not_before: i64) -> Result<(), StoreError> {
    let Lane { key, owner, fence } = lane;
    let (direction, purpose) = (key.direction.as_str(), key.purpose.as_str());
    // The lock first, in a statement of its own: what was enqueued before is then seen by the next one.
    lock_lane(tx, key).await?;
    let head = query!(
        tx,
        fetch_optional,
        (i64,),
        HEAD_DUE,
        &key.room,
        direction,
        purpose
    )?;
    let due = head.map_or(NEVER, |(due,)| due.max(not_before));
    execute!(tx, RELEASE, &key.room, direction, purpose, owner, fence, due)?;
    Ok(())
}

/// Makes a lane due at `due` at the latest.
pub async fn touch_lane(tx: &mut Tx, key: &LaneKey, due: i64) -> Result<(), StoreError> {
    execute!(
        tx,
        TOUCH,
        &key.room,
        key.direction.as_str(),
        key.purpose.as_str(),
        due
    )?;
    Ok(())
}

/// Gives back all lanes, for a database that only one process works on and that process has just started.
pub async fn clear_leases(tx: &mut Tx) -> Result<(), StoreError> {
    execute!(tx, CLEAR_LEASES)?;
    Ok(())
}

/// When the next unclaimed lane of the directions that are open is due, toward Matrix of portals whose Gitter room was
/// confirmed as public since then; [`NEVER`] if nothing waits.
pub async fn next_due(
    tx: &mut Tx,
    to_gitter: bool,
    to_matrix: bool,
    confirmed_since: i64,
) -> Result<i64, StoreError> {
    let (due,) = query!(
        tx,
        fetch_one,
        (Option<i64>,),
        NEXT_DUE,
        to_gitter,
        to_matrix,
        confirmed_since
    )?;
    Ok(due.unwrap_or(NEVER))
}

/// The newest Gitter message of a portal that is in the inbox; empty if none ever was.
pub async fn cursor(tx: &mut Tx, room: &GitterRoomId) -> Result<String, StoreError> {
    let found = query!(tx, fetch_optional, (String,), CURSOR, room.as_str())?;
    Ok(found.map(|(cursor,)| cursor).unwrap_or_default())
}

/// Moves the cursor forward, never back.
pub async fn advance_cursor(tx: &mut Tx, room: &GitterRoomId, message_id: &str) -> Result<(), StoreError> {
    execute!(tx, SET_CURSOR, room.as_str(), message_id)?;
    Ok(())
}
