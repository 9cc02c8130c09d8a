//! What waits behind an item and changes it, on both databases.

use std::collections::BTreeSet;

use super::databases;
use crate::{
    ids::GitterRoomId,
    outcome::{Outcome, Reason},
    store::{Direction, Item, LaneKey, NewAttempt, NewItem, Tx, attempt, deleted, fold, inbox, lane},
};

fn room() -> GitterRoomId {
    "5f0000000000000000000a01".parse().unwrap()
}

fn key() -> LaneKey {
    LaneKey::live(Some(&room()), Direction::ToGitter)
}

fn item(source: &str, operation: &str, target: &str) -> NewItem {
    NewItem {
        lane: key(),
        source_key: source.to_owned(),
        source_id: source.to_owned(),
        operation: operation.to_owned(),
        body: format!("\"said by {source}\""),
        source_time: 0,
        target: target.to_owned(),
        held: false,
        outcome: None,
    }
}

/// A message, its edits, a redaction of one, and others between them; the message's item is the head.
async fn lane_of_changes(tx: &mut Tx) -> Item {
    lane::make_lanes(tx, &room(), "").await.unwrap();
    let items = [
        item("$a", "m.room.message", ""),
        item("$b", "m.room.message", "$a"),
        item("$other", "m.room.message", "$old"),
        item("$c", "m.room.message", "$a"),
        item("$r", "m.room.redaction", "$c"),
    ];
    inbox::enqueue(tx, &items, 1).await.unwrap();
    inbox::head(tx, &key()).await.unwrap().unwrap()
}

async fn changes(tx: &mut Tx, behind: i64, limit: i64) -> Vec<String> {
    let found = fold::waiting_changes(tx, &key(), behind, "$a", limit)
        .await
        .unwrap();
    found.into_iter().map(|item| item.source_id).collect()
}

fn superseded() -> Outcome {
    Outcome::Skipped(Reason::Superseded, String::new())
}

#[tokio::test]
async fn changes_of_a_message_are_found_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        let head = lane_of_changes(&mut tx).await;
        assert_eq!(changes(&mut tx, head.number, 10).await, ["$b", "$c", "$r"]);
        assert_eq!(changes(&mut tx, head.number, 2).await, ["$b", "$c"]);
        let found = fold::waiting_changes(&mut tx, &key(), head.number, "$a", 10)
            .await
            .unwrap();
        assert_eq!(
            changes(&mut tx, found[0].number, 10).await,
            ["$c", "$r"],
            "behind the first"
        );
        fold::fold_into(&mut tx, &found[0], &head).await.unwrap();
        inbox::settle_item(&mut tx, &found[0], &superseded(), 2)
            .await
            .unwrap();
        assert_eq!(changes(&mut tx, head.number, 10).await, ["$c", "$r"]);
        let folded = fold::folded_into(&mut tx, &head).await.unwrap();
        let folded: Vec<&str> = folded.iter().map(|item| item.source_id.as_str()).collect();
        assert_eq!(folded, ["$b"]);
    }
}

#[tokio::test]
async fn edits_are_no_speech() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        let head = lane_of_changes(&mut tx).await;
        assert!(fold::speech_waits(&mut tx, &head).await.unwrap(), "the redaction");
        for change in fold::waiting_changes(&mut tx, &key(), head.number, "$a", 10)
            .await
            .unwrap()
        {
            inbox::settle_item(&mut tx, &change, &superseded(), 2)
                .await
                .unwrap();
        }
        assert!(
            !fold::speech_waits(&mut tx, &head).await.unwrap(),
            "the edit of another"
        );
        inbox::enqueue(&mut tx, &[item("$d", "m.room.message", "")], 3)
            .await
            .unwrap();
        assert!(fold::speech_waits(&mut tx, &head).await.unwrap());
    }
}

#[tokio::test]
async fn what_went_out_with_another_is_forgotten_with_it_and_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        for forgotten in ["$a", "$b"] {
            let mut tx = db.write().await.unwrap();
            let head = lane_of_changes(&mut tx).await;
            let frozen = NewAttempt {
                action: "\"said by $a and $b\"".to_owned(),
                author: "ana".to_owned(),
            };
            attempt::freeze(&mut tx, &head, &[frozen]).await.unwrap();
            let edit = fold::waiting_changes(&mut tx, &key(), head.number, "$a", 1)
                .await
                .unwrap()
                .remove(0);
            fold::fold_into(&mut tx, &edit, &head).await.unwrap();
            for item in [&edit, &head] {
                inbox::settle_item(&mut tx, item, &superseded(), 2).await.unwrap();
            }
            deleted::forget(&mut tx, &BTreeSet::from([forgotten.to_owned()]))
                .await
                .unwrap();
            let folded = fold::folded_into(&mut tx, &head).await.unwrap();
            assert_eq!(folded[0].body, "{}");
            let attempts = attempt::attempts_of(&mut tx, &key(), head.number).await.unwrap();
            assert_eq!(attempts[0].action, "{}");
        }
    }
}
