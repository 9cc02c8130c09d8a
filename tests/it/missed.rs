//! What was edited, deleted and answered on Gitter while the bridge was away crosses afterwards; nothing else does.

use gitter_sandbox::Fault;
use reqwest::Method;
use ruma::OwnedEventId;

use crate::world::{
    Room, World,
    admin::answer,
    database::{Database, on_both_databases},
    id_of, until,
};

on_both_databases![
    everything_missed_crosses_behind_31_messages,
    everything_missed_crosses_behind_500_messages,
    a_sync_finds_deletions_of_long_ago,
    an_empty_snapshot_deletes_nothing,
    many_absences_at_once_delete_nothing,
];

async fn everything_missed_crosses_behind_31_messages(database: Database) {
    everything_missed_crosses(database, 31).await;
}

async fn everything_missed_crosses_behind_500_messages(database: Database) {
    everything_missed_crosses(database, 500).await;
}

async fn everything_missed_crosses(database: Database, missed: usize) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.the_bot_may_moderate(&room);
    let edited = world.wren_says(&room, "first");
    let deleted = world.wren_says(&room, "deleted");
    let answered = world.wren_says(&room, "answered");
    let of_ana = world.ana_says(&room, "of ana");
    let event = id_of(&world.arrives_on_matrix(&room, "deleted").await);
    let root = id_of(&world.arrives_on_matrix(&room, "answered").await);
    let posted = world.arrives_on_gitter(&room, "of ana").await.id;
    world.wren_says(&room, "last before");
    world.arrives_on_matrix(&room, "last before").await;
    world.drained().await;

    world.bridge.kill().await;
    world.gitter.edit("wren", room.gitter, edited, "second").unwrap();
    world.gitter.delete("wren", room.gitter, deleted).unwrap();
    world.gitter.delete("bridge_bot", room.gitter, posted).unwrap();
    world.gitter.reply("kelp", room.gitter, answered, "Aye.").unwrap();
    for number in 0..missed {
        world.wren_says(&room, &format!("missed {number}"));
    }
    world.bridge.start().await;

    world.arrives_as_edit(&room, "* second").await;
    for gone in [&event, &of_ana] {
        until("what was deleted to be redacted", async || {
            Ok(world.is_redacted(&room, gone).then_some(()))
        })
        .await;
    }
    let reply = world.arrives_on_matrix(&room, "Aye.").await;
    assert_eq!(reply["content"]["m.relates_to"]["event_id"], root.as_str());
    world
        .arrives_on_matrix(&room, &format!("missed {}", missed - 1))
        .await;
    world.drained().await;
    assert_eq!(world.redacted(&room), 2);
    assert_eq!(world.messages_on_matrix(&room).len(), 5 + 1 + missed);
    world.close().await;
}

async fn a_sync_finds_deletions_of_long_ago(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    // Far before what a snapshot, or the look for edits, reaches back to.
    world.gitter.add_fault(Fault::ClockSkewMs(-3_600_000));
    world.wren_says(&room, "oldest");
    let deleted = world.wren_says(&room, "deleted");
    let event = id_of(&world.arrives_on_matrix(&room, "deleted").await);
    world.gitter.clear_faults();
    for number in 0..220 {
        world.wren_says(&room, &format!("later {number}"));
    }
    world.arrives_on_matrix(&room, "later 219").await;
    world.drained().await;
    world.bridge.kill().await;
    world.gitter.delete("wren", room.gitter, deleted).unwrap();
    world.bridge.start().await;
    assert!(!world.is_redacted(&room, &event));
    let path = format!("rooms/{}/sync", room.gitter);
    let request = world.admin().authorized(Method::POST, &path);
    assert_eq!(answer(request).await.unwrap().0, 202);
    until("what was deleted to be redacted", async || {
        Ok(world.is_redacted(&room, &event).then_some(()))
    })
    .await;
    world.drained().await;
    assert_eq!(world.redacted(&room), 1);
    world.close().await;
}

/// Gitter in survival mode shows nothing (DESIGN 3.4).
async fn an_empty_snapshot_deletes_nothing(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.says_thirty(&room).await;
    world.gitter.add_fault(Fault::EmptySnapshots(true));
    world.bridge.kill().await;
    world.bridge.start().await;
    world.wren_says(&room, "after");
    world.arrives_on_matrix(&room, "after").await;
    world.drained().await;
    assert_eq!(world.redacted(&room), 0);
    world.close().await;
}

async fn many_absences_at_once_delete_nothing(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.wren_says(&room, "oldest");
    world.says_thirty(&room).await;
    world.bridge.kill().await;
    for message in world.gitter.messages(room.gitter).iter().skip(2).take(21) {
        world.gitter.delete("wren", room.gitter, message.id).unwrap();
    }
    world.bridge.start().await;
    world.wren_says(&room, "after");
    world.arrives_on_matrix(&room, "after").await;
    world.drained().await;
    assert_eq!(world.redacted(&room), 0);
    let log = world.bridge.whole_log();
    assert!(log.contains("Gitter does not list many messages that crossed"));
    world.close().await;
}

impl World {
    async fn says_thirty(&self, room: &Room) {
        for number in 0..30 {
            self.wren_says(room, &format!("before {number}"));
        }
        self.arrives_on_matrix(room, "before 29").await;
        self.drained().await;
    }

    /// How many events of a room are redacted.
    fn redacted(&self, room: &Room) -> usize {
        let events = self.homeserver.events(&room.matrix);
        let ids: Vec<OwnedEventId> = events.iter().map(id_of).collect();
        ids.iter().filter(|id| self.is_redacted(room, id)).count()
    }
}
