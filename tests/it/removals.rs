//! What is deleted stays deleted on both sides, and takes nothing else along, whatever stands in the way.

use gitter_sandbox::{Fault, RequestEffect, RequestFault, When};
use reqwest::{Client, Method, StatusCode};
use ruma::{EventId, OwnedEventId};
use serde_json::json;

use crate::{
    homeserver::{Effect, Stage},
    world::{
        Options, Room, World,
        database::{Database, on_both_databases},
        faults::status,
        id_of, until,
    },
};

on_both_databases![
    a_deleted_edit_is_not_taken_for_a_later_message,
    links_end_with_a_redaction_whatever_gitter_makes_of_it,
    links_end_with_a_redaction_while_the_rooms_are_not_linked,
    an_edit_that_waits_does_not_bring_a_deleted_text_back,
    the_bot_redacts_for_a_ghost_that_was_banned,
    one_refused_redaction_does_not_keep_the_others_back,
    edits_while_away_are_found_beyond_the_snapshot,
    rights_that_cannot_be_read_are_asked_for_again,
    a_file_waits_for_the_homeserver,
];

/// Counts what is kept of files called oars.
const SAID: &str = "SELECT COUNT(*) FROM inbox WHERE body LIKE '%oars%' AND gitter_room_id = $1";

/// How often something was tried for a redaction.
const TRIES: &str = "SELECT attempts FROM inbox WHERE operation = 'm.room.redaction' AND gitter_room_id = $1";

/// A refusal of a homeserver.
fn refusal(status: StatusCode, errcode: &'static str) -> Effect {
    Effect::Status {
        status,
        errcode: Some(errcode),
        retry_after: None,
    }
}

async fn a_deleted_edit_is_not_taken_for_a_later_message(database: Database) {
    // Without devices the bridge looks for what it sent, instead of relying on the homeserver's memory.
    let options = Options {
        devices: false,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    let of_wren = world.wren_says(&room, "first");
    let event = id_of(&world.arrives_on_matrix(&room, "first").await);
    world.gitter.edit("wren", room.gitter, of_wren, "second").unwrap();
    world.arrives_as_edit(&room, "* second").await;
    world.gitter.delete("wren", room.gitter, of_wren).unwrap();
    world.is_redacted_soon(&room, &event).await;
    world.drained().await;

    world.sends_suffer(status(StatusCode::BAD_GATEWAY), Stage::Before, 1);
    world.wren_says(&room, "another");
    world.arrives_on_matrix(&room, "another").await;
    world.close().await;
}

async fn links_end_with_a_redaction_whatever_gitter_makes_of_it(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let (event, link) = world.ana_shows_a_file(&room).await;
    assert_eq!(world.opens(&link).await, StatusCode::OK);
    world.changes_suffer(&room, "DELETE", RequestEffect::Status(503), 1);
    world.changes_suffer(&room, "DELETE", RequestEffect::Status(403), 1);
    world.homeserver.redact(&room.matrix, &world.ana, &event);
    world.homeserver.wait_until_pushed().await;
    assert_eq!(
        world.opens(&link).await,
        StatusCode::GONE,
        "before Gitter answers"
    );
    world.drained().await;
    assert_eq!(world.items("failed forbidden").await, 1);
    let said = world.database.number(SAID, &room.gitter.to_string()).await;
    assert_eq!(said, 0, "events that are kept");
    world.close().await;
}

async fn links_end_with_a_redaction_while_the_rooms_are_not_linked(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let (event, link) = world.ana_shows_a_file(&room).await;
    let (kept, kept_link) = world.ana_shows_a_file(&room).await;
    assert_eq!(world.admin().unlink(&room.gitter.to_string()).await.0, 204);
    assert_eq!(world.opens(&link).await, StatusCode::GONE);
    world.homeserver.redact(&room.matrix, &world.ana, &event);
    world.homeserver.wait_until_pushed().await;
    world.link_rooms(room.clone()).await;
    assert_eq!(world.opens(&link).await, StatusCode::GONE);
    assert_eq!(world.opens(&kept_link).await, StatusCode::OK, "{kept}");
    world.close().await;
}

async fn an_edit_that_waits_does_not_bring_a_deleted_text_back(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    world.the_bot_may_moderate(&room);
    let of_ana = world.ana_says(&room, "first");
    let posted = world.arrives_on_gitter(&room, "first").await.id;
    // With a reply, Gitter keeps the message without its text.
    world.gitter.reply("kelp", room.gitter, posted, "Aye.").unwrap();
    world.arrives_on_matrix(&room, "Aye.").await;
    world.changes_suffer(&room, "PUT", RequestEffect::Status(503), 1);
    let edit = json!({
        "msgtype": "m.text", "body": "* second",
        "m.new_content": { "msgtype": "m.text", "body": "second" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": of_ana },
    });
    world.ana_sends(&room, edit);
    until("the edit to be refused", async || {
        Ok((world.tries_to_gitter(&room).await == 2).then_some(()))
    })
    .await;
    world.gitter.delete("wren", room.gitter, posted).unwrap();
    world.drained().await;
    assert_eq!(world.items("skipped gone").await, 1);
    let left = world.gitter.messages(room.gitter);
    let texts: Vec<&str> = left.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["", "Aye."]);
    world.close().await;
}

async fn the_bot_redacts_for_a_ghost_that_was_banned(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.the_bot_may_moderate(&room);
    let of_wren = world.wren_says(&room, "spam");
    let event = world.arrives_on_matrix(&room, "spam").await;
    let ghost = event["sender"].as_str().unwrap();
    let ban = json!({ "membership": "ban" });
    world
        .homeserver
        .set_state(&room.matrix, &world.ana, "m.room.member", ghost, ban);
    world.drained().await;
    world.gitter.delete("wren", room.gitter, of_wren).unwrap();
    world.is_redacted_soon(&room, &id_of(&event)).await;
    world.drained().await;
    assert_eq!(world.items("failed forbidden").await, 0);
    world.close().await;
}

async fn one_refused_redaction_does_not_keep_the_others_back(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let of_wren = world.wren_says(&room, "first");
    let event = id_of(&world.arrives_on_matrix(&room, "first").await);
    for text in ["second", "third"] {
        world.gitter.edit("wren", room.gitter, of_wren, text).unwrap();
        world.arrives_as_edit(&room, &format!("* {text}")).await;
    }
    let edits = world.edits_of(&room, &event);
    // The first redaction is refused to the ghost and to the bot; what the second redacts is not there.
    let forbidden = refusal(StatusCode::FORBIDDEN, "M_FORBIDDEN");
    let missing = refusal(StatusCode::NOT_FOUND, "M_NOT_FOUND");
    world.requests_suffer(Method::PUT, "/redact/", forbidden, Stage::Before, 2);
    world.requests_suffer(Method::PUT, "/redact/", missing, Stage::Before, 1);
    world.gitter.delete("wren", room.gitter, of_wren).unwrap();
    world.is_redacted_soon(&room, &edits[1]).await;
    world.drained().await;
    assert_eq!(world.items("failed forbidden").await, 1);
    assert!(!world.is_redacted(&room, &event));
    world.close().await;
}

async fn edits_while_away_are_found_beyond_the_snapshot(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let edited = world.wren_says(&room, "first");
    world.arrives_on_matrix(&room, "first").await;
    // What was the newest when the bridge stopped is 60 s older than its successor: Gitter's ids tell.
    world.gitter.add_fault(Fault::ClockSkewMs(60_000));
    world.wren_says(&room, "before");
    world.arrives_on_matrix(&room, "before").await;
    world.drained().await;
    world.bridge.kill().await;
    world.gitter.edit("wren", room.gitter, edited, "second").unwrap();
    for number in 0..120 {
        world.wren_says(&room, &format!("missed {number}"));
    }
    world.bridge.start().await;
    world.arrives_on_matrix(&room, "missed 119").await;
    world.arrives_as_edit(&room, "* second").await;
    world.drained().await;
    assert_eq!(world.messages_on_matrix(&room).len(), 122);
    world.close().await;
}

async fn rights_that_cannot_be_read_are_asked_for_again(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["bridge_bot"]).await;
    world.allow_moderation(&room).await;
    let of_wren = world.wren_says(&room, "spam");
    let event = id_of(&world.arrives_on_matrix(&room, "spam").await);
    let fault = status(StatusCode::BAD_GATEWAY);
    world.requests_suffer(Method::GET, "/state", fault, Stage::Before, 2);
    world.homeserver.redact(&room.matrix, &world.ana, &event);
    until("the message to be gone", async || {
        let messages = world.gitter.messages(room.gitter);
        Ok(messages.iter().all(|message| message.id != of_wren).then_some(()))
    })
    .await;
    let tries = world.database.number(TRIES, &room.gitter.to_string()).await;
    assert_eq!(tries, 3, "two that could not be read, and the deletion");
    world.close().await;
}

async fn a_file_waits_for_the_homeserver(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let busy = Effect::Status {
        status: StatusCode::TOO_MANY_REQUESTS,
        errcode: Some("M_LIMIT_EXCEEDED"),
        retry_after: Some(std::time::Duration::from_secs(1)),
    };
    world.requests_suffer(Method::POST, "/upload", busy, Stage::Before, 1);
    let bytes = b"two oars".to_vec();
    world
        .gitter
        .upload("wren", room.gitter, "list.txt", "text/plain", bytes)
        .unwrap();
    let event = world.arrives_on_matrix(&room, "list.txt").await;
    assert_eq!(event["content"]["msgtype"], "m.file");
    world.close().await;
}

impl World {
    /// Gives the bot the power to remove what others wrote.
    pub(crate) fn the_bot_may_moderate(&self, room: &Room) {
        let levels = json!({ "users": { self.ana.as_str(): 100, "@gitterbot:localhost": 50 } });
        self.homeserver
            .set_state(&room.matrix, &self.ana, "m.room.power_levels", "", levels);
    }

    /// Ana sends a file; gives the event, and the link that Gitter shows.
    pub(crate) async fn ana_shows_a_file(&self, room: &Room) -> (OwnedEventId, String) {
        let mxc = self.homeserver.add_media("text/plain", b"two oars".to_vec());
        let before = self.gitter.messages(room.gitter).len();
        let content = json!({ "msgtype": "m.file", "body": "oars.txt", "url": mxc });
        let event = self.ana_sends(room, content);
        let text = until("the link on Gitter", async || {
            let messages = self.gitter.messages(room.gitter);
            Ok(messages.get(before).map(|message| message.text.clone()))
        })
        .await;
        let link = text.rsplit_once("](").unwrap().1.trim_end_matches(')');
        (event, link.to_owned())
    }

    /// What a browser is answered that opens a link, past the proxy in front of the bridge.
    pub(crate) async fn opens(&self, link: &str) -> StatusCode {
        let signed = link.rsplit('/').next().unwrap();
        let address = self.bridge.appservice().join(&format!("media/{signed}"));
        Client::new().get(address.unwrap()).send().await.unwrap().status()
    }

    /// The next changes of messages of a Gitter room suffer.
    pub(crate) fn changes_suffer(&self, room: &Room, method: &str, effect: RequestEffect, times: u32) {
        self.gitter.add_fault(Fault::Request(RequestFault {
            effect,
            when: When::Before,
            times,
            method: Some(method.to_owned()),
            path: format!("/rooms/{}/chatMessages/", room.gitter),
        }));
    }

    /// The edits of an event, oldest first.
    fn edits_of(&self, room: &Room, event: &EventId) -> Vec<OwnedEventId> {
        let mut events = self.homeserver.events(&room.matrix);
        events.retain(|edit| edit["content"]["m.relates_to"]["event_id"] == event.as_str());
        events.iter().map(id_of).collect()
    }

    pub(crate) async fn is_redacted_soon(&self, room: &Room, id: &EventId) {
        until("the event to be redacted", async || {
            Ok(self.is_redacted(room, id).then_some(()))
        })
        .await;
    }
}
