//! Messages that are no text on Gitter: files, stickers, places, polls and what is not known.
//!
//! Links to files are stand-ins that delivery replaces (DESIGN 6.4).

use ruma::OwnedMxcUri;
use serde_json::{Map, Value};

use super::{body, escape, people, stand_in};
use crate::outcome::Reason;

/// The most UTF-16 units of a file's name, so that its links fit into a message.
const MAX_NAME_UNITS: usize = 200;

/// What an event is on Gitter: Markdown of our own, and text of the sender's.
#[derive(Debug, PartialEq)]
pub(super) struct Attachment {
    /// Markdown that stands on lines of its own.
    pub(super) markdown: String,
    /// Whether the event's `body` is a caption to be written beneath.
    pub(super) has_caption: bool,
}

/// The Markdown of a file, by its `msgtype` or, for a sticker, `m.image`.
pub(super) fn file(kind: &str, content: &Map<String, Value>) -> Result<Attachment, (Reason, String)> {
    // An encrypted file, whose keys stand beside its address: whoever makes the link decrypts it.
    let encrypted = content.get("file").and_then(|file| file.get("url"));
    let url = encrypted
        .or_else(|| content.get("url"))
        .and_then(Value::as_str)
        .map(OwnedMxcUri::from)
        .filter(|url| url.is_valid() && stand_in::is_media(url.as_str()))
        .ok_or_else(|| (Reason::BadEvent, "its file has no mxc address".to_owned()))?;
    let text = |key: &str| {
        let text = content.get(key).and_then(Value::as_str).map(one_line);
        text.filter(|text| body::is_visible(text))
    };
    let name = text("filename")
        .or_else(|| text("body"))
        .unwrap_or_else(|| "file".to_owned());
    let name = people::cut(&name, MAX_NAME_UNITS).to_owned();
    let has_caption = text("filename").is_some_and(|filename| text("body").is_some_and(|it| it != filename));
    let media = stand_in::media(url.as_str());
    let is_voice = ["org.matrix.msc3245.voice", "m.voice"]
        .iter()
        .any(|key| content.contains_key(*key));
    let markdown = if kind == "m.image" {
        let thumbnail = escape::link_to_stand_in(&name, &stand_in::thumbnail(url.as_str()));
        format!("[!{thumbnail}]({media})")
    } else {
        let link = escape::link_to_stand_in(&name, &media);
        if is_voice {
            format!("Voice message: {link}")
        } else {
            link
        }
    };
    Ok(Attachment {
        markdown,
        has_caption,
    })
}

/// What a place is in words.
pub(super) fn location(content: &Map<String, Value>) -> String {
    let text = |key: &str| content.get(key).and_then(Value::as_str).unwrap_or_default();
    let (body, place) = (text("body").trim(), text("geo_uri").trim());
    if place.is_empty() || body.contains(place) {
        format!("Location: {body}")
    } else if body::is_visible(body) {
        format!("Location: {body} ({place})")
    } else {
        format!("Location: {place}")
    }
}

/// What a poll asks, in words; `None` if it cannot be read.
pub(super) fn poll(content: &Map<String, Value>) -> Option<String> {
    let poll = ["m.poll", "org.matrix.msc3381.poll.start"]
        .iter()
        .find_map(|key| content.get(*key));
    let question = poll.and_then(|poll| words(poll.get("question")?));
    let Some(question) = question else {
        return words(&Value::Object(content.clone())).map(|fallback| format!("Poll: {fallback}"));
    };
    let answers = poll
        .and_then(|poll| poll.get("answers"))
        .and_then(Value::as_array);
    let mut lines = vec![format!("Poll: {question}")];
    let answers = answers.into_iter().flatten().take(20).filter_map(words);
    lines.extend(
        (1..)
            .zip(answers)
            .map(|(number, answer)| format!("{number}. {answer}")),
    );
    Some(lines.join("\n"))
}

/// The text of an extensible event, in its stable and its older forms.
fn words(value: &Value) -> Option<String> {
    let stable = value.get("m.text").and_then(|text| match text {
        Value::Array(texts) => texts.first()?.get("body")?.as_str(),
        text => text.as_str(),
    });
    stable
        .or_else(|| value.get("org.matrix.msc1767.text").and_then(Value::as_str))
        .or_else(|| value.get("body").and_then(Value::as_str))
        .map(one_line)
        .filter(|text| body::is_visible(text))
}

/// A text as one line.
pub(super) fn one_line(text: &str) -> String {
    body::normalise(text).replace('\n', " ")
}
