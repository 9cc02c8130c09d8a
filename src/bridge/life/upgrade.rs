//! Follows a Matrix room to its successor (Matrix specification, "Room upgrades").
//!
//! The tombstone names the successor and the successor has to name the room back: anybody may make a room that claims
//! to be one. Ids of rooms are opaque; the server to ask is that of whoever wrote the tombstone.

use ruma::{OwnedRoomId, RoomId, events::StateEventType};
use tracing::info;

use super::{
    StopCause,
    matrix_room::{is_in, is_refusal},
};
use crate::{
    bridge::{Bridge, BridgeError, catch_up, leave, now},
    matrix::{JoinedMember, RoomAccess},
    store::{
        Direction, LaneKey, Member, Portal, PortalKind, PortalState, lane, life, life::Stop, member, portal,
    },
};

/// A portal that cannot follow its room, for this reason.
pub(super) fn stop(why: &str) -> Stop {
    Stop {
        state: PortalState::Paused,
        cause: StopCause::Upgraded,
        detail: format!("{why}. When that is mended: gitter-matrix-bridge room resume"),
        to_tell: format!(
            "This room was upgraded, and the bridge could not follow: {why}. Nothing crosses until the operator of this \
             bridge resumes it."
        ),
    }
}

/// A successor that the bot is in and may work in.
struct Successor {
    room: OwnedRoomId,
    members: Vec<JoinedMember>,
}

/// Moves a portal to its room's successor; what keeps it from that, if something does.
pub(super) async fn follow(bridge: &Bridge, portal: &Portal) -> Result<Option<Stop>, BridgeError> {
    let _moving = bridge.life.moving.lock().await;
    let now = bridge.portal_now(portal).await?;
    if now.is_none_or(|now| now.matrix_room_id != portal.matrix_room_id) {
        return Ok(None);
    }
    let successor = match find(bridge, portal).await? {
        Ok(successor) => successor,
        Err(why) => return Ok(Some(stop(&why))),
    };
    if !move_there(bridge, portal, &successor).await? {
        return Ok(Some(stop("its successor was linked with another room")));
    }
    info!(portal.uri = portal.gitter_uri, portal.matrix_room = %successor.room, "Followed a Matrix room to its successor");
    Ok(None)
}

/// The successor, with the bot in it; or why it cannot be followed.
async fn find(bridge: &Bridge, portal: &Portal) -> Result<Result<Successor, String>, BridgeError> {
    let old = &portal.matrix_room_id;
    let tombstone = bridge.matrix.tombstone(old).await?;
    let server = tombstone.as_ref().and_then(|tombstone| tombstone.server.clone());
    let Some(room) = tombstone.and_then(|tombstone| tombstone.successor) else {
        return Ok(Err("it names no successor".to_owned()));
    };
    let mut tx = bridge.db.read().await?;
    let linked = portal::portal_by_matrix_room(&mut tx, &room).await?;
    if linked.is_some_and(|linked| linked.gitter_room_id != portal.gitter_room_id) {
        return Ok(Err(format!("its successor {room} is linked already")));
    }
    drop(tx);
    let bot = bridge.matrix.bot();
    // It may be there for something else: a Space, another room.
    let was_in = is_in(bridge, &room).await?;
    if !was_in {
        match bridge.matrix.join_via(&room, bot, server).await {
            Err(error) if is_refusal(&error) => {
                return Ok(Err(format!(
                    "{bot} cannot join its successor {room}; invite it there"
                )));
            }
            joined => joined?,
        }
    }
    if !points_back(bridge, &room, old).await? {
        if !was_in {
            bridge.matrix.leave(&room, bot).await?;
        }
        return Ok(Err(format!(
            "the room {room} does not say that it is its successor"
        )));
    }
    let access = bridge.matrix.room_access(&room).await?;
    if access.encrypted {
        return Ok(Err(format!("its successor {room} is encrypted")));
    }
    if !has_power(bridge, portal, &room, &access).await? {
        return Ok(Err(format!(
            "{bot} has too little power in its successor {room}; give it power level 50"
        )));
    }
    let members = bridge.matrix.joined_members(&room).await?;
    Ok(Ok(Successor { room, members }))
}

/// Whether the bot may do in a room what the portal needs there. A room that the bridge made is its to look after; from
/// version 12 on it is no maker of the successor any more.
async fn has_power(
    bridge: &Bridge,
    portal: &Portal,
    room: &RoomId,
    access: &RoomAccess,
) -> Result<bool, BridgeError> {
    let bot = bridge.matrix.bot();
    let may_look_after = access.may_change_state(bot) && access.may_redact_others(bot);
    if !access.may_send(bot) || (portal.kind == PortalKind::Created && !may_look_after) {
        return Ok(false);
    }
    let rules = bridge
        .matrix
        .state(room, StateEventType::RoomJoinRules, "")
        .await?;
    let is_open = rules.is_some_and(|rules| rules.get("join_rule").is_some_and(|rule| rule == "public"));
    Ok(is_open || access.may_invite(bot))
}

/// Whether a room says that it is the successor of another.
async fn points_back(bridge: &Bridge, room: &RoomId, old: &RoomId) -> Result<bool, BridgeError> {
    let creation = bridge.matrix.state(room, StateEventType::RoomCreate, "").await?;
    let predecessor = creation
        .as_ref()
        .and_then(|it| it.pointer("/predecessor/room_id")?.as_str());
    Ok(predecessor == Some(old.as_str()))
}

/// Moves everything in one transaction; `false` if the portal is not what it was, or the successor is taken.
async fn move_there(bridge: &Bridge, portal: &Portal, successor: &Successor) -> Result<bool, BridgeError> {
    let room = &portal.gitter_room_id;
    catch_up::stop_catch_up(bridge, room).await;
    let mut tx = bridge.db.write().await?;
    for direction in [Direction::ToGitter, Direction::ToMatrix] {
        lane::lock_lane(&mut tx, &LaneKey::live(Some(room), direction)).await?;
    }
    let now_linked = portal::portal_by_gitter_room(&mut tx, room).await?;
    let Some(linked) = now_linked.filter(|linked| linked.created_at == portal.created_at) else {
        return Ok(false);
    };
    if linked.matrix_room_id == successor.room {
        return Ok(true);
    }
    match life::move_portal(&mut tx, room, &successor.room).await {
        Err(error) if error.is_taken() => return Ok(false),
        moved => moved?,
    }
    member::clear_members(&mut tx, &successor.room).await?;
    for joined in &successor.members {
        let joined = Member {
            user_id: joined.user_id.clone(),
            membership: "join".to_owned(),
            display_name: joined.display_name.clone().unwrap_or_default(),
            avatar_url: joined
                .avatar
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        };
        member::record_member(&mut tx, &successor.room, &joined).await?;
    }
    let text = format!(
        "The Gitter room {} is bridged to this room from here on.",
        linked.gitter_uri
    );
    life::tell(&mut tx, room, &text, now()).await?;
    // Aliases, Space and state of the new room.
    leave::note_moved(&mut tx, &linked).await?;
    tx.commit().await?;
    bridge.something_left.notify_one();
    // A catch-up that was under way was one for the old room.
    bridge.subscribe(room);
    bridge.portals_changed();
    bridge.life.wake.notify_one();
    Ok(true)
}
