//! Edits and deletions of what crossed to Gitter (DESIGN 4).
//!
//! Which rows of the map belong to a change is decided here; how a text is written is not.

use jiff::{SignedDuration, Timestamp};
use ruma::{EventId, UserId};
use serde_json::Value;

use super::{
    Context, GitterAction,
    context::{Kind, Message, Origin},
    event::Relation,
    moderation,
};
use crate::outcome::Reason;

/// How long Gitter lets a message be edited (gitter-api 5.3).
pub const EDIT_WINDOW: SignedDuration = SignedDuration::from_secs(600);

/// Why a change does not cross.
type Skip = (Reason, String);

/// The messages that an edit changes: the parts of its target, in order, never none.
pub(super) fn edited<'a>(
    target: &'a EventId,
    editor: &UserId,
    context: &'a Context,
) -> Result<Vec<&'a Message>, Skip> {
    let mut parts: Vec<&Message> = rows(target, context)
        .filter(|message| message.kind == Kind::Create)
        .collect();
    parts.sort_by_key(|message| message.part);
    let first = parts
        .first()
        .ok_or_else(|| skip(Reason::NotFound, "the event it edits is not on Gitter"))?;
    let is_other = first.sender.as_ref().is_some_and(|sender| sender != editor);
    if is_other || context.origin(first) == Origin::Gitter {
        return Err(skip(
            Reason::NotAllowed,
            "only the sender of a message can edit it",
        ));
    }
    parts.retain(|message| !message.tombstone);
    if parts.is_empty() {
        return Err(skip(Reason::Gone, "what it edits was deleted on Gitter"));
    }
    Ok(parts)
}

/// What a message says on Gitter now: what its latest edit made it, or what it was posted with.
pub(super) fn current_text<'a>(message: &'a Message, context: &'a Context) -> &'a str {
    let edits = context
        .pairs_of(&message.gitter_message_id)
        .filter(|pair| pair.kind == Kind::Edit);
    edits.last().map_or(&message.text, |edit| &edit.text)
}

/// Whether Gitter still takes an edit of a message.
pub(super) fn is_editable(message: &Message, context: &Context) -> bool {
    let offset = SignedDuration::from_millis(context.clock_offset_ms);
    let now = context.now.checked_add(offset).unwrap_or(context.now);
    let sent: Option<Timestamp> = message.sent.or_else(|| message.gitter_message_id.time());
    sent.is_some_and(|sent| now.duration_since(sent) <= EDIT_WINDOW)
}

/// What a redaction does on Gitter.
pub(super) fn redaction(
    target: &EventId,
    redactor: &UserId,
    context: &Context,
) -> Result<Vec<GitterAction>, Skip> {
    let found: Vec<&Message> = rows(target, context).collect();
    let first = found
        .first()
        .ok_or_else(|| skip(Reason::NotFound, "the event it redacts is not on Gitter"))?;
    judge_redactor(first, redactor, context)?;
    let is_original = found.iter().any(|message| message.kind == Kind::Create);
    let doomed = context.messages.iter().filter(|message| match message.kind {
        _ if message.tombstone => false,
        Kind::Edit => false,
        Kind::Correction if is_original => message.matrix_event_id == target || changes(message, target),
        _ => message.matrix_event_id == target,
    });
    let mut ids = Vec::new();
    for message in doomed {
        if !ids.contains(&&message.gitter_message_id) {
            ids.push(&message.gitter_message_id);
        }
    }
    let mut actions: Vec<GitterAction> = ids
        .into_iter()
        .map(|id| GitterAction::Delete {
            message_id: id.clone(),
        })
        .collect();
    if !is_original {
        if actions.is_empty() && found.iter().all(|message| message.tombstone) {
            return Err(skip(
                Reason::Gone,
                "the message of the edit was deleted on Gitter",
            ));
        }
        let edits = found.iter().filter(|message| message.kind == Kind::Edit);
        let restored: Vec<GitterAction> = edits.filter_map(|edit| restored(edit, context)).collect();
        actions.extend(restored);
        if actions.is_empty() {
            return Err(skip(
                Reason::NoEquivalent,
                "the edit it redacts was overtaken, or Gitter does not take edits of so old a message",
            ));
        }
    }
    if actions.is_empty() {
        return Err(skip(Reason::Gone, "what it redacts was deleted on Gitter"));
    }
    Ok(actions)
}

/// Whether somebody may redact a message: one's own, as the homeserver has checked; anyone else's with the
/// right to it; and what was written on Gitter only where that is allowed and the account is an admin there.
fn judge_redactor(message: &Message, redactor: &UserId, context: &Context) -> Result<(), Skip> {
    let may_redact = context.member(redactor).is_some_and(|member| member.may_redact);
    if context.origin(message) == Origin::Gitter {
        return match (may_redact, moderation::reaches_gitter(context)) {
            (true, reaches) => reaches,
            (false, _) => Err(skip(
                Reason::NotAllowed,
                "deleting a Gitter user's message needs the right to redact other people's messages",
            )),
        };
    }
    match &message.sender {
        Some(sender) if sender != redactor && !may_redact => Err(skip(
            Reason::NotAllowed,
            "its sender may not redact other people's messages",
        )),
        _ => Ok(()),
    }
}

/// The text before an edit, if that edit is the latest of its message and Gitter still takes one.
fn restored(edit: &Message, context: &Context) -> Option<GitterAction> {
    let id = &edit.gitter_message_id;
    let mut history: Vec<&Message> = context
        .messages
        .iter()
        .filter(|message| message.gitter_message_id == *id && message.kind != Kind::Correction)
        .collect();
    let latest = history.pop()?;
    let before = history.pop()?;
    let is_latest = latest.matrix_event_id == edit.matrix_event_id;
    let original = context
        .messages
        .iter()
        .find(|message| message.gitter_message_id == *id)?;
    let changed = before.text != edit.text && !before.text.is_empty();
    (is_latest && changed && !edit.tombstone && is_editable(original, context)).then(|| GitterAction::Edit {
        part: before.part,
        message_id: id.clone(),
        text: before.text.clone(),
    })
}

fn rows<'a>(event: &'a EventId, context: &'a Context) -> impl Iterator<Item = &'a Message> {
    context
        .messages
        .iter()
        .filter(move |message| message.matrix_event_id == event)
}

/// Whether a later message changes an event; one whose content is not known is loaded for that reason only.
fn changes(message: &Message, event: &EventId) -> bool {
    match message.content.as_ref().and_then(Value::as_object) {
        Some(content) => Relation::of(content).target.as_deref() == Some(event),
        None => true,
    }
}

fn skip(reason: Reason, detail: &str) -> Skip {
    (reason, detail.to_owned())
}
