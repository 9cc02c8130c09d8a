//! What the messages of an event say, before it is split.

use serde_json::{Map, Value};

use super::{Skip, skip, text_field};
use crate::{
    outcome::Reason,
    translate::{
        Context, addresses, attachments,
        body::{self, Body},
        event::Event,
        formatted::{self, Setting, block::Block},
        pack, people, pills,
        split::{self, Plan},
        threads,
        typed::{self, Announcements},
    },
};

/// The text of a message.
pub(super) enum Text {
    Plain(Body),
    Blocks(Vec<Block>),
}

impl Text {
    /// Writes the text as the Markdown of one message or several.
    pub(super) fn split(&self, plan: &Plan<'_>) -> Vec<String> {
        match self {
            Self::Plain(body) => split::split(body, plan),
            Self::Blocks(blocks) => pack::pack(blocks.clone(), plan),
        }
    }
}

/// A text and how it is posted.
pub(super) struct Composed {
    pub(super) text: Text,
    pub(super) is_emote: bool,
}

/// Makes the text of a message, sticker or poll. `content`: the event's own, or an edit's new one.
pub(super) fn message(
    event: &Event,
    content: &Map<String, Value>,
    is_reply: bool,
    context: &Context,
) -> Result<Composed, Skip> {
    let kind = match event.kind.as_str() {
        "m.sticker" => "m.image",
        "m.room.message" => {
            text_field(content, "msgtype").ok_or_else(|| skip(Reason::BadEvent, "it has no msgtype"))?
        }
        _ => "poll",
    };
    let text = match kind {
        "poll" => {
            let poll = attachments::poll(content);
            let poll = poll.ok_or_else(|| skip(Reason::BadEvent, "its poll cannot be read"))?;
            words(&poll, event, context)
        }
        "m.text" | "m.notice" | "m.emote" | "m.server_notice" => written(event, content, is_reply, context)?,
        "m.image" | "m.file" | "m.audio" | "m.video" => file(kind, event, content, is_reply, context)?,
        "m.location" => words(&attachments::location(content), event, context),
        "m.key.verification.request" => {
            return Err(skip(
                Reason::NoEquivalent,
                "Gitter has no keys that people could verify",
            ));
        }
        other => {
            let body = text_field(content, "body");
            let body = body.ok_or_else(|| skip(Reason::BadEvent, "its body is not a text"))?;
            let body = if is_reply {
                threads::without_reply_fallback(body)
            } else {
                body
            };
            let kind = attachments::one_line(other);
            words(&format!("({kind}) {body}"), event, context)
        }
    };
    Ok(Composed {
        text,
        is_emote: kind == "m.emote",
    })
}

/// A text in words of ours and the sender's, all of it plain.
pub(super) fn words(text: &str, event: &Event, context: &Context) -> Text {
    let mut body = Body::new(text);
    finish(&mut body, event, &Map::new(), context);
    Text::Plain(body)
}

/// A text as people write it.
fn written(
    event: &Event,
    content: &Map<String, Value>,
    is_reply: bool,
    context: &Context,
) -> Result<Text, Skip> {
    let text = text_field(content, "body");
    let text = text.ok_or_else(|| skip(Reason::BadEvent, "its body is not a text"))?;
    let blocks = blocks(event, content, context);
    if !blocks.is_empty() {
        return Ok(Text::Blocks(blocks));
    }
    let text = if is_reply {
        threads::without_reply_fallback(text)
    } else {
        text
    };
    let text = body::normalise(text);
    let mut body = Body::new(people::cut(&text, most_units(context)));
    if !body.is_visible() {
        return Err(skip(Reason::Empty, "it has no visible text"));
    }
    finish(&mut body, event, content, context);
    Ok(Text::Plain(body))
}

/// Far more than all parts of a message hold, though mentions and links may be shorter on Gitter: what is behind it
/// cannot be shown, and is not worth the time.
fn most_units(context: &Context) -> usize {
    let parts = usize::try_from(context.settings.max_parts).unwrap_or(usize::MAX);
    parts.saturating_add(6).saturating_mul(split::MAX_UNITS)
}

fn blocks(event: &Event, content: &Map<String, Value>, context: &Context) -> Vec<Block> {
    let Some(html) = formatted::html_of(content) else {
        return Vec::new();
    };
    let setting = Setting {
        context,
        named: &pills::named(content),
        announcements: announcements(event, content, context),
    };
    formatted::blocks(html, setting)
}

/// A file, and its caption beneath (Matrix 1.10: `body` is one where there is a `filename` too).
fn file(
    kind: &str,
    event: &Event,
    content: &Map<String, Value>,
    is_reply: bool,
    context: &Context,
) -> Result<Text, Skip> {
    let attachment = attachments::file(kind, content)?;
    let mut all = vec![Block::own(attachment.markdown, Body::default())];
    if attachment.has_caption {
        match written(event, content, is_reply, context) {
            Ok(Text::Blocks(caption)) => all.extend(caption),
            Ok(Text::Plain(caption)) => all.push(Block::paragraph(caption)),
            Err(_) => {}
        }
    }
    Ok(Text::Blocks(all))
}

fn finish(body: &mut Body, event: &Event, content: &Map<String, Value>, context: &Context) {
    pills::mark(body, content, context);
    addresses::mark(body, context);
    typed::mark(body, announcements(event, content, context), context);
}

/// How this message may notify everyone on Gitter. Its `@/all` has the right of the bridge's account
/// there, so without this anyone could (gitter-api 5.6).
fn announcements(event: &Event, content: &Map<String, Value>, context: &Context) -> Announcements {
    let member = context.member(&event.sender);
    let allowed = context.settings.announce && member.is_some_and(|member| member.may_notify_room);
    let means_room = match content.get("m.mentions") {
        Some(mentions) => mentions.get("room") == Some(&Value::Bool(true)),
        // Clients from before `m.mentions` say it by the text alone.
        None => true,
    };
    Announcements {
        all: allowed,
        room: allowed && means_room,
    }
}
