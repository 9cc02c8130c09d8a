//! Follows the Gitter rooms of all portals, and fetches what was missed (DESIGN 3.4).
//!
//! A portal whose subscription is new or was interrupted is `catching_up`: what comes in meanwhile is held
//! back until everything older is queued. What was missed is found in the snapshot that comes with the
//! subscription, or, where that does not reach back far enough, in listings.

mod known;

use std::{collections::BTreeSet, iter, slice, sync::Arc, time::Duration};

use jiff::SignedDuration;
use serde_json::value::RawValue;
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::{error, info, warn};

use self::known::{has_changed, id_of, is_private, newest_known, reaches_back};
use super::{
    Bridge, BridgeError,
    absences::{self, Listing},
    accept, failure,
    kill_point::KillPoint,
    life, now, people,
};
use crate::{
    gitter::{Class, MessagePage, RealtimeEvent, SNAPSHOT, Snapshot},
    ids::{GitterMessageId, GitterRoomId},
    metrics, model,
    outcome::{Outcome, Reason},
    store::{Direction, LaneKey, NewItem, Portal, PortalState, StoreError, Tx, inbox, lane, message, portal},
};

/// How far before the newest known message the look begins: ids of one moment may arrive out of order.
const OVERLAP: SignedDuration = SignedDuration::from_secs(10);

/// How far before that the look for edits begins: Gitter's edit window (gitter-api 5.3).
const EDIT_WINDOW: SignedDuration = SignedDuration::from_secs(600);

/// The most messages that a snapshot or a page of a listing holds (gitter-api 5.5, 14).
const PAGE: usize = 100;

/// The most events taken into one commit.
const BATCH: usize = 100;

/// The longest wait between two tries, in milliseconds.
const LONGEST_WAIT: i64 = 60_000;

/// How often it is seen to that every portal that is to be caught up is.
const LOOK: Duration = Duration::from_secs(30);

/// A catch-up that is under way.
#[derive(Debug)]
pub(super) struct Running(JoinHandle<()>);

/// Subscribes to the rooms of all portals but those that are private or gone. Those that work, or worked until a room
/// refused the bridge, catch up: a start tries again. The others stay stopped.
pub(super) async fn subscribe_all(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.write().await?;
    let portals = portal::portals(&mut tx).await?;
    lock(&mut tx, portals.iter().map(|portal| &portal.gitter_room_id)).await?;
    let hopeless = life::hopeless(&mut tx).await?;
    let followed: Vec<&Portal> = portals
        .iter()
        .filter(|portal| life::is_followed(portal.state) && !hopeless.gone.contains(&portal.gitter_room_id))
        .collect();
    for portal in &followed {
        if portal.state != PortalState::Paused && !hopeless.left.contains(&portal.gitter_room_id) {
            portal::set_portal_state(
                &mut tx,
                &portal.gitter_room_id,
                portal.state,
                PortalState::CatchingUp,
            )
            .await?;
        }
    }
    tx.commit().await?;
    for portal in followed {
        bridge.subscribe(&portal.gitter_room_id);
    }
    Ok(())
}

/// Takes what the realtime channel says into the inbox, in order, until the bridge stops. While the
/// database does not answer, nothing is read on, so nothing is lost.
pub(super) async fn follow(bridge: Arc<Bridge>, mut events: mpsc::Receiver<RealtimeEvent>) {
    let mut batch = Vec::new();
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + LOOK, LOOK);
    loop {
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            _ = ticks.tick() => {
                resume_catch_ups(&bridge).await;
                continue;
            }
            received = events.recv_many(&mut batch, BATCH) => if received == 0 { return },
        }
        while let Err(error) = take(&bridge, &batch).await {
            warn!(error = %error, "What Gitter says cannot be stored; waiting");
            tokio::select! {
                () = bridge.stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        batch.clear();
    }
}

/// Asks for a snapshot for every portal that is to be caught up and is not: another process may have set it so
/// and ended.
async fn resume_catch_ups(bridge: &Bridge) {
    let waiting = async {
        let mut tx = bridge.db.read().await?;
        let mut rooms = Vec::new();
        for portal in portal::portals(&mut tx).await? {
            let running = bridge.catch_ups.lock().await;
            let here = running
                .get(&portal.gitter_room_id)
                .is_some_and(|Running(task)| !task.is_finished());
            if portal.state == PortalState::CatchingUp && !here {
                rooms.push(portal.gitter_room_id);
            }
        }
        Ok::<_, StoreError>(rooms)
    };
    match waiting.await {
        Ok(rooms) => rooms.iter().for_each(|room| bridge.subscribe(room)),
        Err(error) => warn!(error = %error, "Which rooms are to be caught up is not known"),
    }
}

/// Stores a batch in one commit; what it starts is started after the commit.
async fn take(bridge: &Arc<Bridge>, batch: &[RealtimeEvent]) -> Result<(), BridgeError> {
    // A catch-up that an event of this batch overtakes must not finish during it.
    for event in batch {
        match event {
            RealtimeEvent::Interrupted { rooms } => {
                for room in rooms {
                    stop_catch_up(bridge, room).await;
                }
            }
            RealtimeEvent::Subscribed { room, .. } => stop_catch_up(bridge, room).await,
            _ => {}
        }
    }
    let mut tx = bridge.db.write().await?;
    lock(&mut tx, batch.iter().flat_map(rooms_of)).await?;
    for event in batch {
        take_one(&mut tx, event).await?;
    }
    tx.commit().await?;
    bridge.wake.notify_one();
    for event in batch {
        match event {
            RealtimeEvent::Subscribed { room, snapshot } => start_catch_up(bridge, room, snapshot).await,
            RealtimeEvent::Refused { room, error } => {
                error!(portal.room = %room, error, "Gitter refuses the subscription; the portal stops");
            }
            RealtimeEvent::Interrupted { rooms } => resubscribe(bridge, rooms).await?,
            RealtimeEvent::Message { .. } => KillPoint::Accepted.reached(Direction::ToMatrix),
            RealtimeEvent::Room { .. } | RealtimeEvent::RoomRefused { .. } => life::told(bridge, event),
            RealtimeEvent::UsersFollowed { .. }
            | RealtimeEvent::User { .. }
            | RealtimeEvent::TokenRefused
            | RealtimeEvent::Connected => {}
        }
        people::hear(bridge, event).await?;
    }
    bridge.portals_changed();
    Ok(())
}

/// Locks the lanes of rooms before their portals' states are read or changed: an item held back for a state
/// that somebody else is just ending would never be let go. Always in one order, so that no two processes wait
/// for each other.
pub(super) async fn lock(tx: &mut Tx, rooms: impl Iterator<Item = &GitterRoomId>) -> Result<(), StoreError> {
    let rooms: BTreeSet<&GitterRoomId> = rooms.collect();
    for room in rooms {
        lane::lock_lane(tx, &LaneKey::live(Some(room), Direction::ToMatrix)).await?;
    }
    Ok(())
}

/// The rooms that an event is about.
fn rooms_of(event: &RealtimeEvent) -> &[GitterRoomId] {
    match event {
        RealtimeEvent::Message { room, .. }
        | RealtimeEvent::Subscribed { room, .. }
        | RealtimeEvent::Refused { room, .. } => slice::from_ref(room),
        RealtimeEvent::Interrupted { rooms } => rooms,
        // It is noted in the portal: two processes that note several at once, each in its order, would wait for each other.
        RealtimeEvent::Room { room, operation, .. } if operation == SNAPSHOT => slice::from_ref(room),
        // What is beside the messages has no place among them.
        RealtimeEvent::Room { .. }
        | RealtimeEvent::RoomRefused { .. }
        | RealtimeEvent::UsersFollowed { .. }
        | RealtimeEvent::User { .. }
        | RealtimeEvent::TokenRefused
        | RealtimeEvent::Connected => &[],
    }
}

/// Asks for new snapshots. Where a socket was lost they come unasked; after a gap, the socket lives on and
/// may be left as it is for minutes.
async fn resubscribe(bridge: &Bridge, rooms: &[GitterRoomId]) -> Result<(), StoreError> {
    let mut tx = bridge.db.read().await?;
    for room in rooms {
        let portal = portal::portal_by_gitter_room(&mut tx, room).await?;
        if portal.is_some_and(|portal| portal.state == PortalState::CatchingUp) {
            bridge.subscribe(room);
        }
    }
    Ok(())
}

async fn take_one(tx: &mut Tx, event: &RealtimeEvent) -> Result<(), StoreError> {
    match event {
        RealtimeEvent::Message {
            room,
            operation,
            model,
        } => take_message(tx, room, operation, model).await,
        RealtimeEvent::Interrupted { rooms } => {
            for room in rooms {
                portal::set_portal_state(tx, room, PortalState::Active, PortalState::CatchingUp).await?;
            }
            Ok(())
        }
        RealtimeEvent::Subscribed { room, .. } => {
            portal::set_portal_state(tx, room, PortalState::Active, PortalState::CatchingUp).await?;
            Ok(())
        }
        RealtimeEvent::Refused { room, .. } => {
            for state in [PortalState::Active, PortalState::CatchingUp] {
                portal::set_portal_state(tx, room, state, PortalState::Broken).await?;
            }
            Ok(())
        }
        RealtimeEvent::Room { .. } => life::note(tx, event).await,
        RealtimeEvent::RoomRefused { .. }
        | RealtimeEvent::UsersFollowed { .. }
        | RealtimeEvent::User { .. }
        | RealtimeEvent::TokenRefused
        | RealtimeEvent::Connected => Ok(()),
    }
}

async fn take_message(
    tx: &mut Tx,
    room: &GitterRoomId,
    operation: &str,
    model: &RawValue,
) -> Result<(), StoreError> {
    // A room that was unlinked while its last frames came in has no portal any more.
    let Some(portal) = portal::portal_by_gitter_room(tx, room).await? else {
        return Ok(());
    };
    let held = portal.state != PortalState::Active;
    let mut item = accept::gitter_item(room, operation, model, held);
    let is_private = serde_json::from_str::<model::Message>(model.get())
        .is_ok_and(|message| is_private(&portal, operation, &message));
    if is_private {
        let detail = life::SAID_IN_PRIVATE.to_owned();
        item.outcome
            .get_or_insert(Outcome::Skipped(Reason::PrivateRoom, detail));
    }
    let id = item.source_id.clone();
    inbox::enqueue(tx, &[item], now()).await?;
    if operation == "create" && !held && !is_private && !id.is_empty() {
        lane::advance_cursor(tx, room, &id).await?;
    }
    KillPoint::Taken.reached(Direction::ToMatrix);
    Ok(())
}

pub(super) async fn stop_catch_up(bridge: &Bridge, room: &GitterRoomId) {
    let running = bridge.catch_ups.lock().await.remove(room);
    if let Some(Running(task)) = running {
        task.abort();
        // Its end is awaited: it must not commit later than what follows. An aborted task is an error.
        task.await.ok();
    }
}

async fn start_catch_up(bridge: &Arc<Bridge>, room: &GitterRoomId, snapshot: &Snapshot) {
    let snapshot = match snapshot {
        Snapshot::Messages(messages) => messages.clone(),
        Snapshot::Failed(error) => {
            warn!(portal.room = %room, error, "The snapshot failed; messages are listed instead");
            Vec::new()
        }
    };
    let task = catch_up(Arc::clone(bridge), room.clone(), snapshot);
    // One at a time: two events of a batch may each start one.
    stop_catch_up(bridge, room).await;
    let running = Running(bridge.tracker.spawn(task));
    bridge.catch_ups.lock().await.insert(room.clone(), running);
}

/// Queues what was missed in one room, and lets what was held go; tries until it works.
async fn catch_up(bridge: Arc<Bridge>, room: GitterRoomId, snapshot: Vec<Box<RawValue>>) {
    let mut failures = 0;
    loop {
        let tried = try_catch_up(&bridge, &room, &snapshot);
        let Some(tried) = bridge.stop.run_until_cancelled(tried).await else {
            return;
        };
        match tried {
            // The portal is in another Matrix room by now, or in none.
            Ok(None) => continue,
            Ok(Some(found)) => {
                metrics::caught_up(Some(found));
                info!(portal.room = %room, messages = found, "A room is caught up");
                bridge.wake.notify_one();
                bridge.portals_changed();
                return;
            }
            Err(error) => {
                metrics::caught_up(None);
                warn!(portal.room = %room, error = %error, "A room cannot be caught up yet");
            }
        }
        failures += 1;
        let wait = failure::back_off(failures, LONGEST_WAIT);
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0))) => {}
        }
    }
}

async fn try_catch_up(
    bridge: &Bridge,
    room: &GitterRoomId,
    snapshot: &[Box<RawValue>],
) -> Result<Option<usize>, BridgeError> {
    let mut tx = bridge.db.read().await?;
    let portal = portal::portal_by_gitter_room(&mut tx, room).await?;
    let Some(portal) = portal.filter(|portal| life::is_followed(portal.state)) else {
        return Ok(Some(0));
    };
    let cursor = lane::cursor(&mut tx, room).await?;
    drop(tx);
    if !portal.virtual_users {
        look_for_virtual_users(bridge, &portal).await;
    }
    let known = newest_known(&portal, &cursor);
    let (creates, edits) = (known.before(OVERLAP), known.before(EDIT_WINDOW));
    let mut listing = Listing::default();
    let found = if reaches_back(snapshot, &edits) {
        listing.add(snapshot);
        if snapshot.len() < PAGE {
            listing.begins_with_room();
        }
        hold(bridge, &portal, snapshot, &creates).await?
    } else {
        hold_listed(bridge, &portal, &creates, edits, &mut listing).await?
    };
    absences::look(bridge, &portal, &listing).await?;
    let mut tx = bridge.db.write().await?;
    lock(&mut tx, iter::once(room)).await?;
    if !is_linked(&mut tx, &portal).await? {
        return Ok(None);
    }
    let newest = inbox::held_sources(&mut tx, room, "create")
        .await?
        .into_iter()
        .max();
    if let Some(newest) = newest {
        lane::advance_cursor(&mut tx, room, &newest).await?;
    }
    inbox::release_held(&mut tx, room, now()).await?;
    portal::set_portal_state(&mut tx, room, PortalState::CatchingUp, PortalState::Active).await?;
    tx.commit().await?;
    Ok(Some(found))
}

/// Whether a portal is still the one it was: it may have been unlinked, and its room linked elsewhere; or that room may
/// have turned private, and even public again.
async fn is_linked(tx: &mut Tx, portal: &Portal) -> Result<bool, StoreError> {
    let now = portal::portal_by_gitter_room(tx, &portal.gitter_room_id).await?;
    Ok(now.is_some_and(|now| {
        now.matrix_room_id == portal.matrix_room_id
            && now.created_at == portal.created_at
            && now.anew_at == portal.anew_at
            && life::is_followed(now.state)
    }))
}

/// Lists everything after a message, and holds it page by page: edits, and what was created since `start`. Gives
/// how much was not known.
async fn hold_listed(
    bridge: &Bridge,
    portal: &Portal,
    start: &GitterMessageId,
    mut after: GitterMessageId,
    listing: &mut Listing,
) -> Result<usize, BridgeError> {
    let mut found = 0;
    loop {
        let query = MessagePage {
            after: Some(after.clone()),
            before: None,
            limit: u32::try_from(PAGE).unwrap_or(u32::MAX),
            class: Class::Read,
        };
        let page = bridge.gitter.messages(&portal.gitter_room_id, &query).await?;
        listing.add(&page);
        found += hold(bridge, portal, &page, start).await?;
        let newest = page.iter().filter_map(|raw| id_of(raw)).max();
        match newest {
            Some(newest) if page.len() >= PAGE && newest > after => after = newest,
            _ => return Ok(found),
        }
    }
}

/// Holds, in a commit of its own, what is not known yet: creates since `start`, and edits. Gives how much that is.
/// Holding it again is no harm.
async fn hold(
    bridge: &Bridge,
    portal: &Portal,
    missed: &[Box<RawValue>],
    start: &GitterMessageId,
) -> Result<usize, StoreError> {
    let room = &portal.gitter_room_id;
    let mut tx = bridge.db.write().await?;
    lock(&mut tx, iter::once(room)).await?;
    if !is_linked(&mut tx, portal).await? {
        return Ok(0);
    }
    let mut items: Vec<NewItem> = Vec::new();
    for raw in missed {
        let Ok(seen) = serde_json::from_str::<model::Message>(raw.get()) else {
            items.push(accept::gitter_item(room, "create", raw, true));
            continue;
        };
        let crossed = message::by_gitter_id(&mut tx, portal, &seen.id).await?;
        let is_old = seen.id < *start || !accept::is_newer(&seen.id, portal.since_id.as_ref());
        if crossed.is_empty() && !is_old {
            // It may have crossed into the room that this one succeeds.
            if message::has_crossed(&mut tx, room, &seen.id).await? {
                continue;
            }
            items.push(accept::gitter_item(room, "create", raw, true));
        } else if has_changed(portal, &seen, &crossed) {
            items.push(accept::gitter_item(room, "update", raw, true));
        }
    }
    let found = inbox::enqueue(&mut tx, &items, now()).await?;
    tx.commit().await?;
    Ok(found)
}

/// A portal in prefix form asks again at each catch-up whether the account may post for virtual users by now.
async fn look_for_virtual_users(bridge: &Bridge, portal: &Portal) {
    let look = async {
        if bridge
            .gitter
            .virtual_users_allowed(&portal.gitter_room_id)
            .await?
        {
            let mut tx = bridge.db.write().await?;
            portal::set_virtual_users(&mut tx, &portal.gitter_room_id, true).await?;
            tx.commit().await?;
            info!(
                portal.uri = portal.gitter_uri,
                "The account may post for virtual users by now"
            );
        }
        Ok::<(), BridgeError>(())
    };
    if let Err(error) = look.await {
        warn!(portal.uri = portal.gitter_uri, error = %error, "Whether the account may post for virtual users is not known");
    }
}
