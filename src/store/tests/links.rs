//! What signed links lead to.

use ruma::RoomId;

use super::{super::media::*, databases};
use crate::ids::{GitterRoomId, MediaId, MediaPurpose};

fn id(byte: u8) -> MediaId {
    MediaId::from_bytes([byte; 12])
}

fn avatar_of(user: &str) -> NewMedia<'_> {
    NewMedia {
        purpose: MediaPurpose::Avatar,
        gitter_room_id: None,
        matrix_room_id: None,
        owner: user,
        mxc: "mxc://example.org/a",
        file_name: "avatar",
        content_type: "",
        encryption: "",
        body: "",
    }
}

#[tokio::test]
async fn links_are_stable_and_end_with_their_event_or_room() {
    let folder = tempfile::tempdir().unwrap();
    let gitter: GitterRoomId = "5f0000000000000000000a01".parse().unwrap();
    let matrix = RoomId::parse("!r:example.org").unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        let file = NewMedia {
            purpose: MediaPurpose::Media,
            gitter_room_id: Some(&gitter),
            matrix_room_id: Some(&matrix),
            owner: "$e1",
            mxc: "mxc://example.org/a",
            file_name: "a.png",
            content_type: "image/png",
            encryption: "{}",
            body: "",
        };
        let made = make_or_find(&mut tx, &id(1), &file, 7).await.unwrap();
        assert_eq!(
            (&made.id, made.state, made.created_at),
            (&id(1), MediaState::Live, 7)
        );
        let found = make_or_find(&mut tx, &id(2), &file, 8).await.unwrap();
        assert_eq!(found, made);
        assert_eq!(by_id(&mut tx, &id(2)).await.unwrap(), None);

        let text = NewMedia {
            purpose: MediaPurpose::FullText,
            owner: "$e2",
            mxc: "",
            body: "all of it",
            ..file
        };
        make_or_find(&mut tx, &id(3), &text, 9).await.unwrap();
        make_or_find(&mut tx, &id(4), &avatar_of("@ana:example.org"), 9)
            .await
            .unwrap();

        suspend(&mut tx, &gitter).await.unwrap();
        let states = async |tx: &mut _| {
            let mut states = Vec::new();
            for byte in [1, 3, 4] {
                states.push(by_id(tx, &id(byte)).await.unwrap().unwrap().state.as_str());
            }
            states
        };
        assert_eq!(states(&mut tx).await, ["suspended", "suspended", "live"]);
        let revoked = revoke_by_event(&mut tx, &matrix, "$e1").await.unwrap();
        assert_eq!(revoked, [id(1)]);
        resume(&mut tx, &gitter).await.unwrap();
        assert_eq!(states(&mut tx).await, ["revoked", "live", "live"]);
        let found = make_or_find(&mut tx, &id(5), &file, 10).await.unwrap();
        assert_eq!((found.id, found.state), (id(1), MediaState::Revoked));

        let of_room = revoke(&mut tx, Ended::Room(gitter.as_str())).await.unwrap();
        assert_eq!(of_room, [id(3)], "the other has ended already");
        let gone = by_id(&mut tx, &id(3)).await.unwrap().unwrap();
        assert_eq!((gone.body.as_str(), gone.file_name.as_str()), ("", ""));
        assert_eq!(revoke(&mut tx, Ended::Link(&id(4))).await.unwrap(), [id(4)]);
        assert_eq!(revoke(&mut tx, Ended::Link(&id(9))).await.unwrap(), []);
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn links_end_by_file_by_event_and_by_either_room() {
    let folder = tempfile::tempdir().unwrap();
    let gitter: GitterRoomId = "5f0000000000000000000a01".parse().unwrap();
    let matrix = RoomId::parse("!r:example.org").unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        for (number, owner, mxc) in [
            (1, "$e1", "mxc://example.org/a"),
            (2, "$e2", "mxc://example.org/a"),
            (3, "$e2", "mxc://example.org/b"),
            (4, "$e3", "mxc://example.org/b"),
        ] {
            let file = NewMedia {
                gitter_room_id: Some(&gitter),
                matrix_room_id: Some(&matrix),
                purpose: MediaPurpose::Media,
                mxc,
                ..avatar_of(owner)
            };
            make_or_find(&mut tx, &id(number), &file, 7).await.unwrap();
        }
        for (number, user) in [(5, "@ana:example.org"), (6, "@ben:example.org")] {
            make_or_find(&mut tx, &id(number), &avatar_of(user), 7)
                .await
                .unwrap();
        }
        for (ended, expected) in [
            (Ended::Event("$e2"), vec![id(2), id(3)]),
            (Ended::File("mxc://example.org/a"), vec![id(1), id(5), id(6)]),
            (Ended::Room("!r:example.org"), vec![id(4)]),
            (Ended::Room(gitter.as_str()), vec![]),
        ] {
            let mut found = revoke(&mut tx, ended).await.unwrap();
            found.sort_by_key(|id| *id.as_bytes());
            assert_eq!(found, expected, "{ended:?}");
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn an_upload_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        let url = "https://files.gitter.im/a/b/c.png";
        assert_eq!(upload(&mut tx, url).await.unwrap(), None);
        for mxc in ["mxc://a/1", "mxc://a/2"] {
            let uploaded = Upload {
                mxc: mxc.to_owned(),
                content: "{}".to_owned(),
            };
            record_upload(&mut tx, url, &uploaded, 1).await.unwrap();
            assert_eq!(upload(&mut tx, url).await.unwrap(), Some(uploaded));
        }
    }
}
