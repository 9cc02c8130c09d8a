//! Events of the homeserver that are held back until their room was looked at (see `bridge::look_back`).

use super::{
    LaneKey, StoreError, Tx,
    db::{execute, query, statements},
    lane::take_numbers,
};

statements! {
    // `state <> 'settled'` beside the state asked for: SQLite then sees that the index of open items serves.
    HELD_ROOMS = "SELECT DISTINCT gitter_room_id FROM inbox
        WHERE direction = 'to_gitter' AND purpose = 'live' AND state = 'held' AND state <> 'settled'";
    HELD_EVENTS = "SELECT source_key, created_at FROM inbox
        WHERE gitter_room_id = $1 AND direction = 'to_gitter' AND purpose = 'live' AND state = 'held'
            AND state <> 'settled'
        ORDER BY number";
    NEWEST_KNOWN = "SELECT MAX(number) FROM inbox
        WHERE gitter_room_id = $1 AND direction = 'to_gitter' AND purpose = 'live' AND state <> 'held'
            AND created_at >= $2";
    STATE = "SELECT state FROM inbox WHERE direction = 'to_gitter' AND source_key = $1";
    RELEASE = "UPDATE inbox SET state = 'waiting', number = $3
        WHERE gitter_room_id = $1 AND direction = 'to_gitter' AND purpose = 'live' AND source_key = $2
            AND state = 'held'";
}

/// An event that is held back.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct HeldEvent {
    /// The event's id.
    #[sqlx(rename = "source_key")]
    pub event_id: String,
    /// When it was accepted.
    #[sqlx(rename = "created_at")]
    pub accepted_at: i64,
}

/// What the inbox knows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it was never accepted.
    Not,
    /// It is held back.
    Held,
    /// It has its place, or its outcome.
    Placed,
}

/// The Gitter rooms of lanes in which events are held back.
pub async fn held_rooms(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let rows = query!(tx, fetch_all, (String,), HELD_ROOMS)?;
    Ok(rows.into_iter().map(|(room,)| room).collect())
}

/// The events that are held back in a lane, in the order in which they were accepted.
pub async fn held_events(tx: &mut Tx, lane: &LaneKey) -> Result<Vec<HeldEvent>, StoreError> {
    Ok(query!(tx, fetch_all, HeldEvent, HELD_EVENTS, &lane.room)?)
}

/// Whether any event was accepted since then that is not held back.
pub async fn has_placed(tx: &mut Tx, lane: &LaneKey, since: i64) -> Result<bool, StoreError> {
    let (newest,) = query!(tx, fetch_one, (Option<i64>,), NEWEST_KNOWN, &lane.room, since)?;
    Ok(newest.is_some())
}

/// What the inbox knows of an event.
pub async fn known(tx: &mut Tx, event_id: &str) -> Result<Known, StoreError> {
    let state = query!(tx, fetch_optional, (String,), STATE, event_id)?;
    Ok(match state.as_ref().map(|(state,)| state.as_str()) {
        None => Known::Not,
        Some("held") => Known::Held,
        Some(_) => Known::Placed,
    })
}

/// Gives held events the next places of their lane, in this order. An id that is not held is passed over.
pub async fn release(tx: &mut Tx, lane: &LaneKey, event_ids: &[String], now: i64) -> Result<(), StoreError> {
    let count = i64::try_from(event_ids.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Ok(());
    }
    // Fresh places: places are handed out in commit order, and these were taken in order of arrival.
    let first = take_numbers(tx, lane, count, now).await?;
    for (number, event_id) in (first..).zip(event_ids) {
        execute!(tx, RELEASE, &lane.room, event_id, number)?;
    }
    Ok(())
}
