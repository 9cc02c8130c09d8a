//! The body of `PUT /transactions/{id}`, as the HTTP handler passes it on: it is always taken, and every event of it
//! is an item, once.

#![no_main]

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use gitter_matrix_bridge::{
    bridge::{Acceptor, Recovery},
    config::DatabaseUrl,
    store::{
        Db, Portal, PortalKind, PortalState,
        account::{self, Account},
        lane, ledger, portal,
    },
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::Notify};

struct World {
    runtime: Runtime,
    db: Db,
    acceptor: Acceptor,
    _folder: TempDir,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    // In memory where there is such a folder: every transaction is synced.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    let folder = folder.expect("a folder");
    let db = runtime.block_on(database(folder.path()));
    let acceptor = Acceptor::new(
        db.clone(),
        Arc::new(Recovery::begin(0, false)),
        Arc::new(Notify::new()),
        Arc::new(Notify::new()),
    );
    World {
        runtime,
        db,
        acceptor,
        _folder: folder,
    }
});

/// A database with one portal.
async fn database(folder: &Path) -> Db {
    let db = Db::open(&DatabaseUrl::Sqlite(folder.join("bridge.db")))
        .await
        .expect("a database");
    let mut tx = db.write().await.expect("a transaction");
    let account = Account {
        user_id: "5f0000000000000000000c00".parse().expect("an id"),
        username: "bridge".to_owned(),
    };
    account::record_account(&mut tx, &account, 0)
        .await
        .expect("an account");
    let portal = Portal {
        gitter_room_id: fuzz::GITTER_ROOM.parse().expect("an id"),
        matrix_room_id: "!r:example.org".try_into().expect("an id"),
        gitter_uri: "tidepool/harbour".to_owned(),
        kind: PortalKind::Linked,
        state: PortalState::Active,
        account_id: account.user_id,
        virtual_users: true,
        since_id: None,
        created_at: 0,
        last_bridged_at: 0,
        gitter_admin: true,
        repository: None,
        anew_at: 0,
    };
    portal::insert_portal(&mut tx, &portal).await.expect("a portal");
    lane::make_lanes(&mut tx, &portal.gitter_room_id, "")
        .await
        .expect("its lanes");
    tx.commit().await.expect("a commit");
    db
}

/// The ids of the events in a body, as far as they can be told.
fn ids(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let events = body["events"].as_array().into_iter().flatten();
    let ids = events.filter_map(|event| event["event_id"].as_str());
    ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

async fn items(db: &Db, id: &str) -> usize {
    let mut tx = db.read().await.expect("a transaction");
    ledger::of_source(&mut tx, id).await.expect("the items").len()
}

fuzz_target!(|body: &[u8]| {
    let World {
        runtime,
        db,
        acceptor,
        ..
    } = &*WORLD;
    runtime.block_on(async {
        acceptor.transaction("t", body).await.expect("it is taken");
        let ids = ids(body);
        let mut before = Vec::new();
        for id in &ids {
            before.push(items(db, id).await);
        }
        assert!(before.iter().all(|items| *items > 0), "an event without an item");
        acceptor.transaction("t", body).await.expect("it is taken again");
        for (id, before) in ids.iter().zip(before) {
            assert_eq!(items(db, id).await, before, "a repeat is another item");
        }
    });
});
