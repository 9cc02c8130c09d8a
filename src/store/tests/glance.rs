//! All rooms at a glance, on both databases; and that no more is read for it than is shown.

use sqlx::SqlSafeStr as _;

use super::databases;
use crate::{
    ids::GitterRoomId,
    outcome::{Outcome, Reason},
    store::{
        Db, Direction, LaneKey, NewItem,
        db::Open,
        inbox, lane, ledger,
        overview::{self, Failed, Settled},
    },
};

const MINUTE: i64 = 60_000;

fn room(number: u8) -> GitterRoomId {
    format!("5f0000000000000000000a{number:02}").parse().unwrap()
}

/// Accepts an event of a room at a time, and gives it its outcome a minute later, if any.
async fn item(db: &Db, room: &GitterRoomId, source: &str, accepted: i64, outcome: Option<Outcome>) {
    let key = LaneKey::live(Some(room), Direction::ToGitter);
    let item = NewItem {
        lane: key.clone(),
        source_key: source.to_owned(),
        source_id: source.to_owned(),
        operation: "m.room.message".to_owned(),
        body: "{}".to_owned(),
        source_time: 0,
        target: String::new(),
        held: false,
        outcome: None,
    };
    let mut tx = db.write().await.unwrap();
    inbox::enqueue(&mut tx, &[item], accepted).await.unwrap();
    if let Some(outcome) = outcome {
        let head = inbox::head(&mut tx, &key).await.unwrap().unwrap();
        inbox::settle_item(&mut tx, &head, &outcome, accepted + MINUTE)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

/// What happened in two rooms.
async fn fill(db: &Db) {
    let mut tx = db.write().await.unwrap();
    for number in [1, 2] {
        lane::make_lanes(&mut tx, &room(number), "").await.unwrap();
    }
    tx.commit().await.unwrap();
    let failed = || Some(Outcome::Failed(Reason::Forbidden, String::new()));
    let skipped = |reason| Some(Outcome::Skipped(reason, String::new()));
    item(db, &room(1), "$old", 0, Some(Outcome::Bridged)).await;
    item(db, &room(1), "$one", 9 * MINUTE, Some(Outcome::Bridged)).await;
    item(db, &room(1), "$two", 13 * MINUTE, Some(Outcome::Bridged)).await;
    item(db, &room(1), "$echo", 13 * MINUTE, skipped(Reason::OwnEcho)).await;
    item(db, &room(1), "$empty", 14 * MINUTE, skipped(Reason::Empty)).await;
    item(db, &room(2), "$first", 0, failed()).await;
    item(db, &room(2), "$last", 20 * MINUTE, failed()).await;
    item(db, &room(1), "$between", 10 * MINUTE, failed()).await;
    item(db, &room(2), "$waits", 21 * MINUTE, None).await;
    item(db, &room(2), "$too", 22 * MINUTE, None).await;
}

#[tokio::test]
async fn everything_is_counted_room_by_room() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        fill(&db).await;
        let mut tx = db.read().await.unwrap();
        let open = overview::open(&mut tx).await.unwrap();
        let [open] = open.as_slice() else {
            panic!("{open:?}");
        };
        assert_eq!((open.room.as_str(), open.count), (room(2).as_str(), 2));
        assert_eq!(open.oldest, 21 * MINUTE);

        let mut failed = overview::failed(&mut tx).await.unwrap();
        failed.sort_by(|one, other| one.room.cmp(&other.room));
        let expected = [(1, 1), (2, 2)].map(|(number, count)| Failed {
            room: room(number).to_string(),
            direction: Direction::ToGitter,
            count,
        });
        assert_eq!(failed, expected);

        let mut settled = overview::settled(&mut tx, 10 * MINUTE, 5 * MINUTE).await.unwrap();
        settled.sort_by(|one, other| {
            (&one.room, one.slot, &one.outcome).cmp(&(&other.room, other.slot, &other.outcome))
        });
        let expected = [
            (1, "bridged", 0, 2),
            (1, "failed", 0, 1),
            (1, "skipped", 1, 1),
            (2, "failed", 2, 1),
        ];
        let expected = expected.map(|(number, outcome, slot, count)| Settled {
            room: room(number).to_string(),
            direction: Direction::ToGitter,
            outcome: outcome.to_owned(),
            slot,
            count,
        });
        assert_eq!(settled, expected);

        let last = ledger::failed_last(&mut tx, 2).await.unwrap();
        let last: Vec<&str> = last.iter().map(|entry| entry.source_id.as_str()).collect();
        assert_eq!(last, ["$last", "$between"]);
    }
}

/// The inbox is large: what was settled long ago must not be gone through each time that somebody looks.
#[tokio::test]
async fn what_is_asked_each_time_is_found_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let statements = overview::STATEMENTS.iter().chain(ledger::STATEMENTS);
    let mut looked_at = 0;
    for db in databases(&folder).await {
        let Open::Sqlite(tx) = &mut db.write().await.unwrap().open else {
            continue;
        };
        for (name, sql) in statements.clone() {
            let index = match *name {
                "OPEN" if sql.contains("GROUP BY") => "SCAN inbox USING INDEX inbox_open",
                "FAILED" if sql.contains("GROUP BY") => "SCAN inbox USING INDEX inbox_failed",
                "SETTLED" => "SEARCH inbox USING COVERING INDEX inbox_settled (settled_at>?)",
                "FAILED_LATELY" => "SEARCH inbox USING INDEX inbox_failed_at (settled_at>?)",
                "FAILED_LAST" => "SCAN inbox USING INDEX inbox_failed_at",
                _ => continue,
            };
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")).into_sql_str();
            let plan: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(explain).fetch_all(&mut **tx).await.unwrap();
            // Newer ones see that some need not even the items.
            let covering = index.replace("USING INDEX", "USING COVERING INDEX");
            assert!(
                plan.iter().any(|(.., step)| step == index || *step == covering),
                "{name}: {plan:?}"
            );
            looked_at += 1;
        }
    }
    assert_eq!(looked_at, 5);
}
