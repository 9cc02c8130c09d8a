//! What a room allows, as far as linking and sending need it.

use ruma::{
    OwnedUserId, RoomId, RoomVersionId, UserId,
    api::client::state::get_state_event_for_key::v3::StateEventFormat,
    events::{
        MessageLikeEventType, StateEventType,
        room::power_levels::{RoomPowerLevels, RoomPowerLevelsEventContent, RoomPowerLevelsSource},
    },
    room_version_rules::RoomVersionRules,
};
use serde::Deserialize;

use crate::matrix::{Endpoint, MatrixClient, MatrixError, transport::unreadable};

/// What a room allows.
#[derive(Debug, Clone)]
pub struct RoomAccess {
    /// The room's version; from 12 on its creators may do everything.
    pub version: RoomVersionId,
    /// Whether events in it are encrypted: such a room cannot be bridged.
    pub encrypted: bool,
    power_levels: RoomPowerLevels,
}

impl RoomAccess {
    /// Whether a member's power suffices to send `m.room.message`.
    pub fn may_send(&self, user: &UserId) -> bool {
        self.power_levels
            .user_can_send_message(user, MessageLikeEventType::RoomMessage)
    }

    /// Whether the power that everyone has suffices to send `m.room.message`.
    pub fn everyone_may_send(&self) -> bool {
        let asked = self.power_levels.for_message(MessageLikeEventType::RoomMessage);
        asked <= self.power_levels.users_default
    }

    /// Whether a member's power suffices to change how the room is bridged: to send the state that says so.
    pub fn may_change_state(&self, user: &UserId) -> bool {
        self.power_levels
            .user_can_send_state(user, StateEventType::from("m.bridge"))
    }

    /// Whether a member's power suffices to invite.
    pub fn may_invite(&self, user: &UserId) -> bool {
        self.power_levels.user_can_invite(user)
    }

    /// Whether a member's power suffices to redact what others sent.
    pub fn may_redact_others(&self, user: &UserId) -> bool {
        self.power_levels.user_can_redact_event_of_other(user)
    }

    /// Whether the room's makers may do everything, and must not be listed among those with power.
    pub fn has_privileged_creators(&self) -> bool {
        let rules = self.version.rules().unwrap_or(RoomVersionRules::V12);
        rules.authorization.explicitly_privilege_room_creators
    }

    /// Whether a member's power suffices to notify the whole room.
    pub fn may_notify_room(&self, user: &UserId) -> bool {
        self.power_levels.user_can_trigger_room_notification(user)
    }
}

impl MatrixClient {
    /// Reads what a room allows, in three requests. The bot must be joined: 403 otherwise.
    pub async fn room_access(&self, room: &RoomId) -> Result<RoomAccess, MatrixError> {
        let create = self
            .state_as(StateEventFormat::Event, room, StateEventType::RoomCreate, "")
            .await?
            .unwrap_or_default();
        let create = CreateEvent::deserialize(create).map_err(unreadable_state)?;
        let encryption = self.state(room, StateEventType::RoomEncryption, "").await?;
        let power_levels = self
            .state(room, StateEventType::RoomPowerLevels, "")
            .await?
            .map(RoomPowerLevelsEventContent::deserialize)
            .transpose()
            .map_err(unreadable_state)?;
        Ok(access(create, encryption.is_some(), power_levels))
    }
}

/// `m.room.create` with what decides about power: its sender made the room, whatever its version.
#[derive(Deserialize)]
struct CreateEvent {
    sender: OwnedUserId,
    content: CreateContent,
}

#[derive(Deserialize)]
struct CreateContent {
    #[serde(default = "first_version")]
    room_version: RoomVersionId,
    #[serde(default)]
    additional_creators: Vec<OwnedUserId>,
}

const fn first_version() -> RoomVersionId {
    RoomVersionId::V1
}

fn access(
    create: CreateEvent,
    encrypted: bool,
    power_levels: Option<RoomPowerLevelsEventContent>,
) -> RoomAccess {
    let version = create.content.room_version;
    // A version newer than this bridge knows is judged by the newest rules known.
    let rules = version.rules().unwrap_or(RoomVersionRules::V12).authorization;
    let mut creators = vec![create.sender];
    if rules.explicitly_privilege_room_creators {
        creators.extend(create.content.additional_creators);
    }
    RoomAccess {
        version,
        encrypted,
        power_levels: RoomPowerLevels::new(RoomPowerLevelsSource::from(power_levels), &rules, creators),
    }
}

fn unreadable_state(source: serde_json::Error) -> MatrixError {
    unreadable(Endpoint::State, source)
}

#[cfg(test)]
mod tests {
    use ruma::user_id;
    use serde_json::{Value, json};

    use super::*;

    fn read(version: &str, power_levels: Option<Value>) -> RoomAccess {
        let create = json!({
            "sender": "@maker:example.org",
            "content": { "room_version": version, "additional_creators": ["@helper:example.org"] }
        });
        access(
            serde_json::from_value(create).unwrap(),
            false,
            power_levels.map(|levels| serde_json::from_value(levels).unwrap()),
        )
    }

    #[test]
    fn creators_of_version_12_may_do_everything() {
        let access = read("12", Some(json!({ "events_default": 100, "invite": 100 })));
        for creator in [user_id!("@maker:example.org"), user_id!("@helper:example.org")] {
            assert!(access.may_send(creator) && access.may_invite(creator));
        }
        assert!(!access.may_send(user_id!("@bot:example.org")));
    }

    #[test]
    fn creators_of_version_10_are_members_like_others() {
        let access = read(
            "10",
            Some(json!({ "events_default": 50, "users": { "@bot:example.org": 50 } })),
        );
        assert!(!access.may_send(user_id!("@maker:example.org")));
        assert!(access.may_send(user_id!("@bot:example.org")));
    }

    #[test]
    fn an_additional_creator_before_version_12_means_nothing() {
        let access = read("11", None);
        assert!(access.may_redact_others(user_id!("@maker:example.org")));
        assert!(!access.may_redact_others(user_id!("@helper:example.org")));
    }

    #[test]
    fn the_type_of_the_event_decides_before_the_default() {
        let levels = json!({
            "events": { "m.room.message": 10 },
            "events_default": 0,
            "invite": "50",
            "users": { "@talker:example.org": 10 },
            "notifications": { "room": 60 }
        });
        let access = read("10", Some(levels));
        assert!(access.may_send(user_id!("@talker:example.org")));
        assert!(!access.may_send(user_id!("@reader:example.org")));
        assert!(!access.everyone_may_send());
        let levels = json!({ "events_default": 20, "users_default": 20 });
        assert!(read("10", Some(levels)).everyone_may_send());
        assert!(read("12", None).everyone_may_send());
        assert!(!access.may_invite(user_id!("@talker:example.org")));
        assert!(!access.may_notify_room(user_id!("@talker:example.org")));
        assert!(!access.may_change_state(user_id!("@talker:example.org")));
    }

    #[test]
    fn a_version_from_the_future_is_judged_by_the_newest_rules() {
        let access = read("org.example.99", Some(json!({ "events_default": 100 })));
        assert!(access.may_send(user_id!("@maker:example.org")));
        assert_eq!(access.version.as_str(), "org.example.99");
    }
}
