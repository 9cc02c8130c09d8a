//! Every statement on both databases, and the rules that only a database can show.

use std::env;

use sqlx::SqlSafeStr as _;

use super::{
    Db, StoreError, account, alias, attempt, awaited, ban, code, command, copy, db::Open, deleted, fold,
    forget, ghost, held, inbox, installation, lane, leaving, ledger, life, media, member, message, notice,
    opt_out, overview, person, portal, probe, restored, retention, room_admin, setting, space,
};
use crate::config::DatabaseUrl;

fn all_statements() -> Vec<(&'static str, &'static str)> {
    [
        account::STATEMENTS,
        alias::STATEMENTS,
        attempt::STATEMENTS,
        awaited::STATEMENTS,
        ban::STATEMENTS,
        code::STATEMENTS,
        command::STATEMENTS,
        copy::STATEMENTS,
        deleted::STATEMENTS,
        fold::STATEMENTS,
        forget::STATEMENTS,
        ghost::STATEMENTS,
        held::STATEMENTS,
        inbox::STATEMENTS,
        installation::STATEMENTS,
        lane::STATEMENTS,
        leaving::STATEMENTS,
        ledger::STATEMENTS,
        life::STATEMENTS,
        media::STATEMENTS,
        member::STATEMENTS,
        message::STATEMENTS,
        notice::STATEMENTS,
        opt_out::STATEMENTS,
        overview::STATEMENTS,
        setting::STATEMENTS,
        person::STATEMENTS,
        portal::STATEMENTS,
        probe::STATEMENTS,
        restored::STATEMENTS,
        retention::STATEMENTS,
        room_admin::STATEMENTS,
        space::STATEMENTS,
    ]
    .concat()
}

/// Both databases: SQLite in a scratch folder, and PostgreSQL where `DATABASE_URL` names one.
async fn databases(folder: &tempfile::TempDir) -> Vec<Db> {
    let mut databases = vec![
        Db::open(&DatabaseUrl::Sqlite(folder.path().join("test.db")))
            .await
            .unwrap(),
    ];
    match env::var("DATABASE_URL") {
        Ok(url) => databases.push(Db::open(&scratch_database(&url).await).await.unwrap()),
        Err(_) => eprintln!("PostgreSQL skipped: DATABASE_URL is not set; `cargo xtask test` sets it"),
    }
    databases
}

/// Makes a database of its own inside the server of `DATABASE_URL`.
async fn scratch_database(url: &str) -> DatabaseUrl {
    let name = format!("store_{:016x}", rand::random::<u64>());
    let admin = sqlx::PgPool::connect(url).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")).into_sql_str())
        .execute(&admin)
        .await
        .unwrap();
    let mut url = url::Url::parse(url).unwrap();
    url.set_path(&name);
    DatabaseUrl::Postgres(url.to_string().into())
}

#[tokio::test]
async fn every_statement_is_valid_on_both_databases() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        for (name, sql) in all_statements() {
            let prepared = match &mut db.write().await.unwrap().open {
                Open::Sqlite(tx) => sqlx::Executor::prepare(&mut **tx, sql.into_sql_str())
                    .await
                    .map(|_| ()),
                Open::Postgres(tx) => sqlx::Executor::prepare(&mut **tx, sql.into_sql_str())
                    .await
                    .map(|_| ()),
            };
            prepared.unwrap_or_else(|error| panic!("{name} on {db:?}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_postgresql_that_forgets_or_takes_no_writes_is_refused() {
    let Ok(url) = env::var("DATABASE_URL") else {
        eprintln!("PostgreSQL skipped: DATABASE_URL is not set; `cargo xtask test` sets it");
        return;
    };
    for (setting, says) in [
        ("synchronous_commit = off", "synchronous_commit = off"),
        ("default_transaction_read_only = on", "takes no writes"),
    ] {
        let DatabaseUrl::Postgres(scratch) = scratch_database(&url).await else {
            panic!("a scratch database is on PostgreSQL");
        };
        let name = url::Url::parse(secrecy::ExposeSecret::expose_secret(&scratch)).unwrap();
        let sql = format!(
            "ALTER DATABASE {} SET {setting}",
            name.path().trim_start_matches('/')
        );
        let admin = sqlx::PgPool::connect(&url).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql).into_sql_str())
            .execute(&admin)
            .await
            .unwrap();
        let scratch = DatabaseUrl::Postgres(scratch);
        let error = Db::open(&scratch).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        let error = probe::look(&scratch, "a.example".try_into().unwrap())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// Claims a database for a homeserver.
async fn claim(db: &Db, server_name: &str) -> Result<(), StoreError> {
    let mut tx = db.write().await.unwrap();
    installation::claim_installation(&mut tx, server_name.try_into().unwrap(), 1).await?;
    tx.commit().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn a_database_of_another_server_is_refused_once_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        claim(&db, "wrong.example").await.unwrap();
        claim(&db, "a.example").await.unwrap();
        claim(&db, "a.example").await.unwrap();
        let mut tx = db.write().await.unwrap();
        assert!(
            installation::renew_mark(&mut tx, "", "", "one", 10)
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        claim(&db, "a.example").await.unwrap();
        let refused = claim(&db, "b.example").await.unwrap_err();
        assert!(matches!(refused, StoreError::OtherServer { .. }));
        assert!(refused.to_string().contains("a.example") && refused.to_string().contains("database.url"));
    }
}

#[tokio::test]
async fn a_mark_is_renewed_once_and_another_counts_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        installation::claim_installation(&mut tx, "a.example".try_into().unwrap(), 1)
            .await
            .unwrap();
        assert!(
            installation::renew_mark(&mut tx, "", "", "one", 10)
                .await
                .unwrap()
        );
        assert!(
            installation::renew_mark(&mut tx, "one", "another's", "two", 20)
                .await
                .unwrap()
        );
        assert!(
            !installation::renew_mark(&mut tx, "one", "one", "three", 30)
                .await
                .unwrap()
        );
        let marks = installation::marks(&mut tx).await.unwrap();
        let held = (marks.mark.as_str(), marks.last_mark.as_str(), marks.marked_at);
        assert_eq!(held, ("two", "another's", 20));

        let quarter = 15 * 60_000;
        let now = 10 * quarter;
        assert_eq!(installation::other_seen(&mut tx, now).await.unwrap(), None);
        assert_eq!(installation::note_other(&mut tx, now).await.unwrap(), None);
        let later = now + quarter - 1;
        assert_eq!(installation::note_other(&mut tx, later).await.unwrap(), Some(now));
        let over = installation::other_seen(&mut tx, later + quarter).await.unwrap();
        assert_eq!(over, None);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("newer.db"));
    let db = Db::open(&url).await.unwrap();
    let mut tx = db.write().await.unwrap();
    let Open::Sqlite(inner) = &mut tx.open else {
        panic!("not SQLite")
    };
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', TRUE, X'00', 1)",
    )
    .execute(&mut **inner)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    let refused = Db::open(&url).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Newer { version: 9999 }),
        "{refused}"
    );
}

/// A full disk makes SQLite end a transaction by itself; sqlx takes it for open still.
#[tokio::test]
async fn a_transaction_that_the_database_ended_does_not_keep_the_next_ones_out() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut tx = db.write().await.unwrap();
        let end = sqlx::AssertSqlSafe("ROLLBACK").into_sql_str();
        match &mut tx.open {
            Open::Sqlite(tx) => drop(sqlx::query(end).execute(&mut **tx).await.unwrap()),
            Open::Postgres(tx) => drop(sqlx::query(end).execute(&mut **tx).await.unwrap()),
        }
        // On PostgreSQL that is no more than a warning.
        if tx.commit().await.is_err() {
            assert!(!db.is_shared());
        }
        db.write().await.unwrap().commit().await.unwrap();
    }
}

/// What is copied fits together, whoever writes meanwhile.
#[tokio::test]
async fn one_moment_is_read_whatever_is_written_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    for db in databases(&folder).await {
        let mut moment = db.read_one_moment().await.unwrap();
        assert!(portal::portals(&mut moment).await.unwrap().is_empty());
        let mut tx = db.write().await.unwrap();
        setting::set(
            &mut tx,
            &"5f0000000000000000000a01".parse().unwrap(),
            setting::SettingName::Metadata,
            Some("true"),
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        let settings = setting::settings(&mut moment, "5f0000000000000000000a01")
            .await
            .unwrap();
        assert!(settings.is_empty(), "{settings:?}");
        let mut later = db.read_one_moment().await.unwrap();
        let settings = setting::settings(&mut later, "5f0000000000000000000a01")
            .await
            .unwrap();
        assert_eq!(settings.len(), 1);
    }
}

mod flow;
mod folding;
mod glance;
mod links;
mod members;
mod opted_out;
mod parted;
mod retained;

/// What may pass is waited for at the start; what needs a person is told.
#[tokio::test]
async fn a_database_that_is_away_may_come_back() {
    let nobody = DatabaseUrl::Postgres("postgres://bridge@127.0.0.1:1/bridge".to_owned().into());
    assert!(Db::open(&nobody).await.unwrap_err().may_pass());
    let file = DatabaseUrl::Sqlite("/dev/null/bridge.db".into());
    assert!(!Db::open(&file).await.unwrap_err().may_pass());
}
