//! The whole state of a room.

use ruma::{RoomId, api::client::state::get_state_events};
use serde_json::Value;

use crate::matrix::{Endpoint, MatrixClient, MatrixError};

impl MatrixClient {
    /// All current state events of a room, its members' too; what cannot be read is left out.
    pub async fn whole_state(&self, room: &RoomId) -> Result<Vec<Value>, MatrixError> {
        let request = get_state_events::v3::Request::new(room.to_owned());
        let answer = self.call_as(Endpoint::WholeState, self.bot(), request).await?;
        let events = answer.room_state.iter();
        Ok(events
            .filter_map(|event| serde_json::from_str(event.json().get()).ok())
            .collect())
    }
}
