//! Bans, made and lifted as the bot.

use ruma::{
    OwnedUserId, RoomId, UserId,
    api::client::{
        membership::{ban_user, unban_user},
        state::get_state_event_for_key::v3::StateEventFormat,
    },
    events::StateEventType,
};
use serde_json::Value;

use crate::matrix::{Endpoint, MatrixClient, MatrixError};

/// Where somebody stands in a room, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// `join`, `invite`, `leave`, `ban` or `knock`; `leave` for who never was there.
    pub membership: String,
    /// Who made it so.
    pub by: Option<OwnedUserId>,
}

impl Membership {
    /// Whether they are banned.
    pub fn is_ban(&self) -> bool {
        self.membership == "ban"
    }
}

impl MatrixClient {
    /// Where a user stands in a room.
    pub async fn membership(&self, room: &RoomId, user: &UserId) -> Result<Membership, MatrixError> {
        let event = self
            .state_as(
                StateEventFormat::Event,
                room,
                StateEventType::RoomMember,
                user.as_str(),
            )
            .await?
            .unwrap_or_default();
        let membership = event.pointer("/content/membership").and_then(Value::as_str);
        let by = event.get("sender").and_then(Value::as_str);
        Ok(Membership {
            membership: membership.unwrap_or("leave").to_owned(),
            by: by.and_then(|by| UserId::parse(by).ok()),
        })
    }

    /// Bans a user from a room. Without the power to it: 403 `M_FORBIDDEN`.
    pub async fn ban(&self, room: &RoomId, user: &UserId, reason: &str) -> Result<(), MatrixError> {
        let mut request = ban_user::v3::Request::new(room.to_owned(), user.to_owned());
        request.reason = Some(reason.to_owned());
        self.call_as(Endpoint::Ban, self.bot(), request).await?;
        Ok(())
    }

    /// Lifts a user's ban. Without the power to it, or where there is none: 403.
    pub async fn unban(&self, room: &RoomId, user: &UserId) -> Result<(), MatrixError> {
        let request = unban_user::v3::Request::new(room.to_owned(), user.to_owned());
        self.call_as(Endpoint::Unban, self.bot(), request).await?;
        Ok(())
    }
}
