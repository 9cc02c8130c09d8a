//! A backup is restored while people talk: what crossed since is found on both sides, and nothing comes twice.

use serde_json::json;

use crate::world::{
    Options, Room, World,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    after_an_old_backup_nothing_is_lost_and_nothing_comes_twice,
    in_prefix_form_nothing_comes_twice_either,
    edits_and_deletions_since_the_backup_are_not_made_again,
    edits_of_what_crossed_since_the_backup_change_it,
    what_holds_links_does_not_come_twice,
    what_was_edited_on_gitter_meanwhile_is_edited,
];

/// Everything is said twice, so that only order tells the two from each other.
fn say(world: &World, room: &Room, about: &str) {
    world.both_say(room, about, 3);
    for _ in 0..2 {
        world.ana_says(room, "Yes!");
        world.wren_says(room, "Yes!");
    }
}

/// People talk; the database of before that takes the place of the one of now; and they talk on meanwhile.
async fn go_back(world: &mut World, rooms: &[Room], talk: impl AsyncFn(&World)) {
    for room in rooms {
        say(world, room, "before");
    }
    world.crossed().await;
    world.bridge.stop().await;
    world.database.back_up().await;
    world.bridge.start().await;
    for room in rooms {
        say(world, room, "since");
    }
    talk(world).await;
    world.drained().await;
    world.bridge.stop().await;
    world.database.restore().await;
    // It remembers no transaction: what was sent is known by its marker alone.
    world.homeserver.restart().await;
    for room in rooms {
        say(world, room, "meanwhile");
    }
    world.bridge.start_restored().await;
}

async fn after_an_old_backup_nothing_is_lost_and_nothing_comes_twice(database: Database) {
    let options = Options {
        devices: false,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let rooms = [world.link("pier").await, world.link("cove").await];
    go_back(&mut world, &rooms, async |world| world.crossed().await).await;
    world.crossed().await;
    for room in &rooms {
        assert_eq!(world.gitter.messages(room.gitter).len(), 30);
    }
    // Also when it is killed and started as usual before it is through.
    world.bridge.kill().await;
    world.bridge.start().await;
    world.finish().await;
}

async fn in_prefix_form_nothing_comes_twice_either(database: Database) {
    let options = Options {
        virtual_users: false,
        devices: false,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    world.ana_says(&room, "before");
    world.wren_says(&room, "before");
    world.drained().await;
    world.bridge.stop().await;
    world.database.back_up().await;
    world.bridge.start().await;
    for _ in 0..2 {
        world.ana_says(&room, "since");
        world.wren_says(&room, "since");
    }
    world.drained().await;
    let (on_gitter, on_matrix) = (
        world.gitter.messages(room.gitter).len(),
        world.homeserver.events(&room.matrix).len(),
    );
    world.bridge.stop().await;
    world.database.restore().await;
    world.homeserver.restart().await;
    world.bridge.start_restored().await;
    world.ana_says(&room, "after");
    world.arrives_in_other_form(&room, "after").await;
    world.wren_says(&room, "after");
    world.arrives_on_matrix(&room, "after").await;
    world.drained().await;
    assert_eq!(world.gitter.messages(room.gitter).len(), on_gitter + 2);
    assert_eq!(world.homeserver.events(&room.matrix).len(), on_matrix + 2);
    world.close().await;
}

async fn edits_and_deletions_since_the_backup_are_not_made_again(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let edited = world.ana_says(&room, "first");
    let deleted = world.ana_says(&room, "unsaid");
    let posted = world.arrives_on_gitter(&room, "unsaid").await.id;
    let of_wren = world.wren_says(&room, "of wren");
    world.arrives_on_matrix(&room, "of wren").await;
    world.drained().await;
    world.bridge.stop().await;
    world.database.back_up().await;
    world.bridge.start().await;
    let edit = json!({
        "msgtype": "m.text", "body": "* second", "m.new_content": { "msgtype": "m.text", "body": "second" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": edited },
    });
    world.ana_sends(&room, edit);
    world.arrives_on_gitter(&room, "second").await;
    world.homeserver.redact(&room.matrix, &world.ana, &deleted);
    world
        .gitter
        .edit("wren", room.gitter, of_wren, "of wren again")
        .unwrap();
    world.arrives_as_edit(&room, "* of wren again").await;
    world.drained().await;
    let events = world.homeserver.events(&room.matrix).len();
    world.bridge.stop().await;
    world.database.restore().await;
    world.homeserver.restart().await;
    world.bridge.start_restored().await;
    world.ana_says(&room, "after");
    world.arrives_on_gitter(&room, "after").await;
    world.drained().await;
    assert_eq!(world.homeserver.events(&room.matrix).len(), events + 1);
    let mut texts: Vec<String> = world
        .gitter
        .messages(room.gitter)
        .into_iter()
        .map(|message| message.text)
        .collect();
    texts.sort();
    assert_eq!(texts, ["after", "of wren again", "second"]);
    assert!(world.on_gitter(&room, posted).is_none());
    world.close().await;
}

async fn edits_of_what_crossed_since_the_backup_change_it(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    say(&world, &room, "before");
    world.crossed().await;
    world.bridge.stop().await;
    world.database.back_up().await;
    world.bridge.start().await;
    let early = world.ana_says(&room, "early");
    world.arrives_on_gitter(&room, "early").await;
    world.ana_edits(&room, &early, "early, edited since");
    world.arrives_on_gitter(&room, "early, edited since").await;
    let late = world.ana_says(&room, "late");
    world.arrives_on_gitter(&room, "late").await;
    let gone = world.ana_says(&room, "gone");
    let posted = world.arrives_on_gitter(&room, "gone").await.id;
    world.drained().await;
    let messages = world.gitter.messages(room.gitter).len();
    world.bridge.stop().await;
    world.database.restore().await;
    world.homeserver.restart().await;
    world.ana_edits(&room, &late, "late, edited meanwhile");
    world.bridge.start_restored().await;
    world.arrives_on_gitter(&room, "late, edited meanwhile").await;
    // Once it is known where it is, it can be taken back.
    world.homeserver.redact(&room.matrix, &world.ana, &gone);
    until("what is redacted to be gone", async || {
        Ok(world.on_gitter(&room, posted).is_none().then_some(()))
    })
    .await;
    world.drained().await;
    let found = world.gitter.messages(room.gitter);
    assert_eq!(found.len(), messages - 1, "{found:?}");
    let texts: Vec<&str> = found.iter().map(|message| message.text.as_str()).collect();
    assert!(texts.contains(&"early, edited since"), "{texts:?}");
    world.close().await;
}

async fn what_holds_links_does_not_come_twice(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.ana_says(&room, "before");
    world.arrives_on_gitter(&room, "before").await;
    world.drained().await;
    world.bridge.stop().await;
    world.database.back_up().await;
    world.bridge.start().await;
    let mxc = world.homeserver.add_media("text/plain", b"two oars".to_vec());
    let file = world.ana_sends(
        &room,
        json!({ "msgtype": "m.file", "body": "oars.txt", "url": mxc }),
    );
    // A text that is too long for Gitter ends in a link to all of it.
    world.ana_says(&room, &"two oars and a boat ".repeat(1_200));
    world.drained().await;
    let before = world.gitter.messages(room.gitter);
    assert!(before.len() > 3, "{before:?}");
    world.bridge.stop().await;
    world.database.restore().await;
    world.homeserver.restart().await;
    world.bridge.start_restored().await;
    world.ana_says(&room, "after");
    world.arrives_on_gitter(&room, "after").await;
    world.drained().await;
    let after = world.gitter.messages(room.gitter);
    assert_eq!(after.len(), before.len() + 1, "{after:?}");
    // The link that Gitter shows is alive, and ends with its event.
    let shown = before
        .iter()
        .find(|message| message.text.contains("oars.txt"))
        .unwrap();
    world.homeserver.redact(&room.matrix, &world.ana, &file);
    until("the message with the file to be gone", async || {
        Ok(world.on_gitter(&room, shown.id).is_none().then_some(()))
    })
    .await;
    world.close().await;
}

async fn what_was_edited_on_gitter_meanwhile_is_edited(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.wren_says(&room, "before");
    world.arrives_on_matrix(&room, "before").await;
    world.drained().await;
    world.bridge.stop().await;
    world.database.back_up().await;
    world.bridge.start().await;
    let meanwhile = world.wren_says(&room, "said since");
    world.arrives_on_matrix(&room, "said since").await;
    let known = world.wren_says(&room, "edited since");
    world.arrives_on_matrix(&room, "edited since").await;
    let edit = |id, text| world.gitter.edit("wren", room.gitter, id, text).unwrap();
    edit(known, "edited and known");
    world.arrives_as_edit(&room, "* edited and known").await;
    world.drained().await;
    let events = world.homeserver.events(&room.matrix).len();
    world.bridge.stop().await;
    world.database.restore().await;
    world.homeserver.restart().await;
    edit(meanwhile, "edited meanwhile");
    world.bridge.start_restored().await;
    world.arrives_as_edit(&room, "* edited meanwhile").await;
    world.drained().await;
    assert_eq!(world.homeserver.events(&room.matrix).len(), events + 1);
    world.close().await;
}
