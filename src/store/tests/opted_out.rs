//! What people said while they were opted out, on both databases.

use ruma::user_id;

use super::databases;
use crate::{
    ids::GitterRoomId,
    outcome::{Outcome, Reason},
    store::{Db, Direction, LaneKey, NewItem, inbox, lane, opt_out},
};

async fn is_out(db: &Db, said_at: i64) -> bool {
    let mut tx = db.read().await.unwrap();
    opt_out::is_out(&mut tx, "@ana:localhost", said_at).await.unwrap()
}

async fn clear(db: &Db, before: i64) {
    let mut tx = db.write().await.unwrap();
    opt_out::clear(&mut tx, before).await.unwrap();
    tx.commit().await.unwrap();
}

/// Ana is out from 10 to 20 and from 30 to 40.
async fn twice_out(db: &Db) {
    let ana = user_id!("@ana:localhost");
    for (since, until) in [(10, 20), (30, 40)] {
        let mut tx = db.write().await.unwrap();
        assert!(opt_out::opt_out(&mut tx, ana, since).await.unwrap());
        assert!(!opt_out::opt_out(&mut tx, ana, since + 1).await.unwrap());
        tx.commit().await.unwrap();
        assert!(is_out(db, 0).await, "whoever is out keeps all back");
        let mut tx = db.write().await.unwrap();
        assert!(opt_out::opt_in(&mut tx, ana, until).await.unwrap());
        assert!(!opt_out::opt_in(&mut tx, ana, until).await.unwrap());
        tx.commit().await.unwrap();
    }
}

/// Makes an item toward Gitter wait that was said then.
async fn wait(db: &Db, lane: &LaneKey, room: &GitterRoomId, said_at: i64) {
    let mut tx = db.write().await.unwrap();
    lane::make_lanes(&mut tx, room, "").await.unwrap();
    let item = NewItem {
        lane: lane.clone(),
        source_key: "$said".to_owned(),
        source_id: "$said".to_owned(),
        operation: "m.room.message".to_owned(),
        body: "{}".to_owned(),
        source_time: said_at,
        target: String::new(),
        held: false,
        outcome: None,
    };
    inbox::enqueue(&mut tx, &[item], 50).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_was_said_while_out_stays_so_as_long_as_it_may_still_cross() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        twice_out(&db).await;
        for (said_at, out) in [(10, false), (11, true), (20, true), (21, false), (35, true)] {
            assert_eq!(is_out(&db, said_at).await, out, "{said_at}");
        }
        let room: GitterRoomId = "5f0000000000000000000a01".parse().unwrap();
        let lane = LaneKey::live(Some(&room), Direction::ToGitter);
        wait(&db, &lane, &room, 35).await;
        clear(&db, 20).await;
        assert!(is_out(&db, 15).await, "too early");
        clear(&db, 100).await;
        assert!(!is_out(&db, 15).await, "nothing of that time waits");
        assert!(is_out(&db, 35).await, "something waits");
        let mut tx = db.write().await.unwrap();
        let head = inbox::head(&mut tx, &lane).await.unwrap().unwrap();
        let failed = Outcome::Failed(Reason::Forbidden, String::new());
        inbox::settle_item(&mut tx, &head, &failed, 60).await.unwrap();
        tx.commit().await.unwrap();
        clear(&db, 100).await;
        assert!(is_out(&db, 35).await, "what has failed may be tried again");
    }
}
