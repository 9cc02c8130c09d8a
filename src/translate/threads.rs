//! Where a message belongs: threads and replies, both ways.
//!
//! Gitter's threads hang on a top-level message, and a reply to a reply would be invisible there
//! (gitter-api 5.2); Matrix threads hang on an event that is in no thread itself.

use ruma::OwnedEventId;
use serde_json::{Value, json};

use super::{
    Context,
    context::{Kind, Message, Threads},
    event::Relation,
};
use crate::ids::GitterMessageId;

/// Where a Matrix event belongs on Gitter.
#[derive(Debug, PartialEq)]
pub(super) enum Parent {
    /// Into the thread of this top-level message, or `None` for the room itself.
    Known(Option<GitterMessageId>),
    /// It answers an event that is not on Gitter.
    Unknown(OwnedEventId),
}

/// Finds where an event belongs. In a thread, the root decides; where it did not cross, the message that
/// the event answers keeps the conversation together.
pub(super) fn gitter_parent(relation: &Relation, context: &Context) -> Parent {
    let targets = [&relation.thread_root, &relation.reply_to];
    let known = targets
        .iter()
        .filter_map(|target| context.crossed_event(target.as_deref()?))
        .map(top_level)
        .next();
    match (known, targets.into_iter().flatten().next()) {
        (None, Some(target)) => Parent::Unknown(target.clone()),
        (known, _) => Parent::Known(known),
    }
}

fn top_level(message: &Message) -> GitterMessageId {
    let parent = message.gitter_parent_id.as_ref();
    parent.unwrap_or(&message.gitter_message_id).clone()
}

/// The text without the quotation that older clients put in front of a reply (client-server API, "fallbacks
/// for rich replies"). Only that quotation goes: lines that someone quotes by hand stay.
pub(super) fn without_reply_fallback(body: &str) -> &str {
    if !(body.starts_with("> <@") || body.starts_with("> * <@")) {
        return body;
    }
    let mut rest = body;
    while rest.starts_with('>') {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest.trim_start_matches(['\r', '\n'])
}

/// The `m.relates_to` of a Gitter message in the thread of `parent`; `None` where nothing of the thread
/// has crossed.
///
/// An event that is in a Matrix thread already cannot be a root, so then that thread's root is meant. Where
/// the parent did not cross, the message is a plain reply to the thread's latest that did. The answered
/// event is named for clients without threads only: it mentions no one (DESIGN 4).
pub(super) fn matrix_relation(parent: &GitterMessageId, context: &Context) -> Option<Value> {
    let root = context.crossed_message(parent);
    let latest = latest_in_thread(parent, context);
    let Some(root) = root else {
        return latest.map(|latest| reply_to(&latest.matrix_event_id));
    };
    if context.settings.threads == Threads::Reply {
        return Some(reply_to(&root.matrix_event_id));
    }
    let answered = &latest.unwrap_or(root).matrix_event_id;
    let thread_root = match root.content.as_ref().and_then(Value::as_object) {
        Some(root_content) => Relation::of(root_content).thread_root,
        None => None,
    };
    Some(json!({
        "rel_type": "m.thread",
        "event_id": thread_root.as_ref().unwrap_or(&root.matrix_event_id),
        "is_falling_back": true,
        "m.in_reply_to": { "event_id": answered },
    }))
}

fn reply_to(event: &OwnedEventId) -> Value {
    json!({ "m.in_reply_to": { "event_id": event } })
}

fn latest_in_thread<'a>(parent: &GitterMessageId, context: &'a Context) -> Option<&'a Message> {
    let replies = context
        .messages
        .iter()
        .filter(|message| message.gitter_parent_id.as_ref() == Some(parent) && message.kind == Kind::Create);
    replies.max_by_key(|message| message.sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_only_the_fallback() {
        assert_eq!(
            without_reply_fallback("> <@wren:a.org> hi\n> there\n\n> quoted by hand\nyes"),
            "> quoted by hand\nyes"
        );
        assert_eq!(without_reply_fallback("> * <@wren:a.org> waves\n\nyes"), "yes");
        assert_eq!(
            without_reply_fallback("> quoted by hand\n\nyes"),
            "> quoted by hand\n\nyes"
        );
        assert_eq!(without_reply_fallback("> <@wren:a.org> hi"), "");
    }
}
