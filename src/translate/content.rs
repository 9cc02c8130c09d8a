//! The content of the `m.room.message` that a Gitter message becomes.

use ruma::OwnedUserId;
use serde_json::{Map, Value, json};

use super::{
    Context, body, emoji,
    html::{self, Rendered},
    link,
    mentions::People,
    threads,
};
use crate::model::Message;

/// The most bytes of a content. Homeservers refuse events of 64 KiB and put their own fields around it
/// (client-server API, "size limits").
const MAX_BYTES: usize = 60_000;

/// Makes the content of a message; `None` if nothing would be left to see. `name`: who wrote it, where the
/// bot sends it; ghosts need no name.
pub(super) fn make(message: &Message, name: Option<&str>, context: &Context) -> Option<Map<String, Value>> {
    let people = People::of(message, context);
    let author = message.from_user.as_ref().map(|author| author.username.as_str());
    let leading = author.filter(|author| message.status && !author.is_empty());
    let rendered = html::render(&message.html, leading, &people);
    let text = shown_text(message, leading, rendered.as_ref());
    if !body::is_visible(&text) {
        return None;
    }
    let mentioned = match &rendered {
        Some(rendered) if !message.html.is_empty() => rendered.mentioned.clone(),
        _ => people.listed(),
    };
    let is_announcement = people.is_announcement(message.from_user.as_ref());
    let formatted = rendered
        .filter(|rendered| adds_to(rendered, &text))
        .map(|rendered| rendered.html);
    let (text, formatted) = with_name(name, text, formatted, message.status);

    let mut fields = Map::new();
    let msgtype = if message.status { "m.emote" } else { "m.text" };
    fields.insert("msgtype".to_owned(), json!(msgtype));
    fields.insert("body".to_owned(), json!(text));
    if let Some(formatted) = formatted {
        fields.insert("format".to_owned(), json!("org.matrix.custom.html"));
        fields.insert("formatted_body".to_owned(), json!(formatted));
    }
    fields.insert("m.mentions".to_owned(), mentions(&mentioned, is_announcement));
    let relation = message
        .parent_id
        .as_ref()
        .and_then(|parent| threads::matrix_relation(parent, context));
    if let Some(relation) = relation {
        fields.insert("m.relates_to".to_owned(), relation);
    }
    fields.insert("im.gitter.source".to_owned(), source(message, context));
    limit(&mut fields, message, context);
    Some(fields)
}

/// The text of a message as people see it in the plain: as typed, without the leading own name of `/me`.
fn shown_text(message: &Message, leading: Option<&str>, rendered: Option<&Rendered>) -> String {
    let typed = message.text.trim();
    let text = if typed.is_empty() {
        rendered.map_or("", |rendered| rendered.text.trim())
    } else {
        typed
    };
    let without_name = leading.and_then(|author| {
        let (name, rest) = text.strip_prefix('@')?.split_at_checked(author.len())?;
        let ends = rest.is_empty() || rest.starts_with(char::is_whitespace);
        (ends && name.eq_ignore_ascii_case(author)).then_some(rest.trim_start())
    });
    emoji::replace_typed(without_name.unwrap_or(text))
}

/// Whether HTML shows anything that the text alone does not.
fn adds_to(rendered: &Rendered, text: &str) -> bool {
    let is_other_text = !rendered.text.split_whitespace().eq(text.split_whitespace());
    !rendered.html.is_empty() && (rendered.is_rich || is_other_text)
}

fn with_name(
    name: Option<&str>,
    text: String,
    formatted: Option<String>,
    is_emote: bool,
) -> (String, Option<String>) {
    let Some(name) = name else {
        return (text, formatted);
    };
    let between = if is_emote { " " } else { ": " };
    let formatted = formatted.unwrap_or_else(|| html::escape(&text).replace('\n', "<br>"));
    let formatted = format!("<strong>{}</strong>{between}{formatted}", html::escape(name));
    (format!("{name}{between}{text}"), Some(formatted))
}

fn mentions(users: &[OwnedUserId], is_announcement: bool) -> Value {
    let mut mentions = Map::new();
    if !users.is_empty() {
        mentions.insert("user_ids".to_owned(), json!(users));
    }
    if is_announcement {
        mentions.insert("room".to_owned(), json!(true));
    }
    Value::Object(mentions)
}

/// The marker by which the bridge finds its own events again (DESIGN 3.1).
fn source(message: &Message, context: &Context) -> Value {
    json!({
        "room": context.portal.gitter_room_id,
        "message": message.id,
        "op": "create",
        "part": 0,
    })
}

/// Makes a content fit into an event: the HTML goes first, then the end of the text.
fn limit(fields: &mut Map<String, Value>, message: &Message, context: &Context) {
    if size(fields) > MAX_BYTES {
        fields.remove("format");
        fields.remove("formatted_body");
    }
    let excess = size(fields).saturating_sub(MAX_BYTES);
    if excess > 0
        && let Some(Value::String(text)) = fields.get_mut("body")
    {
        let note = format!(
            "\n\n… (cut; all of it: {})",
            link::to_gitter_message(&message.id, context)
        );
        let mut surplus = excess + json_length(&note);
        while surplus > 0
            && let Some(last) = text.pop()
        {
            surplus = surplus.saturating_sub(json_length(last.encode_utf8(&mut [0; 4])));
        }
        text.push_str(&note);
    }
}

fn size(content: &Map<String, Value>) -> usize {
    serde_json::to_vec(content).map_or(0, |json| json.len())
}

/// How many bytes a text takes inside a JSON string.
fn json_length(text: &str) -> usize {
    serde_json::to_vec(text).map_or(0, |json| json.len().saturating_sub(2))
}

#[cfg(test)]
mod tests;
