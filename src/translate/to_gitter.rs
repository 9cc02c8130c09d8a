//! Matrix events to Gitter messages.

use ruma::EventId;
use serde_json::{Map, Value, value::RawValue};

use super::{
    Context, GitterAction, Translation, addresses,
    body::Body,
    escape,
    event::{self, Event, Relation},
    link, people, pills,
    split::{self, Plan},
    threads::{self, Parent},
    typed::{self, Announcements},
};
use crate::outcome::Reason;

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

fn actions(event: &Event, context: &Context) -> Result<Vec<GitterAction>, Skip> {
    judge(event, context)?;
    let is_emote = judge_message_type(&event.content)?;
    let body = event.content.get("body").and_then(Value::as_str);
    let body = body.ok_or_else(|| skip(Reason::BadEvent, "its body is not a text"))?;
    send(event, body, is_emote, context)
}

/// Sorts out everything that is not a new message.
fn judge(event: &Event, context: &Context) -> Result<(), Skip> {
    let kind = event.kind.as_str();
    if context.is_own(&event.sender) {
        return Err(skip(Reason::OwnEcho, "its sender is a user of the bridge"));
    }
    if event.is_state {
        return Err((
            Reason::NoEquivalent,
            format!("Gitter has nothing like the state event {kind}"),
        ));
    }
    match kind {
        "m.room.redaction" => Err(skip(
            Reason::NotTranslated,
            "this version does not carry deletions to Gitter",
        )),
        _ if event.is_redacted => Err(skip(Reason::Redacted, "it was redacted before it crossed")),
        "m.room.message" | "m.sticker" | "m.room.encrypted" if event.content.is_empty() => Err(skip(
            Reason::Redacted,
            "its content is gone, as after a redaction",
        )),
        "m.room.message" => Ok(()),
        "m.room.encrypted" => Err(skip(Reason::Encrypted, "the bridge cannot read encrypted events")),
        "m.reaction" => Err(skip(Reason::NoEquivalent, "Gitter has no reactions")),
        "m.sticker" | "m.poll.start" | "org.matrix.msc3381.poll.start" => Err((
            Reason::NotTranslated,
            format!("this version does not carry events of type {kind}"),
        )),
        _ => Err((
            Reason::NoEquivalent,
            format!("Gitter has nothing like events of type {kind}"),
        )),
    }
}

/// Sorts out the messages that are not text; for text, tells whether it is an emote.
fn judge_message_type(content: &Map<String, Value>) -> Result<bool, Skip> {
    if Relation::of(content).is_edit {
        return Err(skip(
            Reason::NotTranslated,
            "this version does not carry edits to Gitter",
        ));
    }
    match content.get("msgtype").and_then(Value::as_str) {
        Some("m.text" | "m.notice") => Ok(false),
        Some("m.emote") => Ok(true),
        Some(other) => Err((
            Reason::NotTranslated,
            format!("this version does not carry messages of type {other}"),
        )),
        None => Err(skip(Reason::BadEvent, "it has no msgtype")),
    }
}

fn send(event: &Event, text: &str, is_emote: bool, context: &Context) -> Result<Vec<GitterAction>, Skip> {
    let relation = Relation::of(&event.content);
    let text = if relation.is_reply() {
        threads::without_reply_fallback(text)
    } else {
        text
    };
    let mut body = Body::new(text);
    if !body.is_visible() {
        return Err(skip(Reason::Empty, "it has no visible text"));
    }
    pills::mark(&mut body, &event.content, context);
    addresses::mark(&mut body);
    typed::mark(&mut body, announcements(event, context), context);

    let (parent_id, opening) = match threads::gitter_parent(&relation, context) {
        Parent::Known(parent) => (parent, String::new()),
        Parent::Unknown(target) => (None, reply_note(&target, context)),
    };
    let prefix = if context.virtual_users {
        String::new()
    } else {
        people::prefix(&event.sender, is_emote, context)
    };
    let plan = Plan {
        prefix: &prefix,
        opening: &opening,
        cut_note: &cut_note(event.id.as_deref(), context),
        max_parts: context.settings.max_parts,
    };
    let parts = split::split(&body, &plan);
    let virtual_user = context
        .virtual_users
        .then(|| people::virtual_user(&event.sender, context));
    Ok((0..)
        .zip(parts)
        .map(|(part, text)| GitterAction::Send {
            part,
            text,
            // Gitter would put the account's own name before it, so a prefix says it instead.
            status: is_emote && context.virtual_users,
            parent_id: parent_id.clone(),
            virtual_user: virtual_user.clone(),
        })
        .collect())
}

/// How this message may notify everyone on Gitter. Its `@/all` has the right of the bridge's account
/// there, so without this anyone could (gitter-api 5.6).
fn announcements(event: &Event, context: &Context) -> Announcements {
    let member = context.member(&event.sender);
    let allowed = context.settings.announce && member.is_some_and(|member| member.may_notify_room);
    let means_room = match event.content.get("m.mentions") {
        Some(mentions) => mentions.get("room") == Some(&Value::Bool(true)),
        // Clients from before `m.mentions` say it by the text alone.
        None => true,
    };
    Announcements {
        all: allowed,
        room: allowed && means_room,
    }
}

fn reply_note(target: &EventId, context: &Context) -> String {
    let link = escape::link(
        "in reply to a message on Matrix",
        &link::to_event(target, context),
    );
    format!("> {link}\n\n")
}

fn cut_note(event: Option<&EventId>, context: &Context) -> String {
    const TEXT: &str = "the rest of this message is on Matrix";
    match event {
        Some(event) => format!("\n\n… {}", escape::link(TEXT, &link::to_event(event, context))),
        None => format!("\n\n… {TEXT}"),
    }
}

fn skip(reason: Reason, detail: &str) -> Skip {
    (reason, detail.to_owned())
}
