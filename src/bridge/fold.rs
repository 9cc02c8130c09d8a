//! What of a lane is sent together (DESIGN 3.3): an item at its head, and what behind it changes the same message. Only
//! decisions; `deliver::folding` acts on them.
//!
//! The head takes in what waits behind it, so that nothing else in the lane moves. What is no plain change by the same
//! person stays where it is, and is judged in its turn.

use serde_json::{Map, Value};

use super::deliver::changed_event;
use crate::store::Item;

/// What becomes of a head and of what changes it.
#[derive(Debug)]
pub(super) struct Folding<'a> {
    /// What takes the head back, if anything does: then nothing of it is sent.
    pub(super) taken_back_by: Option<&'a Item>,
    /// The edits that the head is sent with, in order: it says what the last one does.
    pub(super) edits: Vec<&'a Item>,
    /// What needs nothing on Gitter any more, each with what makes it so.
    pub(super) undone: Vec<(&'a Item, &'a Item)>,
}

/// The event whose message an item makes or changes; `None` for what takes in nothing.
pub(super) fn subject(item: &Item) -> Option<&str> {
    match item.operation.as_str() {
        "m.room.redaction" | "m.room.member" => None,
        "m.room.message" if !item.target.is_empty() => Some(&item.target),
        _ => Some(&item.source_id),
    }
}

/// Decides about a head. `changes` are the changes of its subject behind it, in the order of the lane; `may_redact`
/// says who may redact other people's events.
pub(super) fn decide<'a>(head: &Item, changes: &'a [Item], may_redact: impl Fn(&str) -> bool) -> Folding<'a> {
    let mut folding = Folding {
        taken_back_by: None,
        edits: Vec::new(),
        undone: Vec::new(),
    };
    let (Some(subject), Some(author)) = (subject(head), sender(head)) else {
        return folding;
    };
    for change in changes {
        if change.operation != "m.room.redaction" {
            if change.target == subject && is_edit_of(change, &author) {
                folding.edits.push(change);
            }
            continue;
        }
        let by = sender(change);
        if !by.is_some_and(|by| by == author || may_redact(&by)) {
            continue;
        }
        if change.target == subject || change.target == head.source_id {
            folding.taken_back_by = Some(change);
            folding.take_back(head, change);
            break;
        }
        let undone = folding
            .edits
            .iter()
            .position(|edit| edit.source_id == change.target);
        if let Some(place) = undone {
            let edit = folding.edits.remove(place);
            folding.undone.extend([(edit, change), (change, edit)]);
        }
    }
    folding
}

impl<'a> Folding<'a> {
    /// The head is redacted. With a message go its edits and the redaction itself. If the head is an edit, a redaction
    /// of its message has still to be sent, and one of the edit alone leaves the others.
    fn take_back(&mut self, head: &Item, by: &'a Item) {
        if by.target == head.source_id {
            self.undone.push((by, by));
        }
        let edits = std::mem::take(&mut self.edits);
        if subject(head) == Some(&by.target) {
            self.undone.extend(edits.into_iter().map(|edit| (edit, by)));
        }
    }
}

/// Whether redactions by other people are among the changes: only then their rights matter.
pub(super) fn asks_for_rights(head: &Item, changes: &[Item]) -> bool {
    let author = sender(head);
    let mut redactions = changes
        .iter()
        .filter(|change| change.operation == "m.room.redaction");
    redactions.any(|redaction| sender(redaction) != author)
}

/// The item that stands for a message as one of its edits makes it: with the edit's words in the message's place.
/// `None` if the edit cannot be read. An edit as it is, where the head is one itself.
pub(super) fn version(head: &Item, edit: &Item) -> Option<Item> {
    if head.target == edit.target {
        return Some(edit.clone());
    }
    let mut event = fields(edit)?;
    let Value::Object(mut content) = event.get("content")?.get("m.new_content")?.clone() else {
        return None;
    };
    content.remove("m.relates_to");
    let original = fields(head)?;
    let relation = original
        .get("content")
        .and_then(|content| content.get("m.relates_to"));
    if let Some(relation) = relation {
        content.insert("m.relates_to".to_owned(), relation.clone());
    }
    event.insert("content".to_owned(), Value::Object(content));
    Some(Item {
        body: Value::Object(event).to_string(),
        target: String::new(),
        ..edit.clone()
    })
}

/// Whether an event is an edit that its message's author may make, as it has to be.
fn is_edit_of(edit: &Item, author: &str) -> bool {
    let Some(event) = fields(edit).map(Value::Object) else {
        return false;
    };
    let is_plain = edit.operation == "m.room.message" && event.get("state_key").is_none();
    let changes = changed_event(&event).is_some_and(|changed| changed.as_str() == edit.target);
    let has_content = event
        .pointer("/content/m.new_content")
        .is_some_and(Value::is_object);
    is_plain && changes && has_content && sender(edit).as_deref() == Some(author)
}

fn sender(item: &Item) -> Option<String> {
    Some(fields(item)?.get("sender")?.as_str()?.to_owned())
}

fn fields(item: &Item) -> Option<Map<String, Value>> {
    serde_json::from_str(&item.body).ok()
}

#[cfg(test)]
mod tests;
