//! Edits and deletions cross both ways, each with one effect, whatever goes wrong on the way.

use gitter_sandbox::{Fault, ObjectId, RequestEffect, RequestFault, StoredMessage, When};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    homeserver::Stage,
    world::{
        Room, World,
        database::{Database, on_both_databases},
        faults::status,
        id_of, until,
    },
};

/// Counts what is still kept of the texts of a room that hold "unsaid".
const UNSAID: &str = "SELECT (SELECT COUNT(*) FROM inbox WHERE body LIKE '%unsaid%' AND gitter_room_id = $1)
    + (SELECT COUNT(*) FROM attempt WHERE action LIKE '%unsaid%' AND gitter_room_id = $1)
    + (SELECT COUNT(*) FROM message WHERE text LIKE '%unsaid%' AND gitter_room_id = $1)";

on_both_databases![
    edits_cross_both_ways,
    deletions_cross_both_ways_and_leave_no_text,
    a_reply_to_what_was_deleted_still_crosses,
    an_edit_too_late_for_gitter_becomes_a_correction,
    redacting_an_edit_brings_the_text_before_back,
    an_edit_that_shortens_takes_parts_back,
    an_admin_of_gitter_removes_what_matrix_people_wrote,
    a_moderator_of_matrix_removes_what_gitter_people_wrote,
    whoever_may_not_redact_on_matrix_removes_nothing_on_gitter,
    a_change_of_what_did_not_cross_is_skipped_for_its_reason,
    changes_whose_answers_are_lost_have_one_effect,
    changes_while_the_bridge_is_down_cross_afterwards,
];

async fn edits_cross_both_ways(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let of_ana = world.ana_says(&room, "Ahoi.");
    let posted = world.arrives_on_gitter(&room, "Ahoi.").await.id;
    world.ana_edits(&room, &of_ana, "Ahoy.");
    assert_eq!(world.arrives_on_gitter(&room, "Ahoy.").await.id, posted);

    let of_wren = world.wren_says(&room, "Ahoi yourself.");
    let event = id_of(&world.arrives_on_matrix(&room, "Ahoi yourself.").await);
    world
        .gitter
        .edit("wren", room.gitter, of_wren, "Ahoy yourself, @kelp.")
        .unwrap();
    let edit = world.arrives_as_edit(&room, "* Ahoy yourself, @kelp.").await;
    let content = &edit["content"];
    assert_eq!(
        content["m.relates_to"],
        json!({ "rel_type": "m.replace", "event_id": event })
    );
    assert_eq!(content["m.new_content"]["body"], "Ahoy yourself, @kelp.");
    assert_eq!(content["im.gitter.source"]["op"], "edit");
    let edited_at = world.on_gitter(&room, of_wren).unwrap().edited_at.unwrap();
    assert_eq!(edit["origin_server_ts"], json!(edited_at.as_millisecond()));

    // A reply only counts up on its parent: that is no edit.
    world.gitter.reply("kelp", room.gitter, of_wren, "Aye.").unwrap();
    world.arrives_on_matrix(&room, "Aye.").await;
    world.drained().await;
    assert_eq!(world.edits_on_matrix(&room).len(), 2, "one of each side");
    world.close().await;
}

async fn deletions_cross_both_ways_and_leave_no_text(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let of_ana = world.ana_says(&room, "unsaid by ana");
    let posted = world.arrives_on_gitter(&room, "unsaid by ana").await.id;
    world.ana_edits(&room, &of_ana, "unsaid by ana again");
    world.arrives_on_gitter(&room, "unsaid by ana again").await;
    let of_wren = world.wren_says(&room, "unsaid by wren");
    let event = id_of(&world.arrives_on_matrix(&room, "unsaid by wren").await);
    world
        .gitter
        .edit("wren", room.gitter, of_wren, "unsaid by wren again")
        .unwrap();
    let edit = id_of(&world.arrives_as_edit(&room, "* unsaid by wren again").await);

    world.homeserver.redact(&room.matrix, &world.ana, &of_ana);
    world.gitter.delete("wren", room.gitter, of_wren).unwrap();
    until("both to be gone", async || {
        let gone = world.on_gitter(&room, posted).is_none();
        let redacted = [&event, &edit]
            .iter()
            .all(|event| world.is_redacted(&room, event));
        Ok((gone && redacted).then_some(()))
    })
    .await;
    world.drained().await;

    let left = world.database.number(UNSAID, &room.gitter.to_string()).await;
    assert_eq!(left, 0, "rows that still hold what was deleted");
    world.close().await;
}

async fn a_reply_to_what_was_deleted_still_crosses(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let root = world.wren_says(&room, "Who is in?");
    let event = id_of(&world.arrives_on_matrix(&room, "Who is in?").await);
    world.gitter.reply("kelp", room.gitter, root, "I am.").unwrap();
    world.arrives_on_matrix(&room, "I am.").await;
    // With a reply, it is kept without its text.
    world.gitter.delete("wren", room.gitter, root).unwrap();
    until("the root to be redacted", async || {
        Ok(world.is_redacted(&room, &event).then_some(()))
    })
    .await;
    world.gitter.reply("kelp", room.gitter, root, "Anyone?").unwrap();
    let reply = world.arrives_on_matrix(&room, "Anyone?").await;
    assert_eq!(reply["content"]["m.relates_to"]["event_id"], json!(event));
    world.close().await;
}

async fn an_edit_too_late_for_gitter_becomes_a_correction(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let of_ana = world.ana_says(&room, "Ahoi.");
    let posted = world.arrives_on_gitter(&room, "Ahoi.").await.id;
    // The bridge learns of it by Gitter's refusal only.
    world.gitter.add_fault(Fault::ClockSkewMs(700_000));
    world.ana_edits(&room, &of_ana, "Ahoy.");
    let link = format!("{}/{}?at={posted}", world.gitter_web(), room.uri);
    let text = format!(":point_up: [Edit]({link}): Ahoy.");
    let correction = world.arrives_on_gitter(&room, &text).await.id;
    assert_eq!(world.on_gitter(&room, posted).unwrap().text, "Ahoi.");

    world.homeserver.redact(&room.matrix, &world.ana, &of_ana);
    until("message and correction to be gone", async || {
        let is_left = |id| world.on_gitter(&room, id).is_some();
        Ok((!is_left(posted) && !is_left(correction)).then_some(()))
    })
    .await;
    world.close().await;
}

async fn redacting_an_edit_brings_the_text_before_back(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let of_ana = world.ana_says(&room, "first");
    world.arrives_on_gitter(&room, "first").await;
    let second = world.ana_edits(&room, &of_ana, "second");
    let third = world.ana_edits(&room, &of_ana, "third");
    let posted = world.arrives_on_gitter(&room, "third").await.id;
    world.homeserver.redact(&room.matrix, &world.ana, &third);
    assert_eq!(world.arrives_on_gitter(&room, "second").await.id, posted);
    world.homeserver.redact(&room.matrix, &world.ana, &second);
    assert_eq!(world.arrives_on_gitter(&room, "first").await.id, posted);
    world.close().await;
}

async fn an_edit_that_shortens_takes_parts_back(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let line = "All hands on deck, the tide turns. ".repeat(200);
    let of_ana = world.ana_says(&room, line.trim());
    until("two parts", async || {
        Ok((world.gitter.messages(room.gitter).len() == 2).then_some(()))
    })
    .await;
    world.ana_edits(&room, &of_ana, "All done.");
    world.arrives_on_gitter(&room, "All done.").await;
    until("one part", async || {
        Ok((world.gitter.messages(room.gitter).len() == 1).then_some(()))
    })
    .await;
    world.drained().await;
    assert!(
        !world.is_redacted(&room, &of_ana),
        "the bridge's own deletion came back as one of Gitter's"
    );
    world.close().await;
}

async fn an_admin_of_gitter_removes_what_matrix_people_wrote(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    let of_ana = world.ana_says(&room, "spam");
    let posted = world.arrives_on_gitter(&room, "spam").await.id;
    let levels = json!({ "users": { world.ana.as_str(): 100, "@gitterbot:localhost": 50 } });
    let (matrix, ana) = (&room.matrix, &world.ana);
    world
        .homeserver
        .set_state(matrix, ana, "m.room.power_levels", "", levels);
    world.gitter.delete("wren", room.gitter, posted).unwrap();
    until("the event to be redacted", async || {
        Ok(world.is_redacted(&room, &of_ana).then_some(()))
    })
    .await;
    world.close().await;
}

async fn a_moderator_of_matrix_removes_what_gitter_people_wrote(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["bridge_bot"]).await;
    world.allow_moderation(&room).await;
    let of_wren = world.wren_says(&room, "spam");
    let event = id_of(&world.arrives_on_matrix(&room, "spam").await);
    world.homeserver.redact(&room.matrix, &world.ana, &event);
    until("the message to be gone", async || {
        Ok(world.on_gitter(&room, of_wren).is_none().then_some(()))
    })
    .await;
    world.close().await;
}

async fn whoever_may_not_redact_on_matrix_removes_nothing_on_gitter(database: Database) {
    let mut world = World::start(database).await;
    // The account is no admin of this room, so that Gitter lets it delete only what is its own.
    let room = world.link("pier").await;
    let of_wren = world.wren_says(&room, "stays");
    let event = id_of(&world.arrives_on_matrix(&room, "stays").await);
    world.homeserver.redact(&room.matrix, &world.ana, &event);
    world.drained().await;
    until("it to be skipped", async || {
        Ok((world.items("skipped not_allowed").await == 1).then_some(()))
    })
    .await;
    assert!(world.on_gitter(&room, of_wren).is_some());
    world.close().await;
}

async fn a_change_of_what_did_not_cross_is_skipped_for_its_reason(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let blank = world.ana_says(&room, "   ");
    world.homeserver.redact(&room.matrix, &world.ana, &blank);
    world.ana_says(&room, "after");
    world.arrives_on_gitter(&room, "after").await;
    world.drained().await;
    // Redacted before it was pushed or after: either way the redaction has the reason of what it redacts.
    let reasons = world.items("skipped empty").await + world.items("skipped redacted").await;
    assert_eq!(reasons, 2);
    world.close().await;
}

async fn changes_whose_answers_are_lost_have_one_effect(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let of_ana = world.ana_says(&room, "first");
    let posted = world.arrives_on_gitter(&room, "first").await.id;
    world.gitter_loses_answer(&room, "PUT");
    world.ana_edits(&room, &of_ana, "second");
    world.arrives_on_gitter(&room, "second").await;
    world.gitter_loses_answer(&room, "DELETE");
    world.homeserver.redact(&room.matrix, &world.ana, &of_ana);
    until("the message to be gone", async || {
        Ok(world.on_gitter(&room, posted).is_none().then_some(()))
    })
    .await;

    let of_wren = world.wren_says(&room, "first of wren");
    let event = id_of(&world.arrives_on_matrix(&room, "first of wren").await);
    world.sends_suffer(status(StatusCode::BAD_GATEWAY), Stage::After, 1);
    world
        .gitter
        .edit("wren", room.gitter, of_wren, "second of wren")
        .unwrap();
    world.arrives_as_edit(&room, "* second of wren").await;
    world.requests_suffer(
        Method::PUT,
        "/redact/",
        status(StatusCode::BAD_GATEWAY),
        Stage::After,
        1,
    );
    world.gitter.delete("wren", room.gitter, of_wren).unwrap();
    until("the event to be redacted", async || {
        Ok(world.is_redacted(&room, &event).then_some(()))
    })
    .await;
    world.drained().await;

    let events = world.homeserver.events(&room.matrix);
    let by_ghost = |kind: &str| {
        events
            .iter()
            .filter(|event| event["type"] == kind && event["sender"] != world.ana.as_str())
            .count()
    };
    assert_eq!(by_ghost("m.room.message"), 2, "a message and its edit");
    assert_eq!(by_ghost("m.room.redaction"), 2, "of the message and of its edit");
    world.close().await;
}

async fn changes_while_the_bridge_is_down_cross_afterwards(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let edited = world.wren_says(&room, "first");
    world.arrives_on_matrix(&room, "first").await;
    let root = world.wren_says(&room, "root");
    let event = id_of(&world.arrives_on_matrix(&room, "root").await);
    world.gitter.reply("kelp", room.gitter, root, "Aye.").unwrap();
    world.arrives_on_matrix(&room, "Aye.").await;
    let of_ana = world.ana_says(&room, "of ana");
    let posted = world.arrives_on_gitter(&room, "of ana").await.id;
    world.drained().await;

    world.bridge.kill().await;
    world.gitter.edit("wren", room.gitter, edited, "second").unwrap();
    world.gitter.delete("wren", room.gitter, root).unwrap();
    world.ana_edits(&room, &of_ana, "of ana, changed");
    world.wren_says(&room, "after");
    world.bridge.start().await;

    world.arrives_as_edit(&room, "* second").await;
    until("the root to be redacted", async || {
        Ok(world.is_redacted(&room, &event).then_some(()))
    })
    .await;
    assert_eq!(world.arrives_on_gitter(&room, "of ana, changed").await.id, posted);
    world.arrives_on_matrix(&room, "after").await;
    world.drained().await;
    assert_eq!(world.edits_on_matrix(&room).len(), 2);
    world.close().await;
}

impl World {
    pub(crate) fn on_gitter(&self, room: &Room, id: ObjectId) -> Option<StoredMessage> {
        let messages = self.gitter.messages(room.gitter);
        messages.into_iter().find(|message| message.id == id)
    }

    fn gitter_loses_answer(&self, room: &Room, method: &str) {
        self.gitter.add_fault(Fault::Request(RequestFault {
            effect: RequestEffect::Reset,
            when: When::After,
            times: 1,
            method: Some(method.to_owned()),
            path: format!("/rooms/{}/chatMessages", room.gitter),
        }));
    }
}
