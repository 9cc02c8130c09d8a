use serde_json::json;

use super::*;
use crate::store::{Direction, LaneKey};

const ANA: &str = "@ana:example.org";
const BO: &str = "@bo:example.org";

fn item(number: i64, operation: &str, target: &str, sender: &str, content: &Value) -> Item {
    let id = format!("${number}");
    Item {
        lane: LaneKey::live(None, Direction::ToGitter),
        number,
        source_key: id.clone(),
        body: json!({ "event_id": id, "type": operation, "sender": sender, "content": content }).to_string(),
        source_id: id,
        operation: operation.to_owned(),
        source_time: 0,
        attempts: 0,
        first_attempt_at: 0,
        next_attempt_at: 0,
        created_at: 0,
        target: target.to_owned(),
    }
}

fn message(number: i64, sender: &str) -> Item {
    item(number, "m.room.message", "", sender, &json!({ "body": "first" }))
}

fn edit(number: i64, target: &str, sender: &str) -> Item {
    let content = json!({
        "body": format!("* {number}"),
        "m.new_content": { "body": number.to_string() },
        "m.relates_to": { "rel_type": "m.replace", "event_id": target },
    });
    item(number, "m.room.message", target, sender, &content)
}

fn redaction(number: i64, target: &str, sender: &str) -> Item {
    item(
        number,
        "m.room.redaction",
        target,
        sender,
        &json!({ "redacts": target }),
    )
}

/// What is decided, by numbers: what takes the head back, what it is sent with, and what is undone.
fn decided(head: &Item, changes: &[Item]) -> (Option<i64>, Vec<i64>, Vec<i64>) {
    let folding = decide(head, changes, |user| user == "@moderator:example.org");
    (
        folding.taken_back_by.map(|item| item.number),
        folding.edits.iter().map(|item| item.number).collect(),
        folding.undone.iter().map(|(item, _)| item.number).collect(),
    )
}

#[test]
fn a_message_is_sent_with_its_edits() {
    let head = message(1, ANA);
    assert_eq!(subject(&head), Some("$1"));
    assert_eq!(decided(&head, &[]), (None, vec![], vec![]));
    let changes = [edit(3, "$1", ANA), edit(7, "$1", ANA)];
    assert_eq!(decided(&head, &changes), (None, vec![3, 7], vec![]));
}

#[test]
fn only_plain_edits_by_the_author_are_folded() {
    let head = message(1, ANA);
    let without_content = item(
        5,
        "m.room.message",
        "$1",
        ANA,
        &json!({ "m.relates_to": { "rel_type": "m.replace", "event_id": "$1" } }),
    );
    let encrypted = item(6, "m.room.encrypted", "$1", ANA, &json!({}));
    let forgotten = Item {
        body: "{}".to_owned(),
        ..edit(7, "$1", ANA)
    };
    let changes = [edit(4, "$1", BO), without_content, encrypted, forgotten];
    assert_eq!(decided(&head, &changes), (None, vec![], vec![]));
}

#[test]
fn a_message_and_its_redaction_are_nothing() {
    let head = message(1, ANA);
    let changes = [edit(2, "$1", ANA), redaction(4, "$1", ANA), edit(5, "$1", ANA)];
    assert_eq!(decided(&head, &changes), (Some(4), vec![], vec![4, 2]));
    let by_moderator = [redaction(4, "$1", "@moderator:example.org")];
    assert_eq!(decided(&head, &by_moderator), (Some(4), vec![], vec![4]));
    assert!(asks_for_rights(&head, &by_moderator));
    assert!(!asks_for_rights(&head, &changes));
    let by_other = [redaction(4, "$1", BO)];
    assert_eq!(decided(&head, &by_other), (None, vec![], vec![]));
}

#[test]
fn an_edit_that_is_redacted_is_undone() {
    let head = message(1, ANA);
    let changes = [
        edit(2, "$1", ANA),
        edit(3, "$1", ANA),
        redaction(4, "$3", ANA),
        redaction(5, "$9", ANA),
    ];
    assert_eq!(decided(&head, &changes), (None, vec![2], vec![3, 4]));
}

#[test]
fn edits_of_what_crossed_are_sent_as_the_last_of_them() {
    let head = edit(4, "$1", ANA);
    assert_eq!(subject(&head), Some("$1"));
    assert_eq!(
        decided(&head, &[edit(5, "$1", ANA), edit(8, "$1", BO)]),
        (None, vec![5], vec![])
    );
    let own = [edit(5, "$1", ANA), redaction(6, "$4", ANA)];
    assert_eq!(
        decided(&head, &own),
        (Some(6), vec![], vec![6]),
        "the other edit is left"
    );
    let of_message = [edit(5, "$1", ANA), redaction(6, "$1", ANA)];
    assert_eq!(
        decided(&head, &of_message),
        (Some(6), vec![], vec![5]),
        "the message is still to be deleted"
    );
}

#[test]
fn redactions_and_memberships_take_in_nothing() {
    assert_eq!(subject(&redaction(1, "$0", ANA)), None);
    assert_eq!(
        decided(&redaction(1, "$0", ANA), &[redaction(2, "$0", ANA)]),
        (None, vec![], vec![])
    );
    assert_eq!(subject(&item(1, "m.room.member", "", ANA, &json!({}))), None);
}

#[test]
fn a_version_has_the_edits_words_in_the_messages_place() {
    let relation = json!({ "rel_type": "m.thread", "event_id": "$root" });
    let content = json!({ "body": "first", "m.relates_to": relation });
    let head = item(1, "m.room.message", "", ANA, &content);
    let version = version(&head, &edit(5, "$1", ANA)).unwrap();
    let event: Value = serde_json::from_str(&version.body).unwrap();
    assert_eq!(event["content"], json!({ "body": "5", "m.relates_to": relation }));
    assert_eq!((version.source_id.as_str(), version.target.as_str()), ("$5", ""));

    let head = edit(4, "$1", ANA);
    let later = edit(5, "$1", ANA);
    assert_eq!(super::version(&head, &later).unwrap().body, later.body);
}
