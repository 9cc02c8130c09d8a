//! What was said in a Matrix room before that was upgraded stays there, and is deleted there.

use ruma::OwnedRoomId;
use serde::Deserialize;

use crate::{
    model,
    store::{Direction, Item, Portal, StoreError, Tx, life},
};

/// Where an event was said.
#[derive(Deserialize)]
struct Place {
    room_id: OwnedRoomId,
}

/// A portal as it was when what an item is about was said: in the room in which that is.
pub(in crate::bridge) async fn portal_of(
    tx: &mut Tx,
    portal: Portal,
    item: &Item,
) -> Result<Portal, StoreError> {
    let room = match item.lane.direction {
        Direction::ToGitter => serde_json::from_str::<Place>(&item.body)
            .ok()
            .map(|place| place.room_id),
        Direction::ToMatrix => match removed(item) {
            Some(message) => life::former_room_of(tx, &portal.gitter_room_id, &message).await?,
            None => None,
        },
    };
    Ok(match room {
        Some(matrix_room_id) => Portal {
            matrix_room_id,
            ..portal
        },
        None => portal,
    })
}

/// The Gitter message that an item says is deleted. What else becomes of a message in a former room does not cross:
/// nobody may speak there any more.
fn removed(item: &Item) -> Option<crate::ids::GitterMessageId> {
    if !matches!(item.operation.as_str(), "remove" | "update") {
        return None;
    }
    let message: model::Message = serde_json::from_str(&item.body).ok()?;
    (item.operation == "remove" || message.is_tombstone()).then_some(message.id)
}
