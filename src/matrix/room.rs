//! Rooms: who is in them and what their state says. Reading is done as the bot, which must be joined.

mod access;
mod alias;
mod ban;
mod create;
mod state;
mod successor;

use ruma::{
    EventId, OwnedMxcUri, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, UserId,
    api::client::{
        alias::get_alias,
        membership::{
            invite_user::{self, v3::InviteUserId},
            join_room_by_id, joined_members, leave_room,
        },
        receipt::create_receipt::{self, v3::ReceiptType},
        state::get_state_event_for_key::{self, v3::StateEventFormat},
    },
    events::StateEventType,
};
use serde_json::Value;

pub use self::{access::RoomAccess, ban::Membership, create::NewRoom};
use super::{Endpoint, MatrixClient, MatrixError, transport::unreadable};

/// Somebody who is joined to a room, with the profile there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// The user.
    pub user_id: OwnedUserId,
    /// The display name; none if the user has none.
    pub display_name: Option<String>,
    /// The avatar; none if the user has none.
    pub avatar: Option<OwnedMxcUri>,
}

impl MatrixClient {
    /// Invites a user to a room, as `inviter`. One who is joined already is 403 `M_FORBIDDEN`.
    pub async fn invite(&self, room: &RoomId, inviter: &UserId, user: &UserId) -> Result<(), MatrixError> {
        let recipient = InviteUserId::new(user.to_owned()).into();
        let request = invite_user::v3::Request::new(room.to_owned(), recipient);
        self.call_as(Endpoint::Invite, inviter, request).await?;
        Ok(())
    }

    /// Joins a room as a user. Joining again is success.
    pub async fn join(&self, room: &RoomId, user: &UserId) -> Result<(), MatrixError> {
        let request = join_room_by_id::v3::Request::new(room.to_owned());
        self.call_as(Endpoint::Join, user, request).await?;
        Ok(())
    }

    /// Leaves a room as a user.
    pub async fn leave(&self, room: &RoomId, user: &UserId) -> Result<(), MatrixError> {
        let request = leave_room::v3::Request::new(room.to_owned());
        self.call_as(Endpoint::Leave, user, request).await?;
        Ok(())
    }

    /// Moves the bot's public read receipt to an event, in and outside threads.
    pub async fn acknowledge(&self, room: &RoomId, event: &EventId) -> Result<(), MatrixError> {
        let request = create_receipt::v3::Request::new(room.to_owned(), ReceiptType::Read, event.to_owned());
        self.call_as(Endpoint::Receipt, self.bot(), request).await?;
        Ok(())
    }

    /// The room that an alias points to; none if there is no such alias.
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<Option<OwnedRoomId>, MatrixError> {
        let request = get_alias::v3::Request::new(alias.to_owned());
        let answer = self.call(Endpoint::ResolveAlias, request).await;
        Ok(found(answer)?.map(|answer| answer.room_id))
    }

    /// Everybody who is joined to a room, in the order of their ids.
    pub async fn joined_members(&self, room: &RoomId) -> Result<Vec<JoinedMember>, MatrixError> {
        let request = joined_members::v3::Request::new(room.to_owned());
        let answer = self.call_as(Endpoint::JoinedMembers, self.bot(), request).await?;
        let members = answer.joined.into_iter().map(|(user_id, profile)| JoinedMember {
            user_id,
            display_name: profile.display_name,
            avatar: profile.avatar_url,
        });
        Ok(members.collect())
    }

    /// The content of a room's current state; none if it was never set.
    pub async fn state(
        &self,
        room: &RoomId,
        event_type: StateEventType,
        state_key: &str,
    ) -> Result<Option<Value>, MatrixError> {
        self.state_as(StateEventFormat::Content, room, event_type, state_key)
            .await
    }

    /// A room's current state, as its content or as the whole event.
    async fn state_as(
        &self,
        format: StateEventFormat,
        room: &RoomId,
        event_type: StateEventType,
        state_key: &str,
    ) -> Result<Option<Value>, MatrixError> {
        let endpoint = Endpoint::State;
        let mut request =
            get_state_event_for_key::v3::Request::new(room.to_owned(), event_type, state_key.to_owned());
        request.format = format;
        let answer = self.call_as(endpoint, self.bot(), request).await;
        found(answer)?
            .map(|answer| serde_json::from_str(answer.event_or_content.get()))
            .transpose()
            .map_err(|source| unreadable(endpoint, source))
    }
}

/// An answer, or none where the homeserver says that there is no such thing. A 404 of another kind, such as
/// that of a proxy, stays an error.
pub(super) fn found<T>(answer: Result<T, MatrixError>) -> Result<Option<T>, MatrixError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is("M_NOT_FOUND") => Ok(None),
        Err(error) => Err(error),
    }
}
