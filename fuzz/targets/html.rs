//! HTML of either side: a Matrix message's as Gitter's Markdown, and a Gitter message's as what Matrix allows.

#![no_main]

use std::sync::LazyLock;

use gitter_matrix_bridge::translate::{Context, to_matrix::Operation};
use libfuzzer_sys::fuzz_target;
use serde_json::{json, value::to_raw_value};

static CONTEXTS: LazyLock<[Context; 2]> = LazyLock::new(fuzz::contexts);

fuzz_target!(|html: &str| {
    let event = json!({
        "type": "m.room.message",
        "event_id": "$new",
        "sender": "@ana:example.org",
        "content": {
            "msgtype": "m.text",
            "body": html,
            "format": "org.matrix.custom.html",
            "formatted_body": html,
            "m.mentions": { "user_ids": ["@gitter_wren-5f0000000000000000000c01:example.org"] },
        },
    });
    let event = to_raw_value(&event).expect("an event");
    let message = Operation {
        operation: "create".to_owned(),
        model: json!({
            "id": "5f0000000000000000000d33",
            "text": html,
            "html": html,
            "mentions": [{ "screenName": "wren", "userId": "5f0000000000000000000c01" }],
            "fromUser": { "id": "5f0000000000000000000c01", "username": "wren" },
        }),
    };
    for context in CONTEXTS.iter() {
        fuzz::check_to_gitter(&event, context);
        fuzz::check_to_matrix(&message, context);
    }
});
