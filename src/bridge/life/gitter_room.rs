//! What becomes of a portal's Gitter room: public, renamed, private, gone.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    iter,
    sync::Arc,
};

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tracing::{info, warn};

use super::{SAID_IN_PRIVATE, StopCause, lock};
use crate::{
    bridge::{Bridge, BridgeError, catch_up, leave, now, room_state},
    gitter::{GitterError, RealtimeEvent, SNAPSHOT},
    ids::GitterRoomId,
    model,
    store::{
        Direction, LaneKey, Portal, PortalState, StoreError, Tx, lane,
        leaving::{self, Cause, Leaving},
        life,
        life::Stop,
        media, portal,
    },
};

/// Confirmations are noted at most this often, in milliseconds.
const NOTED_EVERY: i64 = 400;

/// Why a room counts as private that says so itself.
pub(super) const NOT_PUBLIC: &str = "it is not public any more";

/// The same, where Gitter says no more than that.
pub(super) const NOT_READABLE: &str = "Gitter does not let the account read it";

/// What a room is like, as far as its Matrix room shows it.
pub(super) type Digest = u64;

/// The one thing that may not be taken for granted where it is absent.
#[derive(Deserialize)]
struct Openness {
    public: Option<bool>,
}

fn is_public(model: &RawValue) -> Option<bool> {
    serde_json::from_str::<Openness>(model.get()).ok()?.public
}

/// Whether the account is an admin of a room; `None` where Gitter does not say.
fn is_admin(model: &RawValue) -> Option<bool> {
    let model: Value = serde_json::from_str(model.get()).ok()?;
    model.pointer("/permissions/admin")?.as_bool()
}

/// Notes what an event says about a room, in the transaction that takes it.
pub(in crate::bridge) async fn note(tx: &mut Tx, event: &RealtimeEvent) -> Result<(), StoreError> {
    if let RealtimeEvent::Room {
        room,
        operation,
        model,
    } = event
        && operation == SNAPSHOT
    {
        if is_public(model) == Some(true) {
            let now = now();
            life::confirm(tx, room, now, now - NOTED_EVERY).await?;
        }
        if let Some(is_admin) = is_admin(model) {
            portal::set_gitter_admin(tx, room, is_admin).await?;
        }
    }
    Ok(())
}

/// Does what an event about a room asks for, once it has been taken.
pub(in crate::bridge) fn told(bridge: &Arc<Bridge>, event: &RealtimeEvent) {
    let task = match event {
        RealtimeEvent::Room {
            room,
            operation,
            model,
        } => match (operation.as_str(), is_public(model)) {
            (_, Some(false)) => News::Private(room.clone(), NOT_PUBLIC.to_owned()),
            ("remove", _) => News::Refused(room.clone()),
            (SNAPSHOT, _) => match seen(bridge, room, model) {
                Some(news) => news,
                None => return,
            },
            // What has changed is seen by looking at the whole.
            _ => return bridge.realtime.look_at(room.clone()),
        },
        RealtimeEvent::RoomRefused { room, error } if error.starts_with("403") => News::Private(
            room.clone(),
            format!("Gitter does not let the account read it ({error})"),
        ),
        RealtimeEvent::RoomRefused { room, .. } => News::Refused(room.clone()),
        _ => return,
    };
    let bridge_of_task = Arc::clone(bridge);
    bridge.tracker.spawn(async move {
        let stop = bridge_of_task.stop.clone();
        if let Some(Err(error)) = stop
            .run_until_cancelled(Box::pin(task.act(&bridge_of_task)))
            .await
        {
            // The next look brings it up again.
            warn!(error = %error, "What became of a Gitter room could not be dealt with yet");
        }
    });
}

/// What is to be done.
enum News {
    /// It is not for everyone any more, for this reason.
    Private(GitterRoomId, String),
    /// Gitter does not say how it is, or says that it is gone.
    Refused(GitterRoomId),
    /// It is like this now.
    Changed(Box<model::Room>, Digest),
}

/// What a snapshot says that was not known.
fn seen(bridge: &Bridge, room: &GitterRoomId, model: &RawValue) -> Option<News> {
    let model: model::Room = serde_json::from_str(model.get()).ok()?;
    let mut digest = DefaultHasher::new();
    (
        &model.uri,
        &model.name,
        &model.topic,
        &model.avatar_url,
        &model.group_id,
    )
        .hash(&mut digest);
    let digest = digest.finish();
    let is_known = lock(&bridge.life.in_step).get(room) == Some(&digest);
    (!is_known).then(|| News::Changed(Box::new(model), digest))
}

impl News {
    async fn act(self, bridge: &Arc<Bridge>) -> Result<(), BridgeError> {
        match self {
            Self::Private(room, why) => turn_private(bridge, &room, &why).await,
            Self::Refused(room) => ask(bridge, &room).await.map(|_| ()),
            Self::Changed(model, digest) => keep_in_step(bridge, &model, digest).await,
        }
    }
}

/// Stops both directions. What waits toward Matrix was said where not everyone may read, or may have been; links to
/// files of the Matrix room rest.
pub(super) async fn turn_private(bridge: &Bridge, room: &GitterRoomId, why: &str) -> Result<(), BridgeError> {
    catch_up::stop_catch_up(bridge, room).await;
    let mut tx = bridge.db.write().await?;
    for direction in [Direction::ToGitter, Direction::ToMatrix] {
        lane::lock_lane(&mut tx, &LaneKey::live(Some(room), direction)).await?;
    }
    let Some(portal) = portal::portal_by_gitter_room(&mut tx, room).await? else {
        return Ok(());
    };
    let uri = &portal.gitter_uri;
    let stop = Stop {
        state: PortalState::Private,
        cause: StopCause::Private,
        detail: format!(
            "the Gitter room is private: {why}. If it is public again: gitter-matrix-bridge room resume {room}"
        ),
        to_tell: format!(
            "The Gitter room {uri} is not public any more, so nothing crosses from here on, and links on Gitter to \
             files of this room do not work. When it is public again, the operator of this bridge can resume it."
        ),
    };
    let stopped = life::stop(&mut tx, room, &stop, now()).await?;
    let withheld = life::withhold(&mut tx, room, SAID_IN_PRIVATE, now()).await?;
    life::unconfirm(&mut tx, room).await?;
    let rested = media::suspend(&mut tx, room).await?;
    tx.commit().await?;
    // Not before: while it is followed, the next look brings up what could not be noted.
    bridge.unsubscribe(room);
    bridge.put_out_of_step(room);
    bridge.cache.remove(&rested).await;
    if stopped {
        tracing::error!(
            portal.uri = uri,
            withheld,
            why,
            "A Gitter room is not public any more: its portal stops"
        );
        bridge.portals_changed();
        bridge.life.wake.notify_one();
    }
    Ok(())
}

/// Asks how a room is of which the realtime server does not tell; `false` if it is not public, which is noted.
pub(super) async fn ask(bridge: &Bridge, room: &GitterRoomId) -> Result<bool, BridgeError> {
    match bridge.gitter.room(room).await {
        Ok(model) if model.public => return Ok(true),
        Ok(_) => turn_private(bridge, room, NOT_PUBLIC).await?,
        Err(GitterError::Status { status, .. }) if status == StatusCode::NOT_FOUND => {
            gone(bridge, room).await?;
        }
        Err(GitterError::Status { status, .. }) if status == StatusCode::FORBIDDEN => {
            turn_private(bridge, room, NOT_READABLE).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(false)
}

/// The room is deleted. One that is made anew at the same address is another, with another id.
async fn gone(bridge: &Bridge, room: &GitterRoomId) -> Result<(), BridgeError> {
    let _alone = bridge.lock_room(room).await;
    let mut tx = bridge.db.write().await?;
    // Another process may be about to unlink it: what that notes is to stay.
    catch_up::lock(&mut tx, iter::once(room)).await?;
    let Some(portal) = portal::portal_by_gitter_room(&mut tx, room).await? else {
        return Ok(());
    };
    let uri = &portal.gitter_uri;
    let stop = Stop {
        state: PortalState::Broken,
        cause: StopCause::Gone,
        detail: format!("the Gitter room was deleted. Unlink it: gitter-matrix-bridge room unlink {room}"),
        to_tell: format!(
            "The Gitter room {uri} was deleted, so nothing crosses any more. This room can be linked with another."
        ),
    };
    // Its name may be given to another room.
    let leaving = Leaving {
        gitter_room_id: room.clone(),
        matrix_room_id: portal.matrix_room_id.clone(),
        gitter_uri: uri.clone(),
        cause: Cause::Gone,
        ghosts: Vec::new(),
        noted_at: now(),
    };
    leaving::note(&mut tx, &leaving).await?;
    tx.commit().await?;
    super::stop(bridge, room, None, &stop).await?;
    bridge.unsubscribe(room);
    catch_up::stop_catch_up(bridge, room).await;
    leave::take_leave(bridge, &leaving).await;
    bridge.put_out_of_step(room);
    Ok(())
}

/// Notes a new URI, and brings the Matrix room's state in step.
async fn keep_in_step(bridge: &Bridge, model: &model::Room, digest: Digest) -> Result<(), BridgeError> {
    let room = &model.id;
    // In this order: who waits for a turn must not keep others from unlinking the room.
    let _turn = bridge.life.turn.lock().await;
    // Nobody links it, unlinks it or takes leave of it meanwhile.
    let _alone = bridge.lock_room(room).await;
    if lock(&bridge.life.in_step).get(room) == Some(&digest) {
        return Ok(());
    }
    let mut tx = bridge.db.write().await?;
    catch_up::lock(&mut tx, iter::once(room)).await?;
    if let Some(uri) = &model.uri
        && life::rename(&mut tx, room, uri).await?
    {
        info!(portal.room = %room, portal.uri = uri, "A Gitter room was renamed");
    }
    let portal = portal::portal_by_gitter_room(&mut tx, room).await?;
    tx.commit().await?;
    // One whose room is gone or private, or where the bot is not, is brought in step once it goes on.
    let is_to_keep = |portal: &Portal| !matches!(portal.state, PortalState::Private | PortalState::Broken);
    if let Some(portal) = portal.filter(is_to_keep) {
        room_state::write(bridge, &portal, model).await?;
        lock(&bridge.life.in_step).insert(room.clone(), digest);
    }
    Ok(())
}
