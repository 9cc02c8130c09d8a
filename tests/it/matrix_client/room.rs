//! Memberships, aliases, state.

use gitter_matrix_bridge::matrix::JoinedMember;
use ruma::{RoomVersionId, events::StateEventType, room_alias_id, room_id};
use serde_json::json;

use super::Setup;
use crate::homeserver::RoomOptions;

#[tokio::test]
async fn a_ghost_joins_a_private_room_only_when_invited() {
    let setup = Setup::start().await;
    let client = &setup.client;
    let ana = setup.homeserver.make_user("ana", "Ana");
    let room = setup.homeserver.make_room(
        &ana,
        &RoomOptions {
            private: true,
            version: Some("10"),
            ..RoomOptions::default()
        },
    );
    assert!(
        client
            .join(&room, client.bot())
            .await
            .unwrap_err()
            .is("M_FORBIDDEN")
    );
    setup.homeserver.invite(&room, &ana, client.bot());
    client.join(&room, client.bot()).await.unwrap();
    client.join(&room, client.bot()).await.unwrap();

    let ghost = ruma::user_id!("@gitter_wren-1:localhost");
    client.register(ghost).await.unwrap();
    client.invite(&room, client.bot(), ghost).await.unwrap();
    client.join(&room, ghost).await.unwrap();
    let again = client.invite(&room, client.bot(), ghost).await.unwrap_err();
    assert!(again.is("M_FORBIDDEN"), "{again}");
    client.leave(&room, ghost).await.unwrap();
    assert!(client.join(&room, ghost).await.unwrap_err().is("M_FORBIDDEN"));
}

#[tokio::test]
async fn members_are_listed_with_their_profiles() {
    let setup = Setup::start().await;
    let (room, ana) = setup.room(RoomOptions::default()).await;
    let bo = setup.homeserver.make_user("bo", "Bo");
    setup.homeserver.join(&room, &bo);
    let member = |user_id: &ruma::UserId, name: &str| JoinedMember {
        user_id: user_id.to_owned(),
        display_name: Some(name.to_owned()),
        avatar: None,
    };
    assert_eq!(
        setup.client.joined_members(&room).await.unwrap(),
        [
            member(&ana, "Ana"),
            member(&bo, "Bo"),
            member(setup.client.bot(), "gitterbot")
        ]
    );
}

#[tokio::test]
async fn an_alias_is_resolved_or_is_not_there() {
    let setup = Setup::start().await;
    let alias = room_alias_id!("#har/bour:localhost");
    assert_eq!(setup.client.resolve_alias(alias).await.unwrap(), None);
    let ana = setup.homeserver.make_user("ana", "Ana");
    let room = setup.homeserver.make_room(
        &ana,
        &RoomOptions {
            alias: Some(alias.to_owned()),
            ..RoomOptions::default()
        },
    );
    assert_eq!(setup.client.resolve_alias(alias).await.unwrap(), Some(room));
}

#[tokio::test]
async fn state_is_read_where_the_bot_is_joined() {
    let setup = Setup::start().await;
    let (room, ana) = setup
        .room(RoomOptions {
            name: Some("Harbour".to_owned()),
            ..RoomOptions::default()
        })
        .await;
    let state = async |event_type: &str, key: &str| {
        setup
            .client
            .state(&room, StateEventType::from(event_type), key)
            .await
            .unwrap()
    };
    assert_eq!(state("m.room.name", "").await, Some(json!({ "name": "Harbour" })));
    assert_eq!(state("m.bridge", "x/y").await, None);
    setup
        .homeserver
        .set_state(&room, &ana, "m.bridge", "x/y", json!({ "a": 1 }));
    assert_eq!(state("m.bridge", "x/y").await, Some(json!({ "a": 1 })));

    let elsewhere = room_id!("!elsewhere");
    let error = setup
        .client
        .state(elsewhere, StateEventType::RoomName, "")
        .await
        .unwrap_err();
    assert!(error.is("M_FORBIDDEN"), "{error}");
}

#[tokio::test]
async fn what_a_room_allows_is_read_from_its_state() {
    let setup = Setup::start().await;
    for version in ["10", "12"] {
        let (room, ana) = setup
            .room(RoomOptions {
                version: Some(version),
                ..RoomOptions::default()
            })
            .await;
        let bot = setup.client.bot();
        let before = setup.client.room_access(&room).await.unwrap();
        assert_eq!(before.version, RoomVersionId::try_from(version).unwrap());
        assert!(before.may_send(bot) && before.may_invite(bot) && !before.may_redact_others(bot));
        assert!(before.may_redact_others(&ana) && before.may_notify_room(&ana));
        assert!(!before.encrypted);

        let levels = json!({ "events_default": 10, "invite": 50, "users": {} });
        setup
            .homeserver
            .set_state(&room, &ana, "m.room.power_levels", "", levels);
        if version == "12" {
            let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
            setup
                .homeserver
                .set_state(&room, &ana, "m.room.encryption", "", encryption);
        }
        let after = setup.client.room_access(&room).await.unwrap();
        assert!(!after.may_send(bot) && !after.may_invite(bot));
        assert_eq!(after.may_send(&ana), version == "12");
        assert_eq!(after.encrypted, version == "12");
    }
}
