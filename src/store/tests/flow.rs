//! Lanes, claims, the inbox and attempts, on both databases.

use super::databases;
use crate::{
    ids::{GitterRoomId, GitterUserId},
    outcome::{Outcome, Reason},
    store::{
        AttemptState, Db, Direction, Item, Lane, LaneKey, NewAttempt, NewItem, Portal, PortalKind,
        PortalState,
        account::{Account, record_account},
        attempt, inbox,
        lane::{self, ClaimRequest, NEVER},
        life::{self, StopCause},
        portal,
    },
};

fn room() -> GitterRoomId {
    "5f0000000000000000000a01".parse().unwrap()
}

fn account() -> GitterUserId {
    "5f0000000000000000000c99".parse().unwrap()
}

fn key(direction: Direction) -> LaneKey {
    LaneKey::live(Some(&room()), direction)
}

fn item(source: &str, source_time: i64, held: bool) -> NewItem {
    NewItem {
        lane: key(Direction::ToMatrix),
        source_key: source.to_owned(),
        source_id: source.to_owned(),
        operation: "create".to_owned(),
        body: "{}".to_owned(),
        source_time,
        target: String::new(),
        held,
        outcome: None,
    }
}

#[tokio::test]
async fn held_items_are_let_go_in_the_order_they_were_made_in() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        lane::make_lanes(&mut tx, &room(), "").await.unwrap();
        let live = [item("c", 30, true), item("d", 40, true)];
        assert_eq!(inbox::enqueue(&mut tx, &live, 1).await.unwrap(), 2);
        let fetched = [item("a", 10, true), item("b", 20, true), item("c", 30, true)];
        assert_eq!(
            inbox::enqueue(&mut tx, &fetched, 2).await.unwrap(),
            2,
            "c is a repeat"
        );
        let lane = key(Direction::ToMatrix);
        assert!(inbox::head(&mut tx, &lane).await.unwrap().is_none());
        assert_eq!(inbox::release_held(&mut tx, &room(), 3).await.unwrap(), 4);
        inbox::enqueue(&mut tx, &[item("e", 5, false)], 4).await.unwrap();
        let mut seen = Vec::new();
        while let Some(head) = inbox::head(&mut tx, &lane).await.unwrap() {
            inbox::settle_item(&mut tx, &head, &Outcome::Bridged, 5)
                .await
                .unwrap();
            seen.push(head.source_key);
        }
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    }
}

/// A portal with both its lanes.
async fn make_portal(db: &Db) {
    let mut tx = db.write().await.unwrap();
    record_account(
        &mut tx,
        &Account {
            user_id: account(),
            username: "bridge_bot".to_owned(),
        },
        1,
    )
    .await
    .unwrap();
    let made = Portal {
        gitter_room_id: room(),
        matrix_room_id: "!harbour:example.org".try_into().unwrap(),
        gitter_uri: "tidepool/harbour".to_owned(),
        kind: PortalKind::Linked,
        state: PortalState::Active,
        account_id: account(),
        virtual_users: true,
        since_id: None,
        created_at: 1,
        last_bridged_at: 0,
        gitter_admin: false,
        repository: None,
        anew_at: 0,
    };
    portal::insert_portal(&mut tx, &made).await.unwrap();
    lane::make_lanes(&mut tx, &room(), "").await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_stopped_for_being_private_stays_so_until_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let stop = |state, cause| life::Stop {
        state,
        cause,
        detail: String::new(),
        to_tell: String::new(),
    };
    let private = stop(PortalState::Private, StopCause::Private);
    let gone = stop(PortalState::Broken, StopCause::Gone);
    for db in databases(&folder).await {
        make_portal(&db).await;
        let mut tx = db.write().await.unwrap();
        assert!(life::stop(&mut tx, &room(), &private, 2).await.unwrap());
        for other in [
            stop(PortalState::Paused, StopCause::Operator),
            stop(PortalState::Broken, StopCause::Kicked),
            stop(PortalState::Paused, StopCause::Encrypted),
            stop(PortalState::Paused, StopCause::Upgraded),
        ] {
            assert!(!life::stop(&mut tx, &room(), &other, 3).await.unwrap());
        }
        let found = life::of(&mut tx, &room()).await.unwrap().unwrap();
        assert_eq!(found.stopped_by, Some(StopCause::Private));
        assert!(life::stop(&mut tx, &room(), &gone, 4).await.unwrap());
        life::go_on(&mut tx, &room()).await.unwrap();
        assert!(life::stop(&mut tx, &room(), &private, 5).await.unwrap());
    }
}

async fn accept(db: &Db, key: &str, now: i64) -> usize {
    let mut tx = db.write().await.unwrap();
    let added = inbox::enqueue(&mut tx, &[item(key, now, false)], now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    added
}

async fn claim(db: &Db, owner: &str, now: i64) -> Vec<Lane> {
    let mut tx = db.write().await.unwrap();
    let request = ClaimRequest {
        owner,
        now,
        lease_until: now + 100,
        direction: Direction::ToMatrix,
        limit: 10,
        confirmed_since: 0,
    };
    let lanes = lane::claim_lanes(&mut tx, request).await.unwrap();
    tx.commit().await.unwrap();
    lanes
}

async fn head(db: &Db) -> Option<Item> {
    inbox::head(&mut db.read().await.unwrap(), &key(Direction::ToMatrix))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_lane_is_claimed_by_one_until_its_lease_ends() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        make_portal(&db).await;
        assert!(claim(&db, "one", 10).await.is_empty(), "nothing is due");
        assert_eq!(accept(&db, "a", 10).await, 1);
        assert_eq!(accept(&db, "a", 11).await, 0, "a repeat");
        let lanes = claim(&db, "one", 20).await;
        assert_eq!(
            lanes.iter().map(|lane| &lane.key).collect::<Vec<_>>(),
            [&key(Direction::ToMatrix)]
        );
        assert!(claim(&db, "two", 30).await.is_empty(), "it is one's");
        let stolen = claim(&db, "two", 200).await;
        assert_eq!(stolen.len(), 1, "one's lease is over");
        let mut tx = db.write().await.unwrap();
        assert!(
            !lane::verify_lease(&mut tx, &lanes[0]).await.unwrap(),
            "fenced off"
        );
        assert!(lane::verify_lease(&mut tx, &stolen[0]).await.unwrap());
        lane::release_lane(&mut tx, &lanes[0], 0).await.unwrap();
        assert!(
            lane::verify_lease(&mut tx, &stolen[0]).await.unwrap(),
            "not one's to give back"
        );
    }
}

#[tokio::test]
async fn a_side_that_is_closed_and_a_portal_that_rests_are_not_claimed() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        make_portal(&db).await;
        accept(&db, "a", 10).await;
        let mut tx = db.write().await.unwrap();
        let request = ClaimRequest {
            owner: "one",
            now: 20,
            lease_until: 120,
            direction: Direction::ToGitter,
            limit: 10,
            confirmed_since: 0,
        };
        assert!(lane::claim_lanes(&mut tx, request).await.unwrap().is_empty());
        assert!(
            portal::set_portal_state(&mut tx, &room(), PortalState::Active, PortalState::Paused)
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        assert!(claim(&db, "one", 20).await.is_empty());
    }
}

#[tokio::test]
async fn a_head_that_backs_off_is_not_hurried_by_what_comes_after_it() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        make_portal(&db).await;
        accept(&db, "a", 10).await;
        let lane = claim(&db, "one", 20).await.remove(0);
        let mut tx = db.write().await.unwrap();
        let first = inbox::head(&mut tx, &lane.key).await.unwrap().unwrap();
        inbox::postpone(&mut tx, &first, 500, "not now").await.unwrap();
        lane::release_lane(&mut tx, &lane, 0).await.unwrap();
        tx.commit().await.unwrap();
        accept(&db, "b", 30).await;
        assert!(claim(&db, "one", 499).await.is_empty());
        assert_eq!(
            lane::next_due(&mut db.read().await.unwrap(), true, true, 0)
                .await
                .unwrap(),
            500
        );
        assert_eq!(claim(&db, "one", 500).await.len(), 1);
        assert_eq!(head(&db).await.unwrap().source_key, "a", "b stays behind");
    }
}

#[tokio::test]
async fn an_empty_lane_is_due_again_with_its_next_item() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        make_portal(&db).await;
        accept(&db, "a", 10).await;
        let lane = claim(&db, "one", 20).await.remove(0);
        let item = head(&db).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let skipped = Outcome::Skipped(Reason::Empty, String::new());
        assert!(inbox::settle_item(&mut tx, &item, &skipped, 21).await.unwrap());
        assert!(
            !inbox::settle_item(&mut tx, &item, &Outcome::Bridged, 22)
                .await
                .unwrap(),
            "once"
        );
        lane::release_lane(&mut tx, &lane, 0).await.unwrap();
        assert_eq!(lane::next_due(&mut tx, true, true, 0).await.unwrap(), NEVER);
        tx.commit().await.unwrap();
        accept(&db, "b", 30).await;
        assert_eq!(claim(&db, "one", 30).await.len(), 1);
    }
}

#[tokio::test]
async fn an_attempt_settles_once() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        make_portal(&db).await;
        accept(&db, "a", 10).await;
        let item = head(&db).await.unwrap();
        let mut tx = db.write().await.unwrap();
        let parts = ["one", "two"].map(|action| NewAttempt {
            action: action.to_owned(),
            author: "ana".to_owned(),
        });
        attempt::freeze(&mut tx, &item, &parts).await.unwrap();
        let attempts = attempt::attempts_of(&mut tx, &item.lane, item.number)
            .await
            .unwrap();
        assert_eq!(
            attempts
                .iter()
                .map(|attempt| attempt.action.as_str())
                .collect::<Vec<_>>(),
            ["one", "two"]
        );
        assert!(attempt::open_attempt(&mut tx, &attempts[0], 20).await.unwrap());
        assert!(
            !attempt::settle_unknown(&mut tx, &attempts[0], "x", 21)
                .await
                .unwrap(),
            "it is on its way"
        );
        attempt::set_attempt_state(&mut tx, &attempts[0], AttemptState::Unknown, "reset")
            .await
            .unwrap();
        let open = attempt::unsettled_attempts(&mut tx, room().as_str(), Direction::ToMatrix, i64::MAX)
            .await
            .unwrap();
        assert_eq!(
            open.iter().map(|attempt| attempt.position).collect::<Vec<_>>(),
            [0]
        );
        assert!(
            attempt::settle_unknown(&mut tx, &attempts[0], "x", 22)
                .await
                .unwrap()
        );
        assert!(
            !attempt::settle_attempt(&mut tx, &attempts[0], "y", 23)
                .await
                .unwrap(),
            "once"
        );
        assert!(!attempt::open_attempt(&mut tx, &attempts[0], 24).await.unwrap());
        let settled = attempt::attempts_of(&mut tx, &item.lane, item.number)
            .await
            .unwrap();
        assert_eq!(
            (settled[0].result_id.as_str(), settled[0].state),
            ("x", AttemptState::Done)
        );
        assert_eq!(settled[1].state, AttemptState::Planned);
    }
}
