//! Any input gives actions or a skip, and what is always true of actions.

use proptest::prelude::*;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::{split::MAX_UNITS, *};

pub(super) fn context(virtual_users: bool, announces: bool) -> Context {
    serde_json::from_value(json!({
        "server_name": "example.org",
        "now": "2020-12-01T10:00:00Z",
        "web_url": "https://gitter.example.org",
        "portal": {
            "gitter_room_id": "room",
            "gitter_uri": "tidepool/harbour",
            "matrix_room_id": "!r:example.org",
        },
        "users": [{ "mxid": "@gitter_wren-g1:example.org", "gitter_id": "g1", "username": "wren", "admin": true }],
        "members": [{ "mxid": "@ana:example.org", "display_name": "Ana", "may_notify_room": true }],
        "messages": [
            { "matrix_event_id": "$p1", "gitter_message_id": "m1", "origin": "gitter" },
            { "matrix_event_id": "$p2", "gitter_message_id": "m2", "gitter_parent_id": "m1" },
        ],
        "virtual_users": virtual_users,
        "settings": { "announce": announces, "relay_foreign": announces },
    }))
    .unwrap()
}

/// Texts that are likely to matter somewhere.
fn word() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "m.room.message",
        "m.text",
        "m.emote",
        "m.thread",
        "m.replace",
        "$p1",
        "$p2",
        "$x",
        "@ana:example.org",
        "@gitter_wren-g1:example.org",
        "org.matrix.custom.html",
        "create",
        "update",
        "remove",
        "m1",
        "m2",
        "m3",
        "",
        " ",
        "hi @wren, @room and @/all",
        "> <@a:b> c\n\nd",
        "<a href=\"https://matrix.to/#/@gitter_wren-g1:example.org\">Wren</a>",
        "<span data-screen-name=\"wren\">@wren</span> *a*",
        "2020-12-01T10:00:00Z",
        "wren",
        "matrix",
    ]);
    prop_oneof![known.prop_map(str::to_owned), "\\PC{0,40}", "\\PC{0,3000}"]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(word(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A value in which every field is as it should be or anything at all.
fn mutated(good: Value) -> BoxedStrategy<Value> {
    let intact = match good {
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .into_iter()
                .map(|(key, value)| (Just(key), proptest::option::weighted(0.95, mutated(value))))
                .collect();
            fields
                .prop_map(|fields| {
                    let kept = fields.into_iter().filter_map(|(key, value)| Some((key, value?)));
                    Value::Object(kept.collect())
                })
                .boxed()
        }
        Value::String(text) => {
            prop_oneof![3 => Just(Value::from(text)), 1 => word().prop_map(Value::from)].boxed()
        }
        other => Just(other).boxed(),
    };
    prop_oneof![30 => intact, 1 => any_json()].boxed()
}

fn any_event() -> BoxedStrategy<Value> {
    mutated(json!({
        "type": "m.room.message",
        "event_id": "$e1",
        "sender": "@ana:example.org",
        "content": {
            "msgtype": "m.text",
            "body": "hi Wren",
            "format": "org.matrix.custom.html",
            "formatted_body": "hi <a href=\"https://matrix.to/#/@gitter_wren-g1:example.org\">Wren</a>",
            "m.new_content": { "msgtype": "m.text", "body": "new" },
            "m.mentions": { "user_ids": ["@gitter_wren-g1:example.org"], "room": true },
            "m.relates_to": { "rel_type": "m.thread", "event_id": "$p1", "m.in_reply_to": { "event_id": "$p2" } },
        },
    }))
}

fn any_message() -> BoxedStrategy<Value> {
    mutated(json!({
        "id": "m3",
        "text": "@wren waves",
        "html": "<span data-screen-name=\"wren\">@wren</span> waves",
        "status": true,
        "sent": "2020-12-01T10:00:00Z",
        "parentId": "m1",
        "mentions": [{ "screenName": "wren", "userId": "g1" }],
        "fromUser": { "id": "5f0000000000000000000c01", "username": "wren" },
    }))
}

fn check_gitter(event: &Value, context: &Context) {
    let raw = to_raw_value(event).unwrap();
    if let Translation::Actions { actions } = to_gitter::translate(&raw, context) {
        assert!(!actions.is_empty());
        for (index, action) in actions.iter().enumerate() {
            let GitterAction::Send {
                part,
                text,
                virtual_user,
                ..
            } = action
            else {
                continue;
            };
            assert_eq!(usize::try_from(*part).unwrap(), index);
            assert!(!text.trim().is_empty() && stand_in::length(text, 120) <= MAX_UNITS);
            assert_eq!(virtual_user.is_some(), context.virtual_users);
            assert!(context.settings.announce || !text.contains("@/"), "{text}");
        }
    }
}

fn check_matrix(operation: String, model: Value, context: &Context) {
    let operation = to_matrix::Operation { operation, model };
    if let Translation::Actions { actions } = to_matrix::translate(&operation, context) {
        assert!(!actions.is_empty());
        for action in &actions {
            let Some(content) = action.content() else { continue };
            assert!(content["body"].is_string() && content["m.mentions"].is_object());
            let is_create = matches!(action, MatrixAction::Send { .. });
            assert_eq!(content["im.gitter.source"]["op"] == "create", is_create);
            assert!(content.to_string().len() < 64_000);
        }
    }
}

proptest! {
    #[test]
    fn any_event_is_translated(event in any_event(), virtual_users: bool, announces: bool) {
        check_gitter(&event, &context(virtual_users, announces));
    }

    #[test]
    fn any_json_is_translated_to_gitter(event in any_json()) {
        check_gitter(&event, &context(true, false));
    }

    #[test]
    fn any_message_is_translated(message in any_message(), operation in word(), relays: bool) {
        check_matrix(operation, message.clone(), &context(true, relays));
        check_matrix("create".to_owned(), message, &context(true, relays));
    }

    #[test]
    fn any_json_is_translated_to_matrix(model in any_json()) {
        check_matrix("create".to_owned(), model, &context(true, false));
    }
}

/// Translates a formatted message, within a time that even a slow build keeps.
fn hostile(formatted: &str) -> String {
    let event = json!({
        "type": "m.room.message",
        "event_id": "$e1",
        "sender": "@ana:example.org",
        "content": {
            "msgtype": "m.text",
            "body": "the body",
            "format": "org.matrix.custom.html",
            "formatted_body": formatted,
        },
    });
    let raw = to_raw_value(&event).unwrap();
    // What takes for ever is ended by the runner of the tests; how long it takes is measured in benches.
    let translation = to_gitter::translate(&raw, &context(true, false));
    serde_json::to_string(&translation).unwrap()
}

#[test]
fn twenty_thousand_nested_tags_and_a_megabyte_of_brackets_give_the_body() {
    for formatted in [
        "<b>".repeat(20_000),
        "<".repeat(1_000_000),
        "<blockquote>".repeat(20_000),
    ] {
        assert!(hostile(&formatted).contains("the body"));
    }
}

#[test]
fn nesting_below_the_limit_of_tags_does_not_exhaust_the_stack() {
    for tag in [
        "b",
        "i",
        "blockquote",
        "ul><li",
        "table><tr><td",
        "a href=x",
        "span",
    ] {
        let shown = hostile(&format!("{}deep", format!("<{tag}>").repeat(600)));
        assert!(
            shown.contains("deep") || shown.contains("the body"),
            "{tag}: {shown:.200}"
        );
    }
}

#[test]
fn no_link_leads_to_a_script() {
    for formatted in [
        "<a href=\"javascript:alert(1)\">x</a>",
        "<a class=\"c\" href=\" JavaScript:alert(1)\" target=\"_blank\">x</a>",
        "<a href=\"data:text/html,y\" rel=\"z\">x</a>",
        "<img alt=\"x\" src=\"data:image/png;base64,AA\">",
        "<a href=\"vbscript:y\" onclick=\"z\">x</a>",
    ] {
        assert!(hostile(formatted).contains("\"text\":\"x\""), "{formatted}");
    }
}

fn raw(event: &Value) -> Box<RawValue> {
    to_raw_value(event).unwrap()
}

#[test]
fn an_event_without_an_id_is_linked_by_its_room() {
    let context = context(true, false);
    let mut event = json!({ "type": "m.room.message", "sender": "@ana:example.org", "content": {} });
    let room = "https://matrix.to/#/!r:example.org";
    assert_eq!(
        to_gitter::link_to_itself(&raw(&event), &context),
        format!("{room}?via=example.org")
    );
    event["event_id"] = json!("$e1");
    assert_eq!(
        to_gitter::link_to_itself(&raw(&event), &context),
        format!("{room}/$e1?via=example.org")
    );
}

#[test]
fn what_an_event_changes_is_found_wherever_that_is_said() {
    let event = |fields: Value| {
        let mut event =
            json!({ "type": "m.room.redaction", "event_id": "$e2", "sender": "@ana:example.org" });
        event
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        to_gitter::targets(&raw(&event))
    };
    assert_eq!(event(json!({ "redacts": "$e1", "content": {} })), ["$e1"]);
    assert_eq!(event(json!({ "content": { "redacts": "$e1" } })), ["$e1"]);
    let edit = json!({ "m.relates_to": { "rel_type": "m.replace", "event_id": "$e1" } });
    assert_eq!(
        event(json!({ "type": "m.room.message", "content": edit })),
        ["$e1"]
    );
    assert_eq!(event(json!({ "content": {} })), [""; 0]);
}
