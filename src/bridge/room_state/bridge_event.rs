//! The state events that say which Gitter room a Matrix room is bridged to: `m.bridge` (MSC2346), and its name from
//! before it was proposed, which clients look for as well. Pure.

use ruma::{UserId, events::StateEventType};
use serde_json::json;
use url::Url;

use super::Piece;
use crate::{ids::GitterRoomId, model};

pub(in crate::bridge) const TYPES: [&str; 2] = ["m.bridge", "uk.half-shot.bridge"];

/// Both events for a room.
pub(super) fn pieces(bot: &UserId, web_url: &Url, room: &model::Room) -> Vec<Piece> {
    let web_url = web_url.as_str().trim_end_matches('/');
    let uri = room.uri.as_deref().unwrap_or_default();
    let content = json!({
        "bridgebot": bot,
        "protocol": { "id": "gitter", "displayname": "Gitter", "external_url": web_url },
        "channel": { "id": room.id, "displayname": uri, "external_url": format!("{web_url}/{uri}") },
    });
    let piece = |(event_type, state_key)| Piece {
        event_type,
        state_key,
        content: content.clone(),
    };
    keys(&room.id).map(piece).into()
}

/// The types and the key of both.
pub(super) fn keys(room: &GitterRoomId) -> [(StateEventType, String); 2] {
    TYPES.map(|event_type| (event_type.into(), format!("im.gitter.bridge://gitter/{room}")))
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn both_events_name_the_room_and_its_page() {
        let room = json!({ "id": "5f0000000000000000000a01", "uri": "tidepool/harbour", "public": true });
        let room: model::Room = serde_json::from_value(room).unwrap();
        let web = Url::parse("https://gitter.example.org/").unwrap();
        let pieces = pieces(user_id!("@gitterbot:example.org"), &web, &room);
        let types: Vec<String> = pieces.iter().map(|piece| piece.event_type.to_string()).collect();
        assert_eq!(types, ["m.bridge", "uk.half-shot.bridge"]);
        for piece in &pieces {
            assert_eq!(
                piece.state_key,
                "im.gitter.bridge://gitter/5f0000000000000000000a01"
            );
            let channel = &piece.content["channel"];
            assert_eq!(channel["id"], "5f0000000000000000000a01");
            assert_eq!(
                channel["external_url"],
                "https://gitter.example.org/tidepool/harbour"
            );
        }
    }
}
