//! What an event or a message refers to, read leniently: the ids that the map and the members are asked for.

use std::collections::BTreeSet;

use ruma::{EventId, OwnedEventId, OwnedUserId, UserId};
use serde_json::Value;

use super::LONGEST_ID;
use crate::ids::GitterMessageId;

/// The most people of one item that are looked up.
pub(super) const MOST_PEOPLE: usize = 100;

/// The most messages that one item links to and that are looked up.
const MOST_LINKS: usize = 20;

/// The sender and everybody whose id stands in an event: in `m.mentions`, or in a link of its HTML.
pub(super) fn people_of_event(event: &Value) -> BTreeSet<OwnedUserId> {
    let mut people = BTreeSet::new();
    for content in contents(event) {
        let mentioned = content.pointer("/m.mentions/user_ids").and_then(Value::as_array);
        people.extend(
            mentioned
                .into_iter()
                .flatten()
                .filter_map(|id| UserId::parse(id.as_str()?).ok()),
        );
        let html = content.get("formatted_body").and_then(Value::as_str);
        people.extend(user_ids_in(html.unwrap_or_default()));
    }
    let mut people: BTreeSet<OwnedUserId> = people.into_iter().take(MOST_PEOPLE).collect();
    // Beyond the bound: who wrote it decides whether it is ours.
    let sender = event.get("sender").and_then(Value::as_str);
    people.extend(sender.and_then(|sender| UserId::parse(sender).ok()));
    if is_membership(event) {
        let of = event.get("state_key").and_then(Value::as_str);
        people.extend(of.and_then(|of| UserId::parse(of).ok()));
    }
    people
}

/// Whether an event says where somebody stands in the room.
pub(super) fn is_membership(event: &Value) -> bool {
    event.get("type").and_then(Value::as_str) == Some("m.room.member") && event.get("state_key").is_some()
}

/// Everything in a text that looks like a user id, also percent-encoded.
fn user_ids_in(text: &str) -> impl Iterator<Item = OwnedUserId> {
    let decoded = text
        .replace("%40", "@")
        .replace("%3A", ":")
        .replace("%3a", ":")
        .replace("%3D", "=")
        .replace("%2F", "/");
    let found: Vec<OwnedUserId> = decoded
        .split('@')
        .skip(1)
        .take(MOST_PEOPLE)
        .filter_map(|rest| {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "._=-/+:[]".contains(c)))
                .unwrap_or(rest.len());
            UserId::parse(format!("@{}", rest.get(..end)?)).ok()
        })
        .collect();
    found.into_iter()
}

/// The content of an event, and the new one that it brings as an edit.
fn contents(event: &Value) -> impl Iterator<Item = &Value> {
    let content = event.get("content");
    [content, content.and_then(|content| content.get("m.new_content"))]
        .into_iter()
        .flatten()
}

/// All that an event says in words, for finding addresses in.
pub(super) fn words_of_event(event: &Value) -> String {
    let texts = contents(event).flat_map(|content| [content.get("body"), content.get("formatted_body")]);
    let texts: Vec<&str> = texts.flatten().filter_map(Value::as_str).collect();
    texts.join("\n")
}

/// The events that an event relates to: its thread's root, what it replies to, what it changes or redacts.
pub(super) fn relations(event: &Value) -> Vec<OwnedEventId> {
    let mut targets: Vec<OwnedEventId> = [
        "/content/m.relates_to/event_id",
        "/content/m.relates_to/m.in_reply_to/event_id",
        "/content/redacts",
        "/redacts",
    ]
    .into_iter()
    .filter_map(|pointer| event.pointer(pointer)?.as_str())
    .filter_map(event_id)
    .collect();
    let mut known = BTreeSet::new();
    targets.retain(|target| known.insert(target.clone()));
    targets
}

/// Whether an event changes another: an edit or a redaction. Only then the past of that other matters.
pub(super) fn is_change(event: &Value) -> bool {
    let relation = event.pointer("/content/m.relates_to/rel_type");
    is_redaction(event) || relation.and_then(Value::as_str) == Some("m.replace")
}

/// Whether an event redacts another.
pub(super) fn is_redaction(event: &Value) -> bool {
    event.get("type").and_then(Value::as_str) == Some("m.room.redaction")
}

/// The events whose ids stand in a text, also percent-encoded, as in matrix.to links.
pub(super) fn event_ids_in(text: &str) -> Vec<OwnedEventId> {
    let decoded = text.replace("%24", "$").replace("%3A", ":").replace("%3a", ":");
    let found = decoded.split('$').skip(1).take(MOST_LINKS).filter_map(|rest| {
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || "-_+/=:.".contains(it)));
        event_id(&format!("${}", rest.get(..end.unwrap_or(rest.len()))?))
    });
    found.collect()
}

/// The messages whose ids stand in the addresses of a text: `?at=` and the id (gitter-api 4.5).
pub(super) fn message_ids_in(text: &str) -> Vec<GitterMessageId> {
    let found = text.split("at=").skip(1).take(MOST_LINKS);
    found.filter_map(|rest| rest.get(..24)?.parse().ok()).collect()
}

fn event_id(id: &str) -> Option<OwnedEventId> {
    (id.len() <= LONGEST_ID && !id.contains('\0'))
        .then(|| EventId::parse(id).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_found_in_links_of_either_side() {
        let text = "see <a href=\"https://matrix.to/#/!r:example.org/%24abc-_1?via=example.org\">it</a> or $old%3Aexample.org.";
        let found: Vec<String> = event_ids_in(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["$abc-_1", "$old:example.org."]);
        let text = "https://gitter.example.org/a/b?at=5f0000000000000000000d01 and at=5f";
        assert_eq!(
            message_ids_in(text),
            ["5f0000000000000000000d01".parse().unwrap()]
        );
    }

    #[test]
    fn a_redaction_names_its_target_in_either_place() {
        for event in [json!({"redacts": "$a"}), json!({"content": {"redacts": "$a"}})] {
            assert_eq!(relations(&event), ["$a"], "{event}");
        }
    }
}
