//! The ledger for operators: what has failed is listed, explained, tried again at its old place, or dropped.

use gitter_sandbox::{Fault, FrameEffect, RequestEffect, RequestFault, When};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    homeserver::{Effect, Stage},
    world::{
        Options, Room, World,
        admin::Answer,
        database::{Database, on_both_databases},
        faults::status,
        id_of, until,
    },
};

on_both_databases![
    a_failed_message_is_retried_at_its_old_place,
    an_echo_settles_what_a_retried_item_overtook,
    what_may_have_arrived_on_gitter_is_looked_for_before_it_is_sent_again,
    what_may_have_arrived_on_matrix_is_found_behind_what_came_later,
    a_refused_deletion_is_retried,
    what_was_redacted_is_not_sent_any_more,
    an_older_text_does_not_come_back,
    what_waits_is_dropped_and_the_next_goes_on,
    items_of_rooms_that_were_parted_are_not_retried,
    any_id_is_explained,
    lists_come_in_pages,
    only_what_can_be_asked_is_answered,
    old_items_go_and_what_crossed_stays_known,
];

/// Counts the frozen actions that hold a text.
const KEPT: &str = "SELECT COUNT(*) FROM attempt WHERE action LIKE '%one%' AND gitter_room_id = $1";

/// Counts the events of a room that the ledger keeps. Of Gitter, what is near the newest could come again and stays.
const KEPT_ITEMS: &str = "SELECT COUNT(*) FROM inbox WHERE direction = 'to_gitter' AND gitter_room_id = $1";

/// Counts the texts of a room that the ledger keeps.
const TEXTS: &str = "SELECT COUNT(*) FROM inbox WHERE body LIKE '%message%' AND gitter_room_id = $1";

/// Lets 40 days pass.
const AGE: &str = "UPDATE inbox SET settled_at = settled_at - 3456000000 WHERE state = 'settled'";

/// The status and code of an answer.
fn refusal(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["errcode"].as_str().unwrap_or_default())
}

/// Waits for the first failed item, and gives its id.
async fn first_failed(world: &World) -> String {
    until("an item to fail", async || {
        let (_, list) = world.admin().items("state=failed").await;
        Ok(list["items"][0]["id"].as_str().map(str::to_owned))
    })
    .await
}

/// What is said of the first item of an explanation.
async fn explained(world: &World, id: &str) -> Value {
    let (status, mut answer) = world.admin().explain(id).await;
    assert_eq!(status, 200, "{answer}");
    answer["items"][0].take()
}

/// Waits until what was sent for an item may or may not have arrived.
async fn has_unknown_fate(world: &World, id: &str) {
    until("an attempt of unknown fate", async || {
        let (_, answer) = world.admin().explain(id).await;
        Ok((answer["items"][0]["attempts"][0]["state"] == "unknown").then_some(()))
    })
    .await;
}

/// Waits until an item is bridged.
async fn bridged(world: &World, id: &str) {
    until("the item to be bridged", async || {
        let item = explained(world, id).await;
        Ok((item["outcome"] == "bridged").then_some(()))
    })
    .await;
}

fn texts(world: &World, room: &Room) -> Vec<String> {
    let messages = world.gitter.messages(room.gitter).into_iter();
    messages.map(|message| message.text).collect()
}

async fn a_failed_message_is_retried_at_its_old_place(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    // Whether this one arrived is not known for a quarter of a minute.
    world.posts_suffer(&room, RequestEffect::Status(500), When::Before, 1);
    let said = world.ana_says(&room, "one");
    let id = first_failed(&world).await;
    let second = world.ana_says(&room, "two");
    world.ana_says(&room, "three");
    has_unknown_fate(&world, second.as_str()).await;
    // Impatience does not make it be looked for too early, and so sent twice.
    let item = explained(&world, second.as_str()).await;
    assert_eq!(world.admin().retry(item["id"].as_str().unwrap()).await.0, 202);
    let item = explained(&world, second.as_str()).await;
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let waits = time(&item["next_attempt_at"]) - time(&item["attempts"][0]["opened_at"]);
    assert!(waits.total(jiff::Unit::Second).unwrap() >= 15.0, "{item}");

    let item = explained(&world, said.as_str()).await;
    assert_eq!(item["id"], id.as_str(), "{item}");
    assert_eq!(
        [&item["outcome"], &item["reason"]],
        ["failed", "forbidden"],
        "{item}"
    );
    assert_eq!(item["attempts"][0]["action"], "send", "{item}");

    assert_eq!(world.admin().retry(&id).await, (202, Value::Null));
    bridged(&world, &id).await;
    world.crossed().await;
    assert_eq!(texts(&world, &room), ["one", "two", "three"]);
    let again = world.admin().retry(&id).await;
    assert_eq!(refusal(&again), (409, "GITTER_NOT_RETRIED"), "{}", again.1);
    world.finish().await;
}

async fn an_echo_settles_what_a_retried_item_overtook(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    world.posts_suffer(&room, RequestEffect::Reset, When::After, 1);
    world.frames_suffer(&room, FrameEffect::DelayMs(4_000), 1);
    world.ana_says(&room, "one");
    let id = first_failed(&world).await;
    let said = world.ana_says(&room, "two");
    has_unknown_fate(&world, said.as_str()).await;
    world.posts_suffer(&room, RequestEffect::Status(500), When::Before, 1);
    assert_eq!(world.admin().retry(&id).await.0, 202);
    // Its own fate is unknown then, for a quarter of a minute, and it is before the second.
    bridged(&world, said.as_str()).await;
    assert_eq!(explained(&world, &id).await["state"], "waiting");
    let (_, answer) = world.admin().explain(said.as_str()).await;
    assert_eq!(
        answer["messages"][0]["matrix_event_id"],
        said.as_str(),
        "{answer}"
    );
    bridged(&world, &id).await;
    world.drained().await;
    assert_eq!(texts(&world, &room), ["two", "one"]);
    world.close().await;
}

/// Whatever an item's first failure is, the next one is its end.
fn impatient() -> Options {
    Options {
        give_up_after: "1ms",
        ..Options::default()
    }
}

async fn what_may_have_arrived_on_gitter_is_looked_for_before_it_is_sent_again(database: Database) {
    let mut world = World::with(database, impatient()).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Reset, When::After, 1);
    world.frames_suffer(&room, FrameEffect::Drop, 1);
    world.gitter.add_fault(Fault::Request(RequestFault {
        effect: RequestEffect::Status(500),
        when: When::Before,
        times: 2,
        method: Some("GET".to_owned()),
        path: format!("/rooms/{}/chatMessages", room.gitter),
    }));
    world.ana_says(&room, "one");
    let id = first_failed(&world).await;
    let item = explained(&world, &id).await;
    assert_eq!(item["reason"], "gave_up", "{item}");
    assert_eq!(item["attempts"][0]["state"], "unknown", "{item}");
    world.ana_says(&room, "two");
    world.arrives_on_gitter(&room, "two").await;
    // The time to give up starts anew, though nothing can be sent as long as it cannot be looked.
    assert_eq!(world.admin().retry(&id).await.0, 202);
    until("the item to fail again", async || {
        let item = explained(&world, &id).await;
        Ok((item["reason"] == "gave_up").then_some(()))
    })
    .await;
    assert_eq!(world.admin().retry(&id).await.0, 202);
    bridged(&world, &id).await;
    assert_eq!(texts(&world, &room), ["one", "two"], "and no copy");
    assert_eq!(world.tries_to_gitter(&room).await, 2);
    world.finish().await;
}

async fn what_may_have_arrived_on_matrix_is_found_behind_what_came_later(database: Database) {
    // Without devices the bridge looks for what it sent, instead of relying on the homeserver's memory.
    let options = Options {
        devices: false,
        ..impatient()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    world.wren_says(&room, "zero");
    world.arrives_on_matrix(&room, "zero").await;
    world.sends_suffer(status(StatusCode::BAD_GATEWAY), Stage::After, 1);
    let fault = status(StatusCode::BAD_GATEWAY);
    // More than it takes: the bridge also reads the room's history for other reasons.
    world.requests_suffer(Method::GET, "/messages", fault, Stage::Before, 20);
    world.wren_says(&room, "one");
    let id = first_failed(&world).await;
    let history = format!("{}_matrix/client/v3/rooms/x/messages", world.homeserver.url());
    while world.homeserver.faults_left() > 0 {
        reqwest::get(&history).await.unwrap();
    }
    let item = explained(&world, &id).await;
    assert_eq!(item["attempts"][0]["state"], "unknown", "{item}");
    world.wren_says(&room, "two");
    world.arrives_on_matrix(&room, "two").await;
    // After that the homeserver does not know its transaction ids any more.
    world.homeserver.restart().await;
    assert_eq!(world.admin().retry(&id).await.0, 202);
    bridged(&world, &id).await;
    assert_eq!(world.messages_on_matrix(&room).len(), 3, "and no copy");
    world.finish().await;
}

async fn a_refused_deletion_is_retried(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let of_wren = world.wren_says(&room, "first");
    let event = id_of(&world.arrives_on_matrix(&room, "first").await);
    let forbidden = Effect::Status {
        status: StatusCode::FORBIDDEN,
        errcode: Some("M_FORBIDDEN"),
        retry_after: None,
    };
    world.requests_suffer(Method::PUT, "/redact/", forbidden, Stage::Before, 2);
    world.gitter.delete("wren", room.gitter, of_wren).unwrap();
    let id = first_failed(&world).await;
    assert_eq!(world.admin().retry(&id).await, (202, Value::Null));
    world.is_redacted_soon(&room, &event).await;
    bridged(&world, &id).await;
    world.drained().await;
    world.close().await;
}

async fn what_was_redacted_is_not_sent_any_more(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    let said = world.ana_says(&room, "one");
    let id = first_failed(&world).await;
    world.homeserver.redact(&room.matrix, &world.ana, &said);
    world.drained().await;
    let answer = world.admin().retry(&id).await;
    assert_eq!(refusal(&answer), (409, "GITTER_NOT_RETRIED"), "{}", answer.1);
    assert!(
        answer.1["error"].as_str().unwrap().contains("redacted"),
        "{}",
        answer.1
    );
    assert_eq!(world.database.number(KEPT, &room.gitter.to_string()).await, 0);
    assert_eq!(world.admin().drop_item(&id).await, (204, Value::Null));
    let item = explained(&world, &id).await;
    assert_eq!(
        [&item["outcome"], &item["reason"]],
        ["skipped", "dropped_by_operator"],
        "{item}"
    );
    world.close().await;
}

async fn an_older_text_does_not_come_back(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let said = world.ana_says(&room, "first");
    world.arrives_on_gitter(&room, "first").await;
    world.changes_suffer(&room, "PUT", RequestEffect::Status(403), 1);
    world.ana_edits(&room, &said, "second");
    let id = first_failed(&world).await;
    world.ana_edits(&room, &said, "third");
    world.arrives_on_gitter(&room, "third").await;
    world.drained().await;
    let answer = world.admin().retry(&id).await;
    assert_eq!(refusal(&answer), (409, "GITTER_NOT_RETRIED"), "{}", answer.1);
    assert_eq!(world.admin().drop_item(&id).await.0, 204);
    assert_eq!(texts(&world, &room), ["third"]);
    world.close().await;
}

async fn what_waits_is_dropped_and_the_next_goes_on(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Status(500), When::Before, 1);
    let said = world.ana_says(&room, "one");
    world.ana_says(&room, "two");
    has_unknown_fate(&world, said.as_str()).await;
    let (_, list) = world
        .admin()
        .items(&format!("state=waiting&room={}", room.gitter))
        .await;
    let id = list["items"][0]["id"].as_str().unwrap();
    assert_eq!(list["items"][0]["source_id"], said.as_str(), "{list}");
    assert!(list["items"][0]["next_attempt_at"].is_string(), "{list}");
    assert_eq!(world.admin().drop_item(id).await, (204, Value::Null));
    world.arrives_on_gitter(&room, "two").await;
    world.drained().await;
    assert_eq!(texts(&world, &room), ["two"]);
    let item = explained(&world, id).await;
    assert_eq!(
        [&item["outcome"], &item["reason"]],
        ["skipped", "dropped_by_operator"],
        "{item}"
    );
    assert!(
        item["detail"].as_str().unwrap().contains("may have arrived"),
        "{item}"
    );
    let again = world.admin().drop_item(id).await;
    assert_eq!(refusal(&again), (409, "GITTER_NOT_DROPPED"), "{}", again.1);
    world.close().await;
}

async fn items_of_rooms_that_were_parted_are_not_retried(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    world.ana_says(&room, "one");
    let id = first_failed(&world).await;
    assert_eq!(world.admin().unlink(&room.gitter.to_string()).await.0, 204);
    let answer = world.admin().retry(&id).await;
    assert_eq!(refusal(&answer), (409, "GITTER_NOT_RETRIED"), "{}", answer.1);
    world.link_rooms(room.clone()).await;
    let answer = world.admin().retry(&id).await;
    assert_eq!(refusal(&answer), (409, "GITTER_NOT_RETRIED"), "{}", answer.1);
    assert_eq!(world.admin().drop_item(&id).await.0, 204);
    world.close().await;
}

async fn any_id_is_explained(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let said = world.ana_says(&room, "one");
    let posted = world.arrives_on_gitter(&room, "one").await.id.to_string();
    let written = world.wren_says(&room, "two").to_string();
    let event = id_of(&world.arrives_on_matrix(&room, "two").await);
    world.drained().await;
    for (asked, direction, source, other) in [
        (said.as_str(), "to_gitter", said.as_str(), posted.as_str()),
        (&posted, "to_gitter", said.as_str(), &posted),
        (&written, "to_matrix", &written, event.as_str()),
        (event.as_str(), "to_matrix", &written, event.as_str()),
    ] {
        let item = explained(&world, asked).await;
        assert_eq!(item["direction"], direction, "{asked}: {item}");
        assert_eq!(item["source_id"], source, "{asked}: {item}");
        assert_eq!(item["outcome"], "bridged", "{asked}: {item}");
        assert_eq!(item["room"], room.gitter.to_string(), "{asked}: {item}");
        let ids = json!([item["matrix_event_ids"], item["gitter_message_ids"]]).to_string();
        assert!(ids.contains(source) && ids.contains(other), "{asked}: {item}");
        let by_item = explained(&world, item["id"].as_str().unwrap()).await;
        assert_eq!(by_item, item);
    }
    for nothing in [
        "$nothing",
        "5f0000000000000000000fff",
        "to_gitter.live.999",
        "x y",
    ] {
        assert_eq!(
            refusal(&world.admin().explain(nothing).await),
            (404, "M_NOT_FOUND"),
            "{nothing}"
        );
    }
    world.finish().await;
}

async fn lists_come_in_pages(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let other = world.link("cove").await;
    for (room, count) in [(&room, 101), (&other, 2)] {
        world.posts_suffer(room, RequestEffect::Status(403), When::Before, count);
        for number in 0..count {
            world.ana_says(room, &format!("message {number}"));
        }
    }
    world.drained().await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    for expected in [100, 3] {
        let (status, list) = world.admin().items(&format!("state=failed{after}")).await;
        assert_eq!(status, 200, "{list}");
        let items = list["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), expected, "{list}");
        seen.extend(
            items
                .into_iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        after = list["next"]
            .as_str()
            .map_or_else(String::new, |next| format!("&after={next}"));
    }
    assert_eq!(after, "", "the second page is the last");
    seen.dedup();
    assert_eq!(seen.len(), 103);
    let matrix = other.matrix.as_str().replace('!', "%21").replace(':', "%3A");
    for of_other in [other.gitter.to_string(), matrix] {
        let (_, list) = world.admin().items(&format!("room={of_other}")).await;
        assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
    }
    world.close().await;
}

async fn only_what_can_be_asked_is_answered(database: Database) {
    let world = World::start(database).await;
    for query in ["state=settled", "after=x", "oops=1", "after=to_gitter.live.0"] {
        let answer = world.admin().items(query).await;
        assert_eq!(refusal(&answer), (400, "M_INVALID_PARAM"), "{query}");
        assert!(answer.1["mend"].is_string(), "{}", answer.1);
    }
    let nowhere = world.admin().items("room=%21nowhere%3Alocalhost").await;
    assert_eq!(refusal(&nowhere), (404, "M_NOT_FOUND"));
    for (id, expected) in [
        ("x", (400, "M_INVALID_PARAM")),
        ("to_gitter.live.999", (404, "M_NOT_FOUND")),
        (
            "to_gitter.live.999.5f0000000000000000000fff",
            (404, "M_NOT_FOUND"),
        ),
    ] {
        assert_eq!(refusal(&world.admin().retry(id).await), expected, "{id}");
        assert_eq!(refusal(&world.admin().drop_item(id).await), expected, "{id}");
    }
    assert_eq!(
        world.admin().items("").await,
        (200, json!({ "items": [], "next": null }))
    );
    for (method, path) in [
        (Method::GET, "items"),
        (Method::POST, "items/x/retry"),
        (Method::DELETE, "items/x"),
        (Method::GET, "explain/x"),
    ] {
        let request = world.admin().request(method.clone(), path);
        let answer = crate::world::admin::answer(request).await.unwrap();
        assert_eq!(refusal(&answer), (401, "M_MISSING_TOKEN"), "{method} {path}");
    }
    world.close().await;
}

async fn old_items_go_and_what_crossed_stays_known(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let edited = world.wren_says(&room, "first");
    let event = id_of(&world.arrives_on_matrix(&room, "first").await);
    world.both_say(&room, "message", 40);
    world.crossed().await;
    let of_room = room.gitter.to_string();
    let before = world.database.number(KEPT_ITEMS, &of_room).await;
    world.bridge.stop().await;
    world.database.change(AGE).await;
    world.bridge.start().await;
    until("old items to go", async || {
        let left = world.database.number(KEPT_ITEMS, &of_room).await;
        Ok((left <= 50).then_some(()))
    })
    .await;
    assert!(before > 81, "{before}");
    until("all texts to be forgotten", async || {
        Ok((world.database.number(TEXTS, &of_room).await == 0).then_some(()))
    })
    .await;
    let (status, answer) = world.admin().explain(event.as_str()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        answer["messages"][0]["gitter_message_id"],
        edited.to_string(),
        "{answer}"
    );
    world.gitter.edit("wren", room.gitter, edited, "second").unwrap();
    world.arrives_as_edit(&room, "* second").await;
    world.gitter.edit("wren", room.gitter, edited, "first").unwrap();
    world.arrives_as_edit(&room, "* first").await;
    world.finish().await;
}
