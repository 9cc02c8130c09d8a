//! What the ledger keeps, and for how long, on both databases.

use super::databases;
use crate::{
    ids::GitterRoomId,
    outcome::{Outcome, Reason},
    store::{
        Db, Direction, LaneKey, NewAttempt, NewItem, attempt, inbox, lane,
        ledger::{self, Place},
        retention::{self, Horizons},
    },
};

/// Long ago, when everything was settled.
const LONG_AGO: i64 = 1_000;

/// A message made in this second.
fn message(second: u32) -> String {
    format!("{second:08x}000000000000000a")
}

fn room() -> GitterRoomId {
    "5f0000000000000000000a01".parse().unwrap()
}

fn place(direction: Direction, number: i64) -> Place {
    Place {
        lane: LaneKey::live(Some(&room()), direction),
        number,
    }
}

/// Settles so many messages in each lane, each an hour after the one before.
async fn fill(db: &Db, count: u32) {
    let mut tx = db.write().await.unwrap();
    lane::make_lanes(&mut tx, &room(), "").await.unwrap();
    for direction in [Direction::ToGitter, Direction::ToMatrix] {
        for number in 1..=count {
            let source = message(number * 3_600);
            let item = NewItem {
                lane: LaneKey::live(Some(&room()), direction),
                source_key: source.clone(),
                source_id: source,
                operation: "create".to_owned(),
                body: r#"{"text":"said"}"#.to_owned(),
                source_time: 0,
                target: String::new(),
                held: false,
                outcome: None,
            };
            inbox::enqueue(&mut tx, &[item], LONG_AGO).await.unwrap();
            let head = inbox::head(&mut tx, &LaneKey::live(Some(&room()), direction))
                .await
                .unwrap()
                .unwrap();
            let action = NewAttempt {
                action: "{}".to_owned(),
                author: "ana".to_owned(),
            };
            attempt::freeze(&mut tx, &head, &[action]).await.unwrap();
            let outcome = match number {
                2 => Outcome::Failed(Reason::Forbidden, String::new()),
                3 => Outcome::Skipped(Reason::DroppedByOperator, String::new()),
                _ => Outcome::Bridged,
            };
            inbox::settle_item(&mut tx, &head, &outcome, LONG_AGO)
                .await
                .unwrap();
        }
    }
    lane::advance_cursor(&mut tx, &room(), &message(count * 3_600))
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Goes through everything, a few items at a time; gives how many went.
async fn pass(db: &Db, horizons: Horizons) -> usize {
    let (mut gone, mut last) = (0, None);
    loop {
        let mut tx = db.write().await.unwrap();
        let old = retention::old_items(&mut tx, horizons.forget, last.as_ref(), 7)
            .await
            .unwrap();
        let Some(newest) = old.last() else {
            return gone;
        };
        last = Some(newest.clone());
        for direction in [Direction::ToGitter, Direction::ToMatrix] {
            let lane = LaneKey::live(Some(&room()), direction);
            let mut items = old.clone();
            items.retain(|item| item.place.lane == lane);
            gone += retention::clear(&mut tx, &lane, &items, horizons).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

/// Whether an item is there, and whether it is forgotten.
async fn state(db: &Db, direction: Direction, number: i64) -> Option<bool> {
    let mut tx = db.read().await.unwrap();
    let place = place(direction, number);
    let attempts = attempt::attempts_of(&mut tx, &place.lane, number).await.unwrap();
    let entry = ledger::entry(&mut tx, &place).await.unwrap();
    let forgotten = entry.map(|entry| entry.forgotten);
    assert_eq!(
        attempts.is_empty(),
        forgotten != Some(false),
        "{direction:?} {number}"
    );
    forgotten
}

#[tokio::test]
async fn old_items_go_but_for_what_may_be_needed() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        fill(&db, 60).await;
        let nothing = Horizons {
            forget: LONG_AGO,
            remove: LONG_AGO,
        };
        assert_eq!(pass(&db, nothing).await, 0, "nothing is old enough");
        let all = Horizons {
            forget: LONG_AGO + 1,
            remove: LONG_AGO + 1,
        };
        // Of each lane the last 50 stay, and of the ten before them those that failed; what was dropped could come
        // again from Gitter.
        assert_eq!(pass(&db, all).await, 9 + 8);
        assert_eq!(pass(&db, all).await, 0);
        for direction in [Direction::ToGitter, Direction::ToMatrix] {
            assert_eq!(state(&db, direction, 1).await, None);
            assert_eq!(state(&db, direction, 2).await, Some(false), "it has failed");
            assert_eq!(state(&db, direction, 10).await, None);
            assert_eq!(state(&db, direction, 11).await, Some(true));
            assert_eq!(state(&db, direction, 60).await, Some(true));
        }
        assert_eq!(state(&db, Direction::ToGitter, 3).await, None);
        assert_eq!(state(&db, Direction::ToMatrix, 3).await, Some(true));
    }
}

#[tokio::test]
async fn what_tells_repeats_stays_longer_than_what_was_said() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        fill(&db, 60).await;
        let horizons = Horizons {
            forget: LONG_AGO + 1,
            remove: LONG_AGO,
        };
        assert_eq!(pass(&db, horizons).await, 0);
        assert_eq!(state(&db, Direction::ToMatrix, 1).await, Some(true));
        assert_eq!(state(&db, Direction::ToMatrix, 2).await, Some(false));
    }
}

#[tokio::test]
async fn what_catch_up_may_find_again_stays() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        fill(&db, 60).await;
        let mut tx = db.write().await.unwrap();
        // The cursor never goes back; a lane that is made anew begins where the rooms were linked again.
        lane::make_lanes(&mut tx, &room(), &message(5 * 3_600))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let all = Horizons {
            forget: LONG_AGO + 1,
            remove: LONG_AGO + 1,
        };
        pass(&db, all).await;
        assert_eq!(state(&db, Direction::ToMatrix, 4).await, None);
        assert_eq!(
            state(&db, Direction::ToMatrix, 5).await,
            Some(true),
            "it is the cursor"
        );
        assert_eq!(state(&db, Direction::ToMatrix, 6).await, Some(true));
    }
}
