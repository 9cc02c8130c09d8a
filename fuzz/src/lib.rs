//! What the fuzz targets share: a world to translate in, and what must hold of everything that is translated.
//!
//! A target panics where something does not hold; that is all that it tells.

use gitter_matrix_bridge::translate::{
    Context, GitterAction, MatrixAction, Translation, to_gitter, to_matrix,
};
use serde_json::{Value, json, value::RawValue};

/// The most UTF-16 units of a Gitter message, and of a virtual user's name.
const MESSAGE_UNITS: usize = 4096;
const NAME_UNITS: usize = 255;

/// What a stand-in counts for.
const LINK_UNITS: usize = 120;

/// The most bytes of an event's content: those of a whole event less what else is in it.
const CONTENT_BYTES: usize = 64_000;

/// The room that the fixtures are about.
pub const GITTER_ROOM: &str = "5f0000000000000000000a01";

/// The world of the fixtures, with something of everything that an input may refer to.
///
/// # Panics
/// When it is not a world.
#[must_use]
pub fn context(virtual_users: bool, others: bool) -> Context {
    serde_json::from_value(json!({
        "server_name": "example.org",
        "now": "2020-12-01T10:00:00Z",
        "web_url": "https://gitter.example.org",
        "portal": {
            "gitter_room_id": GITTER_ROOM,
            "gitter_uri": "tidepool/harbour",
            "matrix_room_id": "!r:example.org",
            "repository": "https://github.com/tidepool/web",
        },
        "users": [{
            "mxid": "@gitter_wren-5f0000000000000000000c01:example.org",
            "gitter_id": "5f0000000000000000000c01",
            "username": "wren",
            "display_name": "Wren",
            "admin": true,
        }],
        "members": [{
            "mxid": "@ana:example.org",
            "display_name": "Ana",
            "avatar": "mxc://example.org/ana",
            "may_notify_room": true,
            "may_redact": true,
        }],
        "messages": [
            {
                "matrix_event_id": "$p1", "gitter_message_id": "5f0000000000000000000d01",
                "sent": "2020-12-01T09:59:00Z", "text": "hello", "sender": "@ana:example.org",
            },
            {
                "matrix_event_id": "$e1", "gitter_message_id": "5f0000000000000000000d09",
                "gitter_parent_id": "5f0000000000000000000d01", "text": "ahoy",
                "sender": "@gitter_wren-5f0000000000000000000c01:example.org",
            },
        ],
        "virtual_users": virtual_users,
        "settings": {
            "announce": others,
            "relay_foreign": others,
            "reactions": if others { "thread" } else { "ignore" },
            "threads": if others { "reply" } else { "thread" },
        },
        "files_hosts": ["files.example.org"],
        "image_proxy_host": "proxy.example.org",
        "rooms": [{
            "gitter_room_id": "5f0000000000000000000a02",
            "gitter_uri": "tidepool/pier",
            "matrix_room_id": "!s:example.org",
        }],
    }))
    .expect("a world")
}

/// The worlds that targets translate in.
#[must_use]
pub fn contexts() -> [Context; 2] {
    [context(true, false), context(false, true)]
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A text's length as Gitter counts it once its stand-ins are links.
fn length(text: &str) -> usize {
    let stand_ins = to_gitter::stand_ins(text);
    let written: usize = stand_ins
        .iter()
        .map(|stand_in| units(stand_in) + "{}".len())
        .sum();
    units(text) - written + LINK_UNITS * stand_ins.len()
}

/// Translates an event and checks what becomes of it.
///
/// # Panics
/// When something is made of it that Gitter would not take, or that does not come back from the database.
pub fn check_to_gitter(event: &RawValue, context: &Context) {
    let Translation::Actions { actions } = to_gitter::translate(event, context) else {
        return;
    };
    assert!(!actions.is_empty(), "nothing to do is no skip");
    for (index, action) in actions.iter().enumerate() {
        match action {
            GitterAction::Send {
                part,
                text,
                virtual_user,
                ..
            } => {
                assert_eq!(usize::try_from(*part).ok(), Some(index), "parts are in order");
                assert!(!text.trim().is_empty(), "an empty message");
                assert!(length(text) <= MESSAGE_UNITS, "{} units", length(text));
                let name = virtual_user.as_ref().map_or(0, |user| units(&user.display_name));
                assert!(name <= NAME_UNITS, "a name of {name} units");
            }
            GitterAction::Edit { text, .. } => {
                assert!(!text.trim().is_empty(), "an empty text would delete the message");
                assert!(length(text) <= MESSAGE_UNITS, "{} units", length(text));
            }
            GitterAction::Delete { .. } | GitterAction::Ban { .. } | GitterAction::Unban { .. } => {}
        }
        let stored = serde_json::to_string(action).expect("an action is stored");
        let read: GitterAction = serde_json::from_str(&stored).expect("a stored action is read");
        assert_eq!(&read, action);
    }
}

/// Translates what happened to a Gitter message and checks what becomes of it.
///
/// # Panics
/// When something is made of it that a homeserver would not take, that could harm its readers, or that does not come
/// back from the database.
pub fn check_to_matrix(operation: &to_matrix::Operation, context: &Context) {
    let Translation::Actions { actions } = to_matrix::translate(operation, context) else {
        return;
    };
    assert!(!actions.is_empty(), "nothing to do is no skip");
    for action in &actions {
        let own = context.bot().is_some_and(|bot| bot == *action.sender())
            || action.sender().localpart().starts_with("gitter_");
        assert!(own, "sent as {}", action.sender());
        if let Some(content) = action.content() {
            check_content(content);
        }
        let stored = serde_json::to_string(action).expect("an action is stored");
        let read: MatrixAction = serde_json::from_str(&stored).expect("a stored action is read");
        assert_eq!(&read, action);
    }
}

fn check_content(content: &Value) {
    assert!(content["body"].is_string() && content["m.mentions"].is_object());
    let bytes = content.to_string().len();
    assert!(bytes <= CONTENT_BYTES, "a content of {bytes} bytes");
    assert!(!has_fraction(content), "homeservers refuse fractions");
    for content in [content, &content["m.new_content"]] {
        if let Some(html) = content["formatted_body"].as_str() {
            check_html(html);
        }
    }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_fraction),
        Value::Object(fields) => fields.values().any(has_fraction),
        _ => false,
    }
}

/// Nothing that runs, loads or is not in Matrix's list of tags. It is looked for in the tree that a browser makes.
fn check_html(html: &str) {
    const TAGS: [&str; 38] = [
        "html",
        "del",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "p",
        "a",
        "ul",
        "ol",
        "sup",
        "sub",
        "li",
        "b",
        "i",
        "u",
        "strong",
        "em",
        "s",
        "code",
        "hr",
        "br",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "caption",
        "pre",
        "span",
        "img",
        "details",
        "summary",
    ];
    const SCHEMES: [&str; 6] = ["https:", "http:", "ftp:", "mailto:", "magnet:", "matrix:"];
    let tree = scraper::Html::parse_fragment(html);
    for element in tree.root_element().descendent_elements() {
        let tag = element.value().name();
        assert!(TAGS.contains(&tag), "the tag {tag} in {html:?}");
        for (name, value) in element.value().attrs() {
            let is_fine = match (tag, name) {
                ("a", "href") => SCHEMES
                    .iter()
                    .any(|scheme| value.to_ascii_lowercase().starts_with(scheme)),
                ("ol", "start") => value.parse::<i64>().is_ok(),
                ("code", "class") => value.starts_with("language-"),
                ("span" | "div", "data-mx-maths") => true,
                _ => false,
            };
            assert!(is_fine, "{tag} {name}={value:?} in {html:?}");
        }
    }
}
