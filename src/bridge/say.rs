//! What the bot says in a room by itself, in one line.

use ruma::RoomId;
use serde_json::json;

use super::{Bridge, BridgeError};
use crate::{ids::transaction_id, matrix::SendEvent};

/// Says something in a room as the bot; under the same key it is said once.
pub(super) async fn say(bridge: &Bridge, room: &RoomId, key: &str, text: &str) -> Result<(), BridgeError> {
    let content = json!({ "msgtype": "m.notice", "body": text, "m.mentions": {} });
    let event = SendEvent {
        room,
        sender: bridge.matrix.bot(),
        device: None,
        transaction_id: &transaction_id(&["say", room.as_str(), key]),
        event_type: "m.room.message",
        content: &content,
        timestamp: None,
    };
    bridge.matrix.send(&event).await?;
    Ok(())
}
