//! What is left of portals is worked at by one process at a time.

use super::{super::leaving::*, databases};

#[tokio::test]
async fn what_is_left_is_claimed_by_one() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        let left = Leaving {
            gitter_room_id: "5f0000000000000000000a01".parse().unwrap(),
            matrix_room_id: "!pier:example.org".try_into().unwrap(),
            gitter_uri: "tidepool/pier".to_owned(),
            cause: Cause::Unlinked,
            ghosts: vec!["@gitter_wren-1:example.org".try_into().unwrap()],
            noted_at: 1_000,
        };
        note(&mut tx, &left).await.unwrap();
        assert_eq!(due(&mut tx, 999).await.unwrap(), [], "whoever noted it is at it");
        assert_eq!(due(&mut tx, 1_000).await.unwrap(), [(left.clone(), 1_000)]);

        assert!(claim(&mut tx, &left, 1_000, 2_000).await.unwrap());
        assert!(!claim(&mut tx, &left, 1_000, 2_001).await.unwrap(), "it is taken");
        assert_eq!(due(&mut tx, 1_999).await.unwrap(), []);
        release(&mut tx, &left, 1_000).await.unwrap();
        assert_eq!(due(&mut tx, 1_999).await.unwrap(), [], "it is another's");
        release(&mut tx, &left, 2_000).await.unwrap();
        assert_eq!(due(&mut tx, 0).await.unwrap(), [(left.clone(), 0)]);

        let again = Leaving {
            noted_at: 3_000,
            ..left.clone()
        };
        note(&mut tx, &again).await.unwrap();
        assert!(
            !claim(&mut tx, &left, 3_000, 4_000).await.unwrap(),
            "it ended anew"
        );
        done(&mut tx, &again).await.unwrap();
        assert!(!claim(&mut tx, &again, 3_000, 4_000).await.unwrap());
    }
}
