//! What is left to do in a Matrix room whose portal is gone: nothing there may still say that it is bridged.
//!
//! The portal is gone for good by then. What a homeserver that is away keeps us from is told, and done when the room
//! is linked anew.

use ruma::{OwnedUserId, events::StateEventType};
use serde_json::json;
use tracing::warn;

use crate::{
    bridge::{Bridge, BridgeError, alias, room_state, space},
    store::Portal,
};

/// Takes leave of a room: its aliases lead to the successor, or are gone, and the ghosts leave.
pub(super) async fn take_leave(
    bridge: &Bridge,
    portal: &Portal,
    ghosts: Vec<OwnedUserId>,
    successor: Option<&Portal>,
) {
    let aliases = match successor {
        Some(successor) => alias::follow(bridge, portal, successor).await,
        None => alias::withdraw(bridge, portal).await,
    };
    tell(portal, "Its aliases still lead to an unlinked room", aliases);
    let state = room_state::withdraw(bridge, portal).await;
    tell(portal, "An unlinked room still says that it is bridged", state);
    let child = space::withdraw(bridge, portal).await;
    tell(portal, "An unlinked room is still in its Space", child);
    if let Some(successor) = successor {
        let left = bury(bridge, portal, successor).await;
        tell(portal, "A room that was replaced does not say so", left);
    }
    for ghost in ghosts {
        let left = bridge.matrix.leave(&portal.matrix_room_id, &ghost).await;
        let left = left.map_err(BridgeError::from);
        tell(portal, "A ghost could not leave an unlinked room", left);
    }
}

/// Says in a room where the conversation goes on, which clients follow.
async fn bury(bridge: &Bridge, portal: &Portal, successor: &Portal) -> Result<(), BridgeError> {
    let content = json!({
        "body": format!("{} is bridged to another Matrix room now.", portal.gitter_uri),
        "replacement_room": successor.matrix_room_id,
    });
    let room = &portal.matrix_room_id;
    let set = bridge
        .matrix
        .set_state(room, StateEventType::RoomTombstone, "", &content);
    set.await?;
    Ok(())
}

fn tell(portal: &Portal, what: &str, done: Result<(), BridgeError>) {
    if let Err(error) = done {
        warn!(portal.uri = portal.gitter_uri, portal.matrix_room = %portal.matrix_room_id, error = %error, "{what}");
    }
}
