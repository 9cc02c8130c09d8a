//! From a room to the one that succeeds it, which this homeserver may not be in yet.

use ruma::{
    OwnedRoomId, OwnedServerName, RoomId, UserId,
    api::client::{
        membership::join_room_by_id_or_alias, state::get_state_event_for_key::v3::StateEventFormat,
    },
    events::StateEventType,
};
use serde_json::Value;

use crate::matrix::{Endpoint, MatrixClient, MatrixError};

/// What a room says of its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The successor; none where no room is named.
    pub successor: Option<OwnedRoomId>,
    /// A server that should be in it: that of whoever wrote the tombstone.
    pub server: Option<OwnedServerName>,
}

impl Tombstone {
    fn read(event: &Value) -> Self {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let sender = text("/sender").and_then(|id| UserId::parse(id).ok());
        Self {
            successor: text("/content/replacement_room").and_then(|id| RoomId::parse(id).ok()),
            server: sender.map(|sender| sender.server_name().to_owned()),
        }
    }
}

impl MatrixClient {
    /// The tombstone of a room; none if it has none.
    pub async fn tombstone(&self, room: &RoomId) -> Result<Option<Tombstone>, MatrixError> {
        let event_type = StateEventType::RoomTombstone;
        let event = self
            .state_as(StateEventFormat::Event, room, event_type, "")
            .await?;
        Ok(event.as_ref().map(Tombstone::read))
    }

    /// Joins a room as a user, by way of a server that is in it. Joining again is success.
    pub async fn join_via(
        &self,
        room: &RoomId,
        user: &UserId,
        server: Option<OwnedServerName>,
    ) -> Result<(), MatrixError> {
        let mut request = join_room_by_id_or_alias::v3::Request::new(room.to_owned().into());
        request.via = server.into_iter().collect();
        self.call_as(Endpoint::Join, user, request).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_of_rooms_are_opaque_and_the_writer_names_the_server() {
        let tombstone = |successor: Value| {
            Tombstone::read(
                &json!({ "sender": "@ana:far.example", "content": { "replacement_room": successor } }),
            )
        };
        let told = tombstone(json!("!Zm9yIGV2ZXJ5b25lIHdobyByZWFkcyB0aGlz"));
        assert_eq!(told.successor.unwrap().server_name(), None);
        assert_eq!(told.server.unwrap(), "far.example");
        assert!(tombstone(json!("#an:alias")).successor.is_none());
        assert!(tombstone(json!(null)).successor.is_none());
    }
}
