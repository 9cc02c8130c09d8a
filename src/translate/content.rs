//! The content of the `m.room.message` that a Gitter message becomes.

use ruma::OwnedUserId;
use serde_json::{Map, Value, json};

use super::{
    Context, body,
    context::Message as Crossed,
    emoji,
    html::{self, Rendered},
    link,
    mentions::{self, People},
    threads, uploads,
};
use crate::model::Message;

/// The most bytes of a text with its HTML. Homeservers refuse events of 64 KiB and put their own fields around it
/// (client-server API, "size limits").
const MAX_BYTES: usize = 52_000;

/// The most people that one message notifies; their ids count towards the size of its event.
const MAX_MENTIONS: usize = 50;

/// The marker's key: by it the bridge finds its own events again (DESIGN 3.1).
pub(super) const SOURCE_KEY: &str = "im.gitter.source";

/// A content, and what stands for it where its upload cannot be made.
pub(super) struct Written {
    pub(super) content: Map<String, Value>,
    pub(super) fallback: Option<Map<String, Value>>,
}

impl Written {
    fn new(text: Map<String, Value>, file: Option<Map<String, Value>>, marker: Value) -> Self {
        let (mut content, fallback) = match file {
            Some(file) => (file, Some(text)),
            None => (text, None),
        };
        content.insert(SOURCE_KEY.to_owned(), marker);
        Self { content, fallback }
    }
}

/// A message without its place in the room.
struct Draft {
    /// `msgtype`, the text and what belongs to it.
    fields: Map<String, Value>,
    /// The people mentioned.
    mentioned: Vec<OwnedUserId>,
    /// Whether everyone in the room is.
    announces: bool,
}

impl Draft {
    fn mentions(&self) -> Value {
        mentions(&self.mentioned, self.announces)
    }
}

/// Makes the content of a message; `None` if nothing would be left to see. `name`: who wrote it, where the
/// bot sends it; ghosts need no name.
pub(super) fn create(message: &Message, name: Option<&str>, context: &Context) -> Option<Written> {
    let finish = |draft: Draft| {
        let mut content = draft.fields.clone();
        content.insert("m.mentions".to_owned(), draft.mentions());
        let relation = message
            .parent_id
            .as_ref()
            .and_then(|parent| threads::matrix_relation(parent, context));
        if let Some(relation) = relation {
            content.insert("m.relates_to".to_owned(), relation);
        }
        content
    };
    let text = finish(draft(message, name, MAX_BYTES, context)?);
    let file = upload(message, name, context).map(finish);
    Some(Written::new(text, file, source(message, false, context)))
}

/// Makes the content that replaces `target`; `None` if nothing would be left to see. Who was mentioned
/// before is not notified again (client-server API, "event replacements").
pub(super) fn edit(
    message: &Message,
    name: Option<&str>,
    target: &Crossed,
    context: &Context,
) -> Option<Written> {
    let known = mentions::known(&message.id, context);
    let finish = |draft: Draft| {
        let mut new = draft.fields.clone();
        let mut content = draft.fields.clone();
        new.insert("m.mentions".to_owned(), draft.mentions());
        for key in ["body", "formatted_body"] {
            if let Some(Value::String(text)) = content.get_mut(key) {
                text.insert_str(0, "* ");
            }
        }
        let mut added = draft.mentioned.clone();
        added.retain(|user| !known.people.contains(user));
        let announces = draft.announces && !known.everyone;
        content.insert("m.mentions".to_owned(), mentions(&added, announces));
        content.insert("m.new_content".to_owned(), Value::Object(new));
        let relation = json!({ "rel_type": "m.replace", "event_id": target.matrix_event_id });
        content.insert("m.relates_to".to_owned(), relation);
        content
    };
    // The text is in it twice.
    let text = finish(draft(message, name, MAX_BYTES / 2, context)?);
    let file = upload(message, name, context).map(finish);
    Some(Written::new(text, file, source(message, true, context)))
}

/// A message that is one link to a file of Gitter's: delivery fetches it and says what it is. What the bot
/// sends needs its author's name, which a file has no place for.
fn upload(message: &Message, name: Option<&str>, context: &Context) -> Option<Draft> {
    if name.is_some() || message.status {
        return None;
    }
    let upload = uploads::find(&message.text, &context.files_hosts)?;
    let stand_in = |url| json!(format!("{{upload:{url}}}"));
    let mut fields = Map::new();
    fields.insert("msgtype".to_owned(), json!("m.file"));
    fields.insert("body".to_owned(), json!(upload.name));
    fields.insert("filename".to_owned(), json!(upload.name));
    fields.insert("url".to_owned(), stand_in(upload.url));
    if let Some(thumbnail) = upload.thumbnail {
        let info = json!({ "thumbnail_url": stand_in(thumbnail) });
        fields.insert("info".to_owned(), info);
    }
    Some(Draft {
        fields,
        mentioned: Vec::new(),
        announces: false,
    })
}

fn draft(message: &Message, name: Option<&str>, most_bytes: usize, context: &Context) -> Option<Draft> {
    let people = People::of(message, context);
    let author = message.from_user.as_ref().map(|author| author.username.as_str());
    let leading = author.filter(|author| message.status && !author.is_empty());
    let rendered = html::render(&message.html, leading, &people);
    let text = shown_text(message, leading, rendered.as_ref(), context);
    if !body::is_visible(&text) {
        return None;
    }
    let mut mentioned = match &rendered {
        Some(rendered) if !message.html.is_empty() => rendered.mentioned.clone(),
        _ => people.listed(),
    };
    mentioned.truncate(MAX_MENTIONS);
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
    limit(&mut fields, most_bytes, message, context);
    Some(Draft {
        fields,
        mentioned,
        announces: people.is_announcement(message.from_user.as_ref()),
    })
}

/// The text of a message as people see it in the plain: as typed, without the leading own name of `/me`.
fn shown_text(
    message: &Message,
    leading: Option<&str>,
    rendered: Option<&Rendered>,
    context: &Context,
) -> String {
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
    let address = |address: &str| link::shown_to_matrix(address, context);
    emoji::replace_typed(without_name.unwrap_or(text), address)
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
fn source(message: &Message, is_edit: bool, context: &Context) -> Value {
    let mut marker = json!({
        "room": context.portal.gitter_room_id,
        "message": message.id,
        "op": if is_edit { "edit" } else { "create" },
        "part": 0,
    });
    if is_edit && let (Some(marker), Some(edited_at)) = (marker.as_object_mut(), message.edited_at) {
        marker.insert("edited_at".to_owned(), json!(edited_at));
    }
    marker
}

/// Makes a text fit into an event: the HTML goes first, then the end of the text.
fn limit(fields: &mut Map<String, Value>, most_bytes: usize, message: &Message, context: &Context) {
    if size(fields) > most_bytes {
        fields.remove("format");
        fields.remove("formatted_body");
    }
    let excess = size(fields).saturating_sub(most_bytes);
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
