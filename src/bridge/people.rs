//! People of Gitter rooms in Matrix rooms: with `bridge.membership: mirror` all of them are there, and in any case who leaves
//! on Gitter leaves; names and pictures are kept fresh without a message (DESIGN 4, "joins, leaves, profile changes").
//!
//! What is to be done is written down first and done in the background, one ghost at a time and as long a rest after each as
//! it took, so that people who talk do not wait for people who come.

mod listing;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::{sync::Notify, time::Instant};
use tracing::{debug, warn};

use super::{Bridge, BridgeError, failure, ghost as ghosts, now};
use crate::{
    config::Membership,
    gitter::RealtimeEvent,
    ids::{GitterRoomId, GitterUserId},
    matrix::MatrixError,
    model::User,
    store::{
        Ghost, Member, Portal, Tx, ghost, member,
        person::{self, Move, Wanted},
        portal,
    },
};

/// How often it is looked for something to do, if nobody says so.
const LOOK: Duration = Duration::from_secs(2);

/// How long a claim lasts, in milliseconds.
const CLAIM: i64 = 60_000;

/// The longest wait between two tries, in milliseconds.
const LONGEST_WAIT: i64 = 3_600_000;

/// What there may be to do.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// Rooms whose people are to be listed.
    unlisted: Mutex<BTreeSet<GitterRoomId>>,
    wake: Notify,
}

impl Crowd {
    /// People of a room may have come and gone unseen.
    pub(super) fn may_have_changed(&self, room: &GitterRoomId) {
        let mut unlisted = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        unlisted.insert(room.clone());
    }

    /// Whether that was said since they were listed.
    fn is_unlisted(&self, room: &GitterRoomId) -> bool {
        let unlisted = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        unlisted.contains(room)
    }

    /// They are about to be listed.
    fn listed(&self, room: &GitterRoomId) {
        let mut unlisted = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        unlisted.remove(room);
    }
}

/// Hears what Gitter says of the people of a room; of a ban it says only that something about the room has changed.
pub(super) async fn hear(bridge: &Bridge, event: &RealtimeEvent) -> Result<(), BridgeError> {
    match event {
        RealtimeEvent::Room { room, operation, .. } if operation == "update" => bridge.ban_looks.ask(room),
        RealtimeEvent::UsersFollowed { room } => bridge.crowd.may_have_changed(room),
        RealtimeEvent::User {
            room,
            operation,
            model,
        } => told(bridge, room, operation, model).await?,
        _ => {}
    }
    Ok(())
}

/// Takes what Gitter says of somebody in a room (gitter-api 7.4): `create`, `update` or `remove`.
async fn told(
    bridge: &Bridge,
    room: &GitterRoomId,
    operation: &str,
    model: &RawValue,
) -> Result<(), BridgeError> {
    let Ok(user) = serde_json::from_str::<User>(model.get()) else {
        return Ok(());
    };
    let Some(id) = user.account_id().filter(|id| *id != bridge.account.user_id) else {
        return Ok(());
    };
    let mut tx = bridge.db.write().await?;
    let known = ghost::ghost_by_id(&mut tx, &id).await?;
    match operation {
        "create" | "update" if user.is_gone() => part_everywhere(bridge, &mut tx, &user, known).await?,
        "create" if mirrors(bridge, &mut tx, room).await? => {
            meet(bridge, &mut tx, &user, known).await?;
            person::want(&mut tx, room, &id, Wanted::Join, now()).await?;
        }
        "create" | "update" if known.is_some() => meet(bridge, &mut tx, &user, known).await?,
        "remove" if known.is_some() => {
            person::want(&mut tx, room, &id, Wanted::Leave, now()).await?;
        }
        _ => {}
    }
    tx.commit().await?;
    bridge.crowd.wake.notify_one();
    Ok(())
}

/// Whether all people of a room are to be in its Matrix room.
async fn mirrors(bridge: &Bridge, tx: &mut Tx, room: &GitterRoomId) -> Result<bool, BridgeError> {
    Ok(bridge.room_settings(tx, room.as_str()).await?.membership == Membership::Mirror)
}

/// Notes what is known of a user, who has a ghost from then on; where that changes what the ghost shows, it is to be shown.
async fn meet(bridge: &Bridge, tx: &mut Tx, user: &User, known: Option<Ghost>) -> Result<(), BridgeError> {
    let Some(id) = user.account_id() else {
        return Ok(());
    };
    let settings = &bridge.settings;
    let user_id = match &known {
        Some(known) => known.user_id.clone(),
        None => match settings
            .ghost_localpart
            .make(&settings.server_name, &id, &user.username)
        {
            Ok(user_id) => user_id,
            // A name that is too long for any Matrix id.
            Err(error) => {
                debug!(error = %error, "A Gitter user cannot have a ghost");
                return Ok(());
            }
        },
    };
    let met = ghosts::note(bridge, tx, &user_id, user, known.clone()).await?;
    if met != known {
        person::mark_stale(tx, &id).await?;
    }
    Ok(())
}

/// An account that is gone keeps its ghost, without its name and picture, and outside all rooms.
async fn part_everywhere(
    bridge: &Bridge,
    tx: &mut Tx,
    user: &User,
    known: Option<Ghost>,
) -> Result<(), BridgeError> {
    let Some(ghost) = &known else {
        return Ok(());
    };
    for room in person::rooms_of(tx, &ghost.user_id).await? {
        person::want(tx, &room, &ghost.gitter_user_id, Wanted::Leave, now()).await?;
    }
    meet(bridge, tx, user, known).await
}

/// Does what is to be done until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    bridge.tracker.spawn(listing::run(Arc::clone(&bridge)));
    loop {
        let began = Instant::now();
        let found = match bridge.stop.run_until_cancelled(do_one(&bridge)).await {
            None => return,
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                debug!(error = %error, "What is to be done for people cannot be done now");
                false
            }
        };
        let rest = if found { began.elapsed() } else { LOOK };
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = bridge.crowd.wake.notified(), if !found => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Does one thing; `false` if there is none.
async fn do_one(bridge: &Bridge) -> Result<bool, BridgeError> {
    let mut tx = bridge.db.read().await?;
    let (now, stale) = (now(), person::next_stale(&mut tx).await?);
    let next = person::next(&mut tx, now).await?;
    drop(tx);
    if let Some(user) = stale {
        show(bridge, &user).await?;
        return Ok(true);
    }
    let Some(claimed) = next else {
        return Ok(false);
    };
    let mut tx = bridge.db.write().await?;
    let is_ours = person::put_off(&mut tx, &claimed, claimed.due, now + CLAIM).await?;
    tx.commit().await?;
    if !is_ours {
        return Ok(true);
    }
    if let Err(error) = carry_out(bridge, &claimed).await {
        let tries = u32::try_from(claimed.tries).unwrap_or(u32::MAX).saturating_add(1);
        let wait = failure::back_off(tries, LONGEST_WAIT);
        debug!(error = %error, ghost.of = %claimed.user, portal.room = %claimed.room, "A ghost cannot be moved yet");
        let mut tx = bridge.db.write().await?;
        person::put_off(&mut tx, &claimed, now + CLAIM, now + wait).await?;
        tx.commit().await?;
        if let BridgeError::Matrix(error) = &error {
            // The homeserver has too much to do, or is away: everybody waits.
            if error
                .status()
                .is_none_or(|status| status == 429 || status.is_server_error())
            {
                tokio::time::sleep(error.retry_after().unwrap_or(LOOK)).await;
            }
        }
    }
    Ok(true)
}

/// Shows a user's ghost's profile anew.
async fn show(bridge: &Bridge, user: &GitterUserId) -> Result<(), BridgeError> {
    let mut tx = bridge.db.write().await?;
    let is_ours = person::take_stale(&mut tx, user).await?;
    let ghost = ghost::ghost_by_id(&mut tx, user).await?;
    tx.commit().await?;
    let Some(ghost) = ghost.filter(|_| is_ours) else {
        return Ok(());
    };
    let shown = ghosts::introduce(bridge, &ghost).await;
    if let Err(error) = &shown {
        warn!(ghost.id = %ghost.user_id, error = %error, "A ghost's profile cannot be shown yet");
        let mut tx = bridge.db.write().await?;
        person::mark_stale(&mut tx, user).await?;
        tx.commit().await?;
        tokio::time::sleep(LOOK).await;
    }
    shown
}

/// Lets a ghost join or leave.
async fn carry_out(bridge: &Bridge, wanted: &Move) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let portal = portal::portal_by_gitter_room(&mut tx, &wanted.room).await?;
    let ghost = ghost::ghost_by_id(&mut tx, &wanted.user).await?;
    let is_void = wanted.wanted == Wanted::Join && !mirrors(bridge, &mut tx, &wanted.room).await?;
    let (Some(portal), Some(ghost), false) = (portal, ghost, is_void) else {
        drop(tx);
        let mut tx = bridge.db.write().await?;
        person::drop_move(&mut tx, wanted).await?;
        return Ok(tx.commit().await?);
    };
    let found = member::member(&mut tx, &portal.matrix_room_id, &ghost.user_id).await?;
    drop(tx);
    let is_in = found.is_some_and(|found| found.membership == "join");
    match wanted.wanted {
        Wanted::Join if !is_in => {
            ghosts::introduce(bridge, &ghost).await?;
            allowed(ghosts::join(bridge, &portal, &ghost.user_id).await)?;
        }
        Wanted::Leave if is_in => leave(bridge, &portal, &ghost).await?,
        _ => {}
    }
    let mut tx = bridge.db.write().await?;
    person::finish(&mut tx, wanted).await?;
    tx.commit().await?;
    Ok(())
}

async fn leave(bridge: &Bridge, portal: &Portal, ghost: &Ghost) -> Result<(), BridgeError> {
    let room = &portal.matrix_room_id;
    let left = bridge.matrix.leave(room, &ghost.user_id).await;
    allowed(left.map_err(BridgeError::from))?;
    let mut tx = bridge.db.write().await?;
    let left = Member {
        user_id: ghost.user_id.clone(),
        membership: "leave".to_owned(),
        display_name: String::new(),
        avatar_url: String::new(),
    };
    member::record_member(&mut tx, room, &left).await?;
    tx.commit().await?;
    Ok(())
}

/// What the room does not allow is done with: a ghost that is banned does not come, and one that is out is out.
fn allowed(done: Result<(), BridgeError>) -> Result<(), BridgeError> {
    let refused = |error: &MatrixError| error.status().is_some_and(|status| status == 403);
    match done {
        Err(BridgeError::Matrix(error)) if refused(&error) => Ok(()),
        done => done,
    }
}

/// Notes who is in a room by a list of all, in one commit: who is new there is to join, who is `gone` is to leave.
async fn note_all(
    bridge: &Bridge,
    room: &GitterRoomId,
    people: &[User],
    gone: &BTreeSet<GitterUserId>,
) -> Result<usize, BridgeError> {
    let mut tx = bridge.db.write().await?;
    let mut news = 0;
    for user in people {
        let Some(id) = user.account_id().filter(|id| *id != bridge.account.user_id) else {
            continue;
        };
        let known = ghost::ghost_by_id(&mut tx, &id).await?;
        if user.is_gone() {
            part_everywhere(bridge, &mut tx, user, known).await?;
            continue;
        }
        meet(bridge, &mut tx, user, known).await?;
        news += usize::from(person::want(&mut tx, room, &id, Wanted::Join, now()).await?);
    }
    for id in gone {
        news += usize::from(person::want(&mut tx, room, id, Wanted::Leave, now()).await?);
    }
    tx.commit().await?;
    Ok(news)
}
