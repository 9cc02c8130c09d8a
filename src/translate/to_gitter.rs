//! Matrix events to Gitter messages.

mod compose;

use std::collections::BTreeMap;

use ruma::{EventId, OwnedEventId};
use serde_json::{Map, Value, value::RawValue};

use self::compose::Text;
pub use super::changes::EDIT_WINDOW;
use super::{
    Context, GitterAction, Translation, VirtualUserAction, attachments, changes, command,
    context::{Barred, Message, Reactions},
    escape,
    event::{self, Event, Relation},
    link, moderation, people,
    split::Plan,
    stand_in,
    threads::{self, Parent},
};
use crate::{ids::GitterMessageId, outcome::Reason};

/// Why an event does not cross: the reason and a detail for people.
type Skip = (Reason, String);

/// Translates an event, as the homeserver pushed it (client-server API, "room event format").
pub fn translate(event: &RawValue, context: &Context) -> Translation<GitterAction> {
    let result = event::read(event)
        .map_err(|fault| (Reason::BadEvent, fault.to_owned()))
        .and_then(|event| actions(&event, context));
    match result {
        Ok(actions) => Translation::Actions { actions },
        Err((reason, detail)) => Translation::skip(reason, detail),
    }
}

/// The events that an event changes, redacts or reacts to.
pub fn targets(event: &RawValue) -> Vec<String> {
    let Ok(event) = event::read(event) else {
        return Vec::new();
    };
    let related = Relation::of(&event.content).target;
    [event.redacts, related]
        .into_iter()
        .flatten()
        .map(|target| target.to_string())
        .collect()
}

/// The matrix.to link to an event itself; to its room where it has no id.
pub fn link_to_itself(event: &RawValue, context: &Context) -> String {
    match event::read(event).ok().and_then(|event| event.id) {
        Some(id) => link::to_event(&id, context),
        None => link::to_portal(context),
    }
}

/// The stand-ins of a text (`media:..` and so on, DESIGN 6.4), without their brackets.
pub fn stand_ins(text: &str) -> Vec<&str> {
    stand_in::all(text)
}

/// A text with links in place of its stand-ins; `None` if one has no link.
pub fn with_links(text: &str, links: &BTreeMap<String, String>) -> Option<String> {
    stand_in::replace(text, |stand_in| links.get(stand_in))
}

/// A text with one link in place of its stand-ins (`{media:..}` and so on, DESIGN 6.4); pictures that stand-ins
/// would show go.
pub fn without_media(text: &str, link: &str) -> String {
    stand_in::replace_with_link(text, link)
}

/// Marks, in the content of a message of the bot, that it is for people on both sides.
pub const ANNOUNCEMENT_KEY: &str = "im.gitter.announcement";

fn actions(event: &Event, context: &Context) -> Result<Vec<GitterAction>, Skip> {
    if is_announcement(event, context) {
        return Ok(announce(event, context));
    }
    if context.is_own(&event.sender) {
        return Err(skip(Reason::OwnEcho, "its sender is a user of the bridge"));
    }
    let kind = event.kind.as_str();
    if let Some(key) = &event.state_key {
        if kind == "m.room.member" {
            return moderation::membership(event, key, context);
        }
        return Err((
            Reason::NoEquivalent,
            format!("Gitter has nothing like the state event {kind}"),
        ));
    }
    if event.is_redacted {
        return Err(skip(Reason::Redacted, "it was redacted before it crossed"));
    }
    if kind == "m.room.redaction" {
        let target = event.redacts.as_deref();
        let target = target.ok_or_else(|| skip(Reason::BadEvent, "it does not say what it redacts"))?;
        return changes::redaction(target, &event.sender, context);
    }
    if let Some(why) = context.policy.objection(&event.sender) {
        return Err(skip(Reason::NotAllowed, why));
    }
    match kind {
        "m.room.message" | "m.sticker" | "m.room.encrypted" if event.content.is_empty() => Err(skip(
            Reason::Redacted,
            "its content is gone, as after a redaction",
        )),
        "m.room.message" | "m.sticker" | "m.poll.start" | "org.matrix.msc3381.poll.start" => {
            if command::of(event).is_some() {
                return Err(skip(Reason::NotTranslated, "it is a command to the bridge"));
            }
            barred(context)?;
            if Relation::of(&event.content).is_edit {
                edit(event, context)
            } else {
                send(event, context)
            }
        }
        "m.room.encrypted" => Err(skip(Reason::Encrypted, "the bridge cannot read encrypted events")),
        "m.reaction" => reaction(event, context),
        _ => Err((
            Reason::NoEquivalent,
            format!("Gitter has nothing like events of type {kind}"),
        )),
    }
}

/// Nobody but the bot can send these.
fn is_announcement(event: &Event, context: &Context) -> bool {
    let is_marked = event.content.get(ANNOUNCEMENT_KEY) == Some(&Value::Bool(true));
    is_marked && !event.is_redacted && context.bot().is_some_and(|bot| bot == event.sender)
}

/// What the bot says to both sides; on Gitter the account itself says it.
fn announce(event: &Event, context: &Context) -> Vec<GitterAction> {
    let text = compose::words(
        text_field(&event.content, "body").unwrap_or_default(),
        event,
        context,
    );
    let parts = text.split(&plan_of_edit("", "", 1, None, context));
    let send = |text| GitterAction::Send {
        part: 0,
        text,
        status: false,
        parent_id: None,
        virtual_user: None,
    };
    parts.into_iter().map(send).collect()
}

/// What somebody says who is not bridged stays on Matrix. What they delete goes: it is only less of them.
fn barred(context: &Context) -> Result<(), Skip> {
    match context.barred {
        None => Ok(()),
        Some(Barred::OptedOut) => Err(skip(
            Reason::NotAllowed,
            "its sender wants nothing to cross; `!gitter optin` changes that",
        )),
        Some(Barred::NotPermitted) => Err(skip(
            Reason::NotAllowed,
            "bridge.permissions does not name its sender",
        )),
    }
}

/// What all messages of one event have in common.
struct Envelope {
    status: bool,
    parent_id: Option<GitterMessageId>,
    virtual_user: Option<VirtualUserAction>,
}

impl Envelope {
    fn new(event: &Event, is_emote: bool, parent_id: Option<GitterMessageId>, context: &Context) -> Self {
        Self {
            // Gitter would put the account's own name before it, so a prefix says it instead.
            status: is_emote && context.virtual_users,
            parent_id,
            virtual_user: context
                .virtual_users
                .then(|| people::virtual_user(&event.sender, context)),
        }
    }

    fn send(&self, part: u32, text: String) -> GitterAction {
        GitterAction::Send {
            part,
            text,
            status: self.status,
            parent_id: self.parent_id.clone(),
            virtual_user: self.virtual_user.clone(),
        }
    }
}

fn send(event: &Event, context: &Context) -> Result<Vec<GitterAction>, Skip> {
    let relation = Relation::of(&event.content);
    let composed = compose::message(event, &event.content, relation.is_reply(), context)?;
    let (parent_id, opening) = match threads::gitter_parent(&relation, context) {
        Parent::Known(parent) => (parent, String::new()),
        Parent::Unknown(target) => (None, reply_note(&target, context)),
    };
    let is_emote = composed.is_emote;
    let envelope = Envelope::new(event, is_emote, parent_id, context);
    let parts = composed.text.split(&Plan {
        prefix: &prefix(event, is_emote, context),
        opening: &opening,
        cut_note: &cut_note(event.id.as_deref()),
        max_parts: context.settings.max_parts,
        correction: None,
        link_units: context.link_units,
    });
    Ok((0..)
        .zip(parts)
        .map(|(part, text)| envelope.send(part, text))
        .collect())
}

fn edit(event: &Event, context: &Context) -> Result<Vec<GitterAction>, Skip> {
    let target = Relation::of(&event.content).target;
    let target = target.ok_or_else(|| skip(Reason::BadEvent, "it does not say what it edits"))?;
    let Some(Value::Object(content)) = event.content.get("m.new_content") else {
        return Err(skip(Reason::BadEvent, "it has no m.new_content"));
    };
    let parts = changes::edited(&target, &event.sender, context)?;
    let first = parts
        .first()
        .ok_or_else(|| skip(Reason::NotFound, "the event it edits is not on Gitter"))?;
    // Replacing events may repeat the fallback of a reply that they do not relate to any more.
    let composed = compose::message(event, content, true, context)?;
    if parts.iter().all(|part| changes::is_editable(part, context)) {
        return edit_in_place(event, &parts, &composed.text, composed.is_emote, context);
    }
    let lead = correction_lead(first, context);
    let corrected = composed.text.split(&plan_of_edit(
        &prefix(event, composed.is_emote, context),
        &cut_note(event.id.as_deref()),
        1,
        Some((0, &lead)),
        context,
    ));
    if is_same(&parts, &composed.text, event, composed.is_emote, context) {
        return Err(skip(Reason::NotAnEdit, "it changes nothing that Gitter shows"));
    }
    let envelope = correction_envelope(event, first, context);
    Ok(corrected.into_iter().map(|text| envelope.send(0, text)).collect())
}

/// Whether the text is what the parts show already.
fn is_same(parts: &[&Message], text: &Text, event: &Event, is_emote: bool, context: &Context) -> bool {
    let prefix = prefix(event, is_emote, context);
    let note = cut_note(event.id.as_deref());
    let written = text.split(&plan_of_edit(
        &prefix,
        &note,
        context.settings.max_parts,
        None,
        context,
    ));
    written
        .iter()
        .eq(parts.iter().map(|part| changes::current_text(part, context)))
}

/// Changes the parts that there are; takes back those that are left over, and posts what does not fit into
/// them as one correction.
fn edit_in_place(
    event: &Event,
    parts: &[&Message],
    text: &Text,
    is_emote: bool,
    context: &Context,
) -> Result<Vec<GitterAction>, Skip> {
    let Some(first) = parts.first() else {
        return Err(skip(Reason::NotFound, "the event it edits is not on Gitter"));
    };
    let lead = correction_lead(first, context);
    let most = u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_add(1);
    let written = text.split(&plan_of_edit(
        &prefix(event, is_emote, context),
        &cut_note(event.id.as_deref()),
        most,
        Some((parts.len(), &lead)),
        context,
    ));
    let mut actions = Vec::new();
    for (part, new) in parts.iter().zip(&written) {
        if changes::current_text(part, context) != *new {
            actions.push(GitterAction::Edit {
                part: part.part,
                message_id: part.gitter_message_id.clone(),
                text: new.clone(),
            });
        }
    }
    for part in parts.iter().skip(written.len()) {
        actions.push(GitterAction::Delete {
            message_id: part.gitter_message_id.clone(),
        });
    }
    let next = parts.last().map_or(0, |last| last.part.saturating_add(1));
    let envelope = correction_envelope(event, first, context);
    for text in written.into_iter().skip(parts.len()) {
        actions.push(envelope.send(next, text));
    }
    if actions.is_empty() {
        return Err(skip(Reason::NotAnEdit, "it changes nothing that Gitter shows"));
    }
    Ok(actions)
}

fn plan_of_edit<'a>(
    prefix: &'a str,
    cut_note: &'a str,
    max_parts: u32,
    correction: Option<(usize, &'a str)>,
    context: &Context,
) -> Plan<'a> {
    Plan {
        prefix,
        opening: "",
        cut_note,
        max_parts,
        correction,
        link_units: context.link_units,
    }
}

fn correction_lead(message: &Message, context: &Context) -> String {
    let permalink = link::to_gitter_message(&message.gitter_message_id, context);
    format!(":point_up: {}: ", escape::link("Edit", &permalink))
}

/// A correction stands in the thread of what it corrects, and is a `/me` line where that is one.
fn correction_envelope(event: &Event, message: &Message, context: &Context) -> Envelope {
    Envelope::new(event, message.status, message.gitter_parent_id.clone(), context)
}

fn reaction(event: &Event, context: &Context) -> Result<Vec<GitterAction>, Skip> {
    if context.settings.reactions == Reactions::Ignore {
        return Err(skip(Reason::NoEquivalent, "Gitter has no reactions"));
    }
    barred(context)?;
    let relation = event.content.get("m.relates_to");
    let key = relation
        .and_then(|relation| relation.get("key"))
        .and_then(Value::as_str);
    let target: Option<OwnedEventId> = Relation::of(&event.content).target;
    let (Some(key), Some(target)) = (key, target) else {
        return Err(skip(
            Reason::BadEvent,
            "it does not say what it reacts to, or how",
        ));
    };
    let message = context
        .crossed_event(&target)
        .ok_or_else(|| skip(Reason::NotFound, "the event it reacts to is not on Gitter"))?;
    let parent = message.gitter_parent_id.as_ref();
    let parent = parent.unwrap_or(&message.gitter_message_id).clone();
    let key = people::cut(key, MAX_REACTION_UNITS);
    let text = compose::words(
        &format!("reacted with {}", attachments::one_line(key)),
        event,
        context,
    );
    let envelope = Envelope::new(event, true, Some(parent), context);
    let parts = text.split(&plan_of_edit(&prefix(event, true, context), "", 1, None, context));
    Ok(parts.into_iter().map(|text| envelope.send(0, text)).collect())
}

/// The most UTF-16 units of a reaction that are shown; people use emoji, but the key may be any text.
const MAX_REACTION_UNITS: usize = 100;

fn prefix(event: &Event, is_emote: bool, context: &Context) -> String {
    if context.virtual_users {
        String::new()
    } else {
        people::prefix(&event.sender, is_emote, context)
    }
}

fn reply_note(target: &EventId, context: &Context) -> String {
    let link = escape::link(
        "in reply to a message on Matrix",
        &link::to_event(target, context),
    );
    format!("> {link}\n\n")
}

/// What stands at the end of a text that did not fit.
fn cut_note(event: Option<&EventId>) -> String {
    const TEXT: &str = "the rest of this message is on Matrix";
    match event {
        Some(event) => {
            let link = escape::link_to_stand_in(TEXT, &stand_in::full_text(event));
            format!("\n\n… {link}")
        }
        None => format!("\n\n… {TEXT}"),
    }
}

/// The text of a field.
fn text_field<'a>(content: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    content.get(key).and_then(Value::as_str)
}

fn skip(reason: Reason, detail: &str) -> Skip {
    (reason, detail.to_owned())
}
