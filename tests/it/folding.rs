//! What waits together is sent together, and Gitter's request budget is kept.

use std::time::{Duration, Instant};

use gitter_sandbox::{Fault, RequestEffect, RequestFault, StoredMessage, When};
use ruma::{EventId, OwnedEventId};
use serde_json::{Value, json};

use crate::world::{
    Options, Room, World,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    a_message_goes_out_with_its_edits,
    redactions_find_what_was_before_edits_that_went_out_together,
    what_is_taken_back_before_it_is_sent_never_is,
    edits_of_what_crossed_go_out_as_one,
    a_failed_edit_is_retried_with_what_went_out_with_it,
    what_an_edit_brings_is_right_in_one_message,
    edits_into_more_messages_go_out_by_themselves,
    edits_that_come_while_the_budget_is_spent_are_folded,
    an_edit_that_was_folded_is_taken_back_before_it_is_sent,
    an_edit_is_left_when_the_one_that_it_was_to_go_out_with_is_taken_back,
    killed_with_folded_edits_it_loses_and_doubles_nothing,
    pairs_of_messages_and_edits_keep_the_budget,
];

/// Counts what is still kept of the texts of a room that hold "unsaid".
const UNSAID: &str = "SELECT (SELECT COUNT(*) FROM inbox WHERE body LIKE '%unsaid%' AND gitter_room_id = $1)
    + (SELECT COUNT(*) FROM attempt WHERE action LIKE '%unsaid%' AND gitter_room_id = $1)
    + (SELECT COUNT(*) FROM message WHERE text LIKE '%unsaid%' AND gitter_room_id = $1)";

/// Counts the frozen actions of a room.
const FROZEN: &str = "SELECT COUNT(*) FROM attempt WHERE direction = 'to_gitter' AND gitter_room_id = $1";

/// Counts the links of an event that work.
const LIVE: &str = "SELECT COUNT(*) FROM media WHERE owner = $1 AND state = 'live'";

const PAIRS: usize = 300;
const ROOMS: usize = 10;

async fn a_message_goes_out_with_its_edits(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_and_greet("pier").await;
    world.bridge.kill().await;
    let first = world.ana_says(&room, "first");
    world.ana_says(&room, "between");
    world.ana_edits(&room, &first, "second");
    let last = world.ana_edits(&room, &first, "third");
    let before = world.gitter.charged().requests;
    world.bridge.start().await;
    world.drained().await;

    assert_eq!(world.texts(&room), ["hello", "third", "between"]);
    let requests = world.gitter.charged().requests - before;
    assert_eq!(requests, 3, "who am I, and two messages");
    assert_eq!(world.items("skipped superseded").await, 2);
    let posted = world.gitter.messages(room.gitter)[1].id;
    for event in [&first, &last] {
        let explained = world.explained(event).await;
        let known = &explained["messages"][0]["gitter_message_id"];
        assert_eq!(known, &json!(posted.to_string()), "{explained}");
    }
    let of_last = &world.explained(&last).await["items"][0];
    assert_eq!(of_last["reason"], "superseded");
    assert_eq!(of_last["detail"], format!("its text goes out with {first}"));

    // It is no other message than one that was edited on Gitter.
    world.ana_edits(&room, &first, "fourth");
    assert_eq!(world.arrives_on_gitter(&room, "fourth").await.id, posted);
    world.close().await;
}

async fn redactions_find_what_was_before_edits_that_went_out_together(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_and_greet("pier").await;
    world.bridge.kill().await;
    let first = world.ana_says(&room, "first, unsaid");
    let second = world.ana_edits(&room, &first, "second, unsaid");
    let third = world.ana_edits(&room, &first, "third, unsaid");
    world.bridge.start().await;
    world.drained().await;
    assert_eq!(world.texts(&room), ["hello", "third, unsaid"]);

    world.redacts(&room, &third);
    world.arrives_on_gitter(&room, "second, unsaid").await;
    world.redacts(&room, &second);
    world.arrives_on_gitter(&room, "first, unsaid").await;
    let fourth = world.ana_edits(&room, &first, "fourth, unsaid");
    world.arrives_on_gitter(&room, "fourth, unsaid").await;
    world.bridge.kill().await;
    world.ana_edits(&room, &first, "fifth, unsaid");
    let sixth = world.ana_edits(&room, &first, "sixth, unsaid");
    world.bridge.start().await;
    world.arrives_on_gitter(&room, "sixth, unsaid").await;
    world.redacts(&room, &sixth);
    world.arrives_on_gitter(&room, "fifth, unsaid").await;
    world.redacts(&room, &fourth);
    world.redacts(&room, &first);
    until("the message to be gone", async || {
        Ok((world.texts(&room) == ["hello"]).then_some(()))
    })
    .await;
    world.drained().await;
    let left = world.database.number(UNSAID, &room.gitter.to_string()).await;
    assert_eq!(left, 0, "rows that still hold what was deleted");
    world.close().await;
}

async fn what_is_taken_back_before_it_is_sent_never_is(database: Database) {
    let mut world = World::with(database, soon_spent()).await;
    let room = world.link("pier").await;
    let crossed = world.ana_says(&room, "crossed, unsaid");
    world.arrives_on_gitter(&room, "crossed, unsaid").await;
    world.spend_budget().await;

    let gone = world.ana_says(&room, "unsaid");
    let kept = world.ana_says(&room, "kept");
    world.ana_edits(&room, &gone, "unsaid, either");
    let undone = world.ana_edits(&room, &kept, "kept, but unsaid");
    world.ana_edits(&room, &crossed, "crossed and changed, unsaid");
    world.ana_says(&room, "last");
    // Pushed as they were, and not as their redactions leave them.
    world.homeserver.wait_until_pushed().await;
    for event in [&gone, &undone, &crossed] {
        world.redacts(&room, event);
    }
    world.drained().await;
    assert_eq!(world.texts(&room), ["kept", "last"]);
    let superseded = world.items("skipped superseded").await;
    assert_eq!(superseded, 6, "a message, three edits, and two redactions");
    let left = world.database.number(UNSAID, &room.gitter.to_string()).await;
    assert_eq!(left, 0, "rows that still hold what was taken back");
    let of_gone = &world.explained(&gone).await["items"][0];
    let detail = of_gone["detail"].as_str().unwrap();
    assert!(detail.starts_with("taken back by $"), "{of_gone}");
    assert_eq!(world.gitter.charged().refused, 0);
    world.close().await;
}

async fn edits_of_what_crossed_go_out_as_one(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let event = world.ana_says(&room, "first");
    let posted = world.arrives_on_gitter(&room, "first").await.id;
    world.drained().await;
    world.bridge.kill().await;
    for text in ["second", "third", "fourth"] {
        world.ana_edits(&room, &event, text);
    }
    world.ana_says(&room, "after");
    let before = world.gitter.charged().requests;
    world.bridge.start().await;
    world.drained().await;
    assert_eq!(world.texts(&room), ["fourth", "after"]);
    assert_eq!(world.gitter.messages(room.gitter)[0].id, posted);
    let requests = world.gitter.charged().requests - before;
    assert_eq!(requests, 3, "who am I, an edit, and a message");
    world.close().await;
}

async fn a_failed_edit_is_retried_with_what_went_out_with_it(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_and_greet("pier").await;
    let event = world.ana_says(&room, "first");
    world.arrives_on_gitter(&room, "first").await;
    world.drained().await;
    world.bridge.kill().await;
    let second = world.ana_edits(&room, &event, "second");
    world.ana_edits(&room, &event, "third");
    world.gitter.add_fault(Fault::Request(RequestFault {
        effect: RequestEffect::Status(403),
        when: When::Before,
        times: 1,
        method: Some("PUT".to_owned()),
        path: format!("/rooms/{}/chatMessages", room.gitter),
    }));
    world.bridge.start().await;
    world.drained().await;
    assert_eq!(world.items("failed forbidden").await, 1);
    let explained = world.explained(&second).await;
    let id = explained["items"][0]["id"].as_str().unwrap();
    assert_eq!(world.admin().retry(id).await.0, 202);
    world.arrives_on_gitter(&room, "third").await;
    world.drained().await;
    assert_eq!(world.texts(&room), ["hello", "third"]);
    world.close().await;
}

async fn what_an_edit_brings_is_right_in_one_message(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let root = world.wren_says(&room, "Who is in?");
    let event = world.arrives_on_matrix(&room, "Who is in?").await;
    let wren = event["sender"].as_str().unwrap().to_owned();
    world.drained().await;
    world.bridge.kill().await;
    let thread = json!({ "rel_type": "m.thread", "event_id": event["event_id"] });
    let content = json!({ "msgtype": "m.text", "body": "I am.", "m.relates_to": thread });
    let reply = world.ana_sends(&room, content);
    let pill = format!("I am, <a href=\"https://matrix.to/#/{wren}\">Wren</a>.");
    let new = json!({
        "msgtype": "m.text", "body": "I am, Wren.", "format": "org.matrix.custom.html", "formatted_body": pill,
        "m.mentions": { "user_ids": [wren] },
    });
    world.ana_sends(
        &room,
        json!({
            "msgtype": "m.text", "body": "* I am, Wren.", "m.new_content": new,
            "m.relates_to": { "rel_type": "m.replace", "event_id": reply },
        }),
    );
    let picture = json!({ "msgtype": "m.image", "body": "a.png", "url": "mxc://localhost/a" });
    let file = world.ana_sends(&room, picture);
    let new = json!({
        "msgtype": "m.image", "body": "At noon", "filename": "b.png", "url": "mxc://localhost/b",
    });
    let edited = world.ana_sends(
        &room,
        json!({
            "msgtype": "m.image", "body": "* At noon", "url": "mxc://localhost/b", "m.new_content": new,
            "m.relates_to": { "rel_type": "m.replace", "event_id": file },
        }),
    );
    world.bridge.start().await;
    world.drained().await;
    let messages = world.bridged(&room);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0].text, "I am, @wren.");
    assert_eq!(messages[0].parent_id, Some(root));
    let text = &messages[1].text;
    assert!(
        text.contains("At noon") && text.contains("https://bridge.example.org/"),
        "{text}"
    );
    assert!(
        world.database.number(LIVE, edited.as_str()).await > 0,
        "links of the edit"
    );
    world.redacts(&room, &file);
    until("the links to end", async || {
        let live = world.database.number(LIVE, edited.as_str()).await;
        Ok((live == 0 && world.bridged(&room).len() == 1).then_some(()))
    })
    .await;
    world.close().await;
}

async fn edits_into_more_messages_go_out_by_themselves(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_and_greet("pier").await;
    world.bridge.kill().await;
    let long = "All hands on deck, the tide turns. ".repeat(200);
    let event = world.ana_says(&room, "short");
    world.ana_edits(&room, &event, long.trim());
    let parts = world.ana_says(&room, long.trim());
    let other = long.replace("tide", "wind");
    world.ana_edits(&room, &parts, other.trim());
    world.bridge.start().await;
    world.drained().await;
    let texts = world.texts(&room).split_off(1);
    let begins: Vec<&str> = texts.iter().map(|text| &text[..9]).collect();
    assert_eq!(begins, ["All hands", ":point_up", "All hands", "All hands"]);
    assert!(texts[2..].iter().all(|text| !text.contains("tide")));
    assert_eq!(world.items("skipped superseded").await, 1);
    world.redacts(&room, &event);
    world.redacts(&room, &parts);
    until("all to be gone", async || {
        Ok((world.texts(&room) == ["hello"]).then_some(()))
    })
    .await;
    world.close().await;
}

async fn edits_that_come_while_the_budget_is_spent_are_folded(database: Database) {
    let mut world = World::with(database, soon_spent()).await;
    let room = world.link("pier").await;
    world.spend_budget().await;
    // The first is frozen, and waits for the budget.
    let first = world.ana_says(&room, "first");
    until("it to be frozen", async || {
        Ok((world.database.number(FROZEN, &room.gitter.to_string()).await == 1).then_some(()))
    })
    .await;
    let second = world.ana_says(&room, "second");
    world.ana_edits(&room, &first, "first, edited");
    world.ana_edits(&room, &second, "second, edited");
    world.drained().await;
    assert_eq!(world.texts(&room), ["first, edited", "second, edited"]);
    assert_eq!(world.items("skipped superseded").await, 2);
    assert_eq!(world.gitter.charged().refused, 0);
    world.close().await;
}

async fn an_edit_that_was_folded_is_taken_back_before_it_is_sent(database: Database) {
    let mut world = World::with(database, soon_spent()).await;
    let room = world.link("pier").await;
    let edit = world.folds_while_spent(&room).await;
    world.redacts(&room, &edit);
    world.drained().await;
    assert_eq!(world.texts(&room), ["first", "fresh"]);
    let left = world.database.number(UNSAID, &room.gitter.to_string()).await;
    assert_eq!(left, 0, "rows that still hold what was taken back");
    world.close().await;
}

async fn an_edit_is_left_when_the_one_that_it_was_to_go_out_with_is_taken_back(database: Database) {
    let mut world = World::with(database, soon_spent()).await;
    let room = world.link_and_greet("pier").await;
    let first = world.ana_says(&room, "first");
    world.arrives_on_gitter(&room, "first").await;
    world.drained().await;
    world.spend_budget().await;
    let second = world.ana_edits(&room, &first, "second");
    world.ana_edits(&room, &first, "third");
    world.homeserver.wait_until_pushed().await;
    until("the edit to be folded", async || {
        let folded = world.items("skipped superseded").await;
        Ok((folded == 1).then_some(()))
    })
    .await;
    world.redacts(&room, &second);
    world.drained().await;
    assert_eq!(world.texts(&room), ["hello", "third"]);
    world.close().await;
}

async fn killed_with_folded_edits_it_loses_and_doubles_nothing(database: Database) {
    let mut world = World::with(database, soon_spent()).await;
    let room = world.link("pier").await;
    world.folds_while_spent(&room).await;
    world.bridge.kill().await;
    world.bridge.start().await;
    world.drained().await;
    assert_eq!(world.texts(&room), ["first, unsaid", "fresh"]);
    world.close().await;
}

/// As many requests as messages, although each was edited: with a window that is short, so that it does not take
/// minutes.
async fn pairs_of_messages_and_edits_keep_the_budget(database: Database) {
    let options = Options {
        rate_limit: 100,
        rate_window: Duration::from_secs(10),
        ..Options::default()
    };
    pairs(database, options).await;
}

/// The same under Gitter's own limit.
#[tokio::test]
#[ignore = "takes three minutes; run it by name with --run-ignored all"]
async fn pairs_of_messages_and_edits_keep_gitters_own_budget() {
    let options = Options {
        rate_limit: 100,
        ..Options::default()
    };
    pairs(Database::Sqlite, options).await;
}

/// A budget that is spent soon, and for some seconds.
fn soon_spent() -> Options {
    Options {
        rate_limit: 20,
        rate_window: Duration::from_secs(8),
        ..Options::default()
    }
}

async fn pairs(database: Database, options: Options) {
    let mut world = World::with(database, options).await;
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        rooms.push(world.link_and_greet(&format!("room-{number}")).await);
    }
    world.bridge.kill().await;
    for number in 0..PAIRS {
        let room = &rooms[number % ROOMS];
        let event = world.ana_says(room, &format!("draft {number}"));
        world.ana_edits(room, &event, &format!("final {number}"));
    }
    let (before, begun) = (world.gitter.charged(), Instant::now());
    world.bridge.start().await;
    world.log_says("request budget is spent").await;
    let metrics = world.admin().metrics().await.unwrap();
    let wait = |name: &str| {
        let line = metrics.iter().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse::<f64>().ok()).unwrap()
    };
    let told = [
        wait("gitter_bridge_gitter_budget_wait_seconds "),
        wait("gitter_bridge_gitter_budget_backlog_wait_seconds "),
        wait("gitter_bridge_gitter_budget_queue{class=\"live\"} "),
    ];
    // The whole takes longer than anything is waited for by itself.
    until("most of them to have crossed", async || {
        let count = |room: &Room| world.gitter.messages(room.gitter).len();
        Ok((rooms.iter().map(count).sum::<usize>() > PAIRS / 2).then_some(()))
    })
    .await;
    world.drained().await;
    let (after, took) = (world.gitter.charged(), begun.elapsed());
    let requests = after.requests - before.requests;
    eprintln!(
        "{requests} requests, {} refused, in {} s; told wait, wait behind all, and requests waiting: {told:?}",
        after.refused,
        took.as_secs()
    );
    assert!(told[0] > 0.0 && told[1] >= told[0] && told[2] > 0.0, "{told:?}");
    assert!(requests <= 305, "{requests} requests");
    assert_eq!(after.refused, 0);
    assert!(took < Duration::from_secs(200), "{took:?}");
    for (first, room) in rooms.iter().enumerate() {
        let numbers = (first..PAIRS).step_by(ROOMS);
        let expected: Vec<String> = numbers.map(|number| format!("final {number}")).collect();
        assert_eq!(world.texts(room).split_off(1), expected);
    }
    world.close().await;
}

impl World {
    /// The texts of what the bridge posted in a room, in order.
    fn texts(&self, room: &Room) -> Vec<String> {
        let bridged = self.bridged(room).into_iter();
        bridged.map(|message| message.text).collect()
    }

    fn bridged(&self, room: &Room) -> Vec<StoredMessage> {
        let mut messages = self.gitter.messages(room.gitter);
        messages.retain(|message| message.author == "bridge_bot");
        messages
    }

    /// Links a room in which something has crossed: what was said while the bridge was down is then read at once.
    async fn link_and_greet(&mut self, name: &str) -> Room {
        let room = self.link(name).await;
        self.ana_says(&room, "hello");
        self.arrives_on_gitter(&room, "hello").await;
        self.drained().await;
        room
    }

    fn redacts(&self, room: &Room, event: &EventId) {
        self.homeserver.redact(&room.matrix, &self.ana, event);
    }

    async fn explained(&self, event: &EventId) -> Value {
        let (status, explained) = self.admin().explain(event.as_str()).await;
        assert_eq!(status, 200, "{explained}");
        explained
    }

    /// Says things in a room of its own until Gitter's budget is spent.
    async fn spend_budget(&mut self) {
        let room = self.link("quay").await;
        for number in 0..20 {
            self.ana_says(&room, &format!("spends {number}"));
        }
        self.log_says("request budget is spent").await;
    }

    /// Says a message and edits it while the budget is spent, until both are frozen together; gives the edit.
    async fn folds_while_spent(&mut self, room: &Room) -> OwnedEventId {
        self.spend_budget().await;
        let first = self.ana_says(room, "first");
        let edit = self.ana_edits(room, &first, "first, unsaid");
        self.ana_says(room, "fresh");
        self.homeserver.wait_until_pushed().await;
        until("the edit to be folded", async || {
            let folded = self.items("skipped superseded").await;
            Ok((folded == 1).then_some(()))
        })
        .await;
        edit
    }

    async fn log_says(&self, words: &str) {
        until(&format!("the log to say {words:?}"), async || {
            Ok(self.bridge.whole_log().contains(words).then_some(()))
        })
        .await;
    }
}
