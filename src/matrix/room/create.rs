//! Making rooms, as the bot.

use ruma::{OwnedRoomId, OwnedUserId, api::client::room::create_room, serde::Raw};
use serde_json::{Value, json, value::to_raw_value};

use crate::matrix::{Endpoint, MatrixClient, MatrixError, transport::unwritable};

/// A public room to make. The homeserver chooses its version.
#[derive(Debug, Clone)]
pub struct NewRoom {
    /// The localpart of its first alias, which keeps a second such room from being made.
    pub alias: String,
    /// Its name.
    pub name: String,
    /// What `m.room.create` says beside the homeserver's own.
    pub creation: Value,
    /// State from the beginning: the type and the content, each with an empty key.
    pub state: Vec<(&'static str, Value)>,
    /// What differs from the homeserver's default power levels, if anything.
    pub power_levels: Option<Value>,
    /// Who is invited.
    pub invite: Vec<OwnedUserId>,
}

impl MatrixClient {
    /// Makes a public room. An alias that is taken is 400 `M_ROOM_IN_USE`.
    pub async fn create_room(&self, room: &NewRoom) -> Result<OwnedRoomId, MatrixError> {
        let endpoint = Endpoint::CreateRoom;
        let raw = |value: &Value| to_raw_value(value).map_err(|source| unwritable(endpoint, source));
        let mut request = create_room::v3::Request::new();
        request.preset = Some(create_room::v3::RoomPreset::PublicChat);
        request.room_alias_name = Some(room.alias.clone());
        request.name = Some(room.name.clone());
        request.creation_content = Some(Raw::from_json(raw(&room.creation)?));
        if let Some(levels) = &room.power_levels {
            request.power_level_content_override = Some(Raw::from_json(raw(levels)?));
        }
        request.invite.clone_from(&room.invite);
        for (event_type, content) in &room.state {
            let event = json!({ "type": event_type, "state_key": "", "content": content });
            request.initial_state.push(Raw::from_json(raw(&event)?));
        }
        let answer = self.call_as(endpoint, self.bot(), request).await?;
        Ok(answer.room_id)
    }
}
