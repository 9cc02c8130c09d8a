//! State of rooms: all of it, and setting it as the bot.

use ruma::{
    OwnedEventId, RoomId, UserId,
    api::client::state::{get_state_event_for_key::v3::StateEventFormat, get_state_events, send_state_event},
    events::StateEventType,
    serde::Raw,
};
use serde::Deserialize;
use serde_json::{Value, value::to_raw_value};

use crate::matrix::{
    Endpoint, MatrixClient, MatrixError,
    transport::{unreadable, unwritable},
};

/// The event that made a room.
#[derive(Debug, Clone, Deserialize)]
pub struct Creation {
    /// Who made the room, whatever its version.
    pub sender: ruma::OwnedUserId,
    /// What was said when it was made.
    pub content: Value,
}

impl MatrixClient {
    /// Sets a room's state as the bot. Without the power to, 403 `M_FORBIDDEN`.
    pub async fn set_state(
        &self,
        room: &RoomId,
        event_type: StateEventType,
        state_key: &str,
        content: &Value,
    ) -> Result<OwnedEventId, MatrixError> {
        let endpoint = Endpoint::SetState;
        let content = to_raw_value(content).map_err(|source| unwritable(endpoint, source))?;
        let request = send_state_event::v3::Request::new_raw(
            room.to_owned(),
            event_type,
            state_key.to_owned(),
            Raw::from_json(content),
        );
        let answer = self.call_as(endpoint, self.bot(), request).await?;
        Ok(answer.event_id)
    }

    /// All current state events of a room, its members' too; what cannot be read is left out.
    pub async fn whole_state(&self, room: &RoomId) -> Result<Vec<Value>, MatrixError> {
        let request = get_state_events::v3::Request::new(room.to_owned());
        let answer = self.call_as(Endpoint::WholeState, self.bot(), request).await?;
        let events = answer.room_state.iter();
        Ok(events
            .filter_map(|event| serde_json::from_str(event.json().get()).ok())
            .collect())
    }

    /// The event that made a room; none where the homeserver does not say.
    pub async fn creation(&self, room: &RoomId) -> Result<Option<Creation>, MatrixError> {
        self.state_as(StateEventFormat::Event, room, StateEventType::RoomCreate, "")
            .await?
            .map(|event| Creation::deserialize(event).map_err(|source| unreadable(Endpoint::State, source)))
            .transpose()
    }
}

impl Creation {
    /// Whether the room was made by somebody with this word in what was said.
    pub fn is_by(&self, maker: &UserId, key: &str, word: &str) -> bool {
        self.sender == maker && self.content.get(key).and_then(Value::as_str) == Some(word)
    }
}
