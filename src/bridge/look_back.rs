//! Looks back in Matrix rooms for events that the homeserver left out, before anything later goes on.
//!
//! While the homeserver may be catching up (see `recovery`), what it pushes is held back. Here the room is
//! read from its newest event back to the last one that has its place; what is missing is accepted, and all of
//! it is let go in the room's order. This module sends nothing and judges nothing.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::{debug, error, info, warn};

use super::{Bridge, BridgeError, accept, command, now};
use crate::{
    ids::GitterRoomId,
    matrix::MatrixError,
    store::{
        Direction, LaneKey, Portal, StoreError, held,
        held::{HeldEvent, Known},
        inbox, lane, portal, restored,
    },
};

/// How often it is looked whether anything is held, besides when something was.
const POLL: Duration = Duration::from_secs(1);

/// The shortest time between two looks: what comes in meanwhile needs one look only.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a look at one room may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How long events are held for a look that does not work, in milliseconds. Then they go as they came.
const PATIENCE: i64 = 30_000;

/// How many rooms are looked at at once.
const ROOMS: usize = 8;

/// Events of one page.
const PAGE: u32 = 100;

/// The most pages that are read of one room. Beyond them the homeserver has much to push, and its own order
/// has to do.
const PAGES: usize = 20;

/// The same for a room of a database that was restored, which may miss days.
const RESTORED_PAGES: usize = 2_000;

/// And how long such a look may take.
const RESTORED_LIMIT: Duration = Duration::from_mins(30);

/// What a look found, newest first.
struct Found {
    /// Every event that is newer than the last with its place.
    events: Vec<(String, Box<RawValue>)>,
    /// Whether that last one was reached.
    complete: bool,
}

#[derive(Deserialize)]
struct EventId {
    event_id: String,
}

/// Looks at every room in which events are held, until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    loop {
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = bridge.recovery.held.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
        match rooms(&bridge).await {
            Ok(rooms) => {
                let looks =
                    stream::iter(rooms).for_each_concurrent(ROOMS, |room| look(Arc::clone(&bridge), room));
                if bridge.stop.run_until_cancelled(looks).await.is_none() {
                    return;
                }
            }
            Err(error) => warn!(error = %error, "Which events are held cannot be read; waiting"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn rooms(bridge: &Bridge) -> Result<Vec<GitterRoomId>, StoreError> {
    let mut tx = bridge.db.read().await?;
    let mut rooms = held::held_rooms(&mut tx).await?;
    let restored = restored::to_look_back(&mut tx).await?;
    if restored.is_empty() {
        bridge.recovery.looked_back();
    }
    rooms.extend(restored);
    rooms.sort();
    rooms.dedup();
    Ok(rooms.iter().filter_map(|room| room.parse().ok()).collect())
}

/// Looks at a room and lets its events go. Where that fails it is tried again at the next round.
async fn look(bridge: Arc<Bridge>, room: GitterRoomId) {
    let asked_at = now();
    let is_restored = is_restored(&bridge, &room).await;
    let limit = if is_restored { RESTORED_LIMIT } else { LIMIT };
    let pages = if is_restored { RESTORED_PAGES } else { PAGES };
    let (mut gave_up, mut refused) = (false, false);
    let error = match tokio::time::timeout(limit, try_look(&bridge, &room, asked_at, pages)).await {
        Ok(Ok(0)) => return debug!(portal.room = %room, "Nothing was left out in a Matrix room"),
        Ok(Ok(missed)) => {
            return info!(portal.room = %room, events = missed, "The homeserver left events out; they go on now");
        }
        Ok(Err(BridgeError::Matrix(error))) if is_restored && is_refusal(&error) => {
            gave_up = give_up(&bridge, &room).await;
            error.to_string()
        }
        Ok(Err(error)) => {
            refused = matches!(&error, BridgeError::Matrix(error) if error.is("M_FORBIDDEN"));
            error.to_string()
        }
        Err(_) => format!("no answer within {} s", limit.as_secs()),
    };
    warn!(portal.room = %room, error, "A Matrix room cannot be looked at");
    // What is new must not have its place before what the backup does not know.
    if is_restored && !gave_up {
        return;
    }
    // Where the bot may not read, there is nothing to wait for: what is held may be its own removal.
    let patience = if refused { 0 } else { PATIENCE };
    if let Err(error) = let_old_go(&bridge, &room, asked_at - patience).await {
        warn!(portal.room = %room, error = %error, "Held events cannot be let go yet");
    }
}

/// Whether the bot may not read a room, or there is none: asking again does not help.
fn is_refusal(error: &MatrixError) -> bool {
    matches!(
        error.status(),
        Some(StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
    )
}

/// Goes on without what a backup does not know of a room. Whether that is noted.
async fn give_up(bridge: &Bridge, room: &GitterRoomId) -> bool {
    let noted = async {
        let mut tx = bridge.db.write().await?;
        restored::looked_back(&mut tx, room).await?;
        tx.commit().await
    };
    match noted.await {
        Ok(()) => {
            error!(portal.room = %room, "A Matrix room cannot be read: what was said in it since the backup is not \
                looked for. Let the bot in again, or unlink the room");
            true
        }
        Err(error) => {
            warn!(portal.room = %room, error = %error, "That a room cannot be read cannot be noted yet");
            false
        }
    }
}

/// Whether a room is still to be read back to what a backup knows.
async fn is_restored(bridge: &Bridge, room: &GitterRoomId) -> bool {
    let rooms = async {
        let mut tx = bridge.db.read().await?;
        restored::to_look_back(&mut tx).await
    };
    // Where that cannot be said, the look itself will fail.
    rooms
        .await
        .map_or(true, |rooms| rooms.iter().any(|found| found == room.as_str()))
}

async fn try_look(
    bridge: &Bridge,
    room: &GitterRoomId,
    asked_at: i64,
    pages: usize,
) -> Result<usize, BridgeError> {
    let lane = LaneKey::live(Some(room), Direction::ToGitter);
    let mut tx = bridge.db.read().await?;
    let Some(portal) = portal::portal_by_gitter_room(&mut tx, room).await? else {
        return Ok(0);
    };
    let has_placed = held::has_placed(&mut tx, &lane, portal.created_at).await?;
    drop(tx);
    // Without an event that has its place there is no telling what came before the rooms were linked.
    let found = if has_placed {
        read_back(bridge, &portal, pages).await?
    } else {
        Found {
            events: Vec::new(),
            complete: false,
        }
    };
    let mut tx = bridge.db.write().await?;
    lane::lock_lane(&mut tx, &lane).await?;
    let linked = portal::portal_by_gitter_room(&mut tx, room).await?;
    if linked.is_none_or(|linked| linked.created_at != portal.created_at) {
        return Ok(0);
    }
    let mut missed = 0;
    let mut listed = Vec::new();
    if found.complete {
        for (place, (_, event)) in found.events.iter().rev().enumerate() {
            command::note(&mut tx, (place, event), &portal.matrix_room_id, true, now()).await?;
        }
        let items: Vec<_> = found
            .events
            .iter()
            .rev()
            .map(|(_, event)| accept::missed_event(event, &portal.matrix_room_id, &lane))
            .collect();
        missed = inbox::enqueue(&mut tx, &items, now()).await?;
        listed = found.events.into_iter().rev().map(|(id, _)| id).collect();
    }
    restored::looked_back(&mut tx, room).await?;
    let held = held::held_events(&mut tx, &lane).await?;
    held::release(&mut tx, &lane, &in_order(held, listed, asked_at), now()).await?;
    tx.commit().await?;
    bridge.wake.notify_one();
    Ok(missed)
}

/// Which events go now: those that the room's history lists, in its order. Before them, whatever it does not
/// list though it was accepted before the history was asked for; what came later waits for the next look.
fn in_order(held: Vec<HeldEvent>, listed: Vec<String>, asked_at: i64) -> Vec<String> {
    let in_history: HashSet<&String> = listed.iter().collect();
    let is_held: HashSet<String> = held.iter().map(|event| event.event_id.clone()).collect();
    let mut order: Vec<String> = held
        .into_iter()
        .filter(|event| event.accepted_at < asked_at && !in_history.contains(&event.event_id))
        .map(|event| event.event_id)
        .collect();
    order.extend(listed.into_iter().filter(|id| is_held.contains(id)));
    order
}

/// Reads a room's history back to the last event that has its place.
async fn read_back(bridge: &Bridge, portal: &Portal, pages: usize) -> Result<Found, BridgeError> {
    let mut events = Vec::new();
    let mut from = None;
    for _ in 0..pages {
        let page = bridge.matrix.history(&portal.matrix_room_id, from, PAGE).await?;
        let mut tx = bridge.db.read().await?;
        for event in page.events {
            let Ok(EventId { event_id }) = serde_json::from_str(event.get()) else {
                continue;
            };
            if held::known(&mut tx, &event_id).await? == Known::Placed {
                return Ok(Found {
                    events,
                    complete: true,
                });
            }
            events.push((event_id, event));
        }
        drop(tx);
        let Some(next) = page.next else { break };
        from = Some(next);
    }
    Ok(Found {
        events,
        complete: false,
    })
}

/// Lets those events go, as they came, that are held since before then.
async fn let_old_go(bridge: &Bridge, room: &GitterRoomId, before: i64) -> Result<(), StoreError> {
    let lane = LaneKey::live(Some(room), Direction::ToGitter);
    let mut tx = bridge.db.write().await?;
    lane::lock_lane(&mut tx, &lane).await?;
    let held = held::held_events(&mut tx, &lane).await?;
    // All or none: what came after must not overtake what came before.
    if held.first().is_some_and(|oldest| oldest.accepted_at < before) {
        let all: Vec<String> = held.into_iter().map(|event| event.event_id).collect();
        held::release(&mut tx, &lane, &all, now()).await?;
    }
    tx.commit().await?;
    bridge.wake.notify_one();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(events: &[(&str, i64)]) -> Vec<HeldEvent> {
        let event = |&(id, accepted_at): &(&str, i64)| HeldEvent {
            event_id: id.to_owned(),
            accepted_at,
        };
        events.iter().map(event).collect()
    }

    fn order(events: &[(&str, i64)], listed: &[&str]) -> Vec<String> {
        in_order(
            held(events),
            listed.iter().map(|id| (*id).to_owned()).collect(),
            100,
        )
    }

    #[test]
    fn events_go_in_the_rooms_order() {
        assert_eq!(order(&[("$b", 1), ("$a", 2)], &["$a", "$b"]), ["$a", "$b"]);
    }

    #[test]
    fn what_the_history_does_not_show_goes_first_unless_it_is_newer() {
        assert_eq!(
            order(&[("$a", 1), ("$hidden", 2), ("$new", 100)], &["$a", "$other"]),
            ["$hidden", "$a"]
        );
    }
}
