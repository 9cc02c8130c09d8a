//! What the bridge logs: as much as operators ask for, and never what somebody said, or a token.

use gitter_sandbox::{RequestEffect, When};
use serde_json::json;

use crate::world::{
    Options, World,
    database::{Database, on_both_databases},
};

on_both_databases![texts_and_tokens_are_not_logged];

async fn texts_and_tokens_are_not_logged(database: Database) {
    let options = Options {
        // All modules, of all libraries too.
        other_sections: json!({ "logging": { "level": "debug", "format": "json" } }),
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    world.both_say(&room, "the weather", 2);
    let event = world.ana_says(&room, "the cat sleeps");
    world.arrives_on_gitter(&room, "the cat sleeps").await;
    world.ana_edits(&room, &event, "the cat purrs");
    world.ana_sends(
        &room,
        json!({ "msgtype": "m.text", "body": "the horse", "format": "org.matrix.custom.html",
            "formatted_body": "<b>the horse</b>" }),
    );
    world.arrives_on_gitter(&room, "**the horse**").await;
    world.drained().await;
    // What fails says why, and what is found again says what.
    world.posts_suffer(&room, RequestEffect::Status(500), When::After, 1);
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    world.ana_says(&room, "the dog barks");
    world.ana_says(&room, "the dog howls");
    world.wren_says(&room, "the dog dreams");
    world.drained().await;
    world.bridge.stop().await;
    let log = world.bridge.whole_log();
    assert!(log.lines().count() > 50, "{log}");
    for line in log.lines() {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "not JSON: {line}"
        );
    }
    let settings = world.homeserver.settings();
    let secrets = [world.gitter_token(), &settings.as_token, &settings.hs_token];
    for text in ["the weather", "the cat", "the horse", "the dog"]
        .into_iter()
        .chain(secrets)
    {
        let telling = log.lines().find(|line| line.contains(text));
        assert_eq!(telling, None, "{text:?} is logged");
    }
    world.bridge.start().await;
    world.close().await;
}
