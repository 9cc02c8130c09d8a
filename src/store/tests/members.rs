//! Members, and who looks like whom.

use ruma::RoomId;
use sqlx::SqlSafeStr as _;

use super::{super::member::*, databases};
use crate::store::db::{Open, Tx};

fn member(localpart: &str, name: &str) -> Member {
    Member {
        user_id: format!("@{localpart}:example.org").try_into().unwrap(),
        membership: "join".to_owned(),
        display_name: name.to_owned(),
        avatar_url: String::new(),
    }
}

async fn names_like(tx: &mut Tx, room: &RoomId, member: &Member) -> Vec<String> {
    let found = namesakes(tx, room, member).await.unwrap();
    found
        .into_iter()
        .map(|it| it.user_id.localpart().to_owned())
        .collect()
}

#[tokio::test]
async fn members_whose_names_look_alike_are_found() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        let room = RoomId::parse("!r:example.org").unwrap();
        let ana = member("a1", "Ana");
        let people = [
            ana.clone(),
            member("a2", "\u{410}n\u{430}"),
            member("a3", " ANA\u{200b}"),
            member("ana", ""),
            member("a5", "Anna"),
        ];
        for one in &people {
            record_member(&mut tx, &room, one).await.unwrap();
        }
        assert_eq!(names_like(&mut tx, &room, &ana).await, ["a2", "a3", "ana"]);
        assert_eq!(names_like(&mut tx, &room, &people[3]).await, ["a1", "a2", "a3"]);
        let left = Member {
            membership: "leave".to_owned(),
            ..people[1].clone()
        };
        record_member(&mut tx, &room, &left).await.unwrap();
        assert_eq!(names_like(&mut tx, &room, &ana).await, ["a3", "ana"]);
    }
}

#[tokio::test]
async fn members_from_before_there_were_keys_are_found_by_the_very_name() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        let room = RoomId::parse("!r:example.org").unwrap();
        for one in [member("a1", "Ana"), member("a2", "ana"), member("a3", "")] {
            record_member(&mut tx, &room, &one).await.unwrap();
        }
        let forget = sqlx::AssertSqlSafe("UPDATE member SET name_key = ''").into_sql_str();
        match &mut tx.open {
            Open::Sqlite(tx) => drop(sqlx::query(forget).execute(&mut **tx).await.unwrap()),
            Open::Postgres(tx) => drop(sqlx::query(forget).execute(&mut **tx).await.unwrap()),
        }
        assert_eq!(names_like(&mut tx, &room, &member("b", "Ana")).await, ["a1"]);
        assert!(names_like(&mut tx, &room, &member("b", "")).await.is_empty());
    }
}
