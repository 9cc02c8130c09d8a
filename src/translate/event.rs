//! Reading a Matrix event leniently: only what translation looks at, and nothing of the rest can sink it.
//!
//! The typed events of `ruma` refuse more than homeservers do, so this reads the JSON itself.

use ruma::{OwnedEventId, OwnedUserId, UserId};
use serde_json::{Map, Value, value::RawValue};

/// What translation needs of an event.
#[derive(Debug)]
pub(super) struct Event {
    /// The event's type.
    pub(super) kind: String,
    /// Its id.
    pub(super) id: Option<OwnedEventId>,
    /// Who sent it.
    pub(super) sender: OwnedUserId,
    /// Its content.
    pub(super) content: Map<String, Value>,
    /// Of what it is the state, if it is a state event.
    pub(super) state_key: Option<String>,
    /// The membership that it ends, where the homeserver says so.
    pub(super) membership_before: Option<String>,
    /// Whether it was redacted before it came here.
    pub(super) is_redacted: bool,
    /// What it redacts: since room version 11 its content says so.
    pub(super) redacts: Option<OwnedEventId>,
}

/// Reads an event, or says what is wrong with it.
pub(super) fn read(event: &RawValue) -> Result<Event, &'static str> {
    let fields: Map<String, Value> =
        serde_json::from_str(event.get()).map_err(|_| "it cannot be read as an object")?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let content = match fields.get("content") {
        Some(Value::Object(content)) => content.clone(),
        _ => return Err("its content is not an object"),
    };
    let redacted_because = fields
        .get("unsigned")
        .and_then(|unsigned| unsigned.get("redacted_because"));
    let redacts = [content.get("redacts").and_then(Value::as_str), text("redacts")]
        .into_iter()
        .flatten()
        .find_map(|id| id.try_into().ok());
    Ok(Event {
        kind: text("type").ok_or("it has no type")?.to_owned(),
        id: text("event_id").and_then(|id| id.try_into().ok()),
        sender: text("sender")
            .and_then(|sender| UserId::parse(sender).ok())
            .ok_or("it has no sender")?,
        state_key: fields
            .get("state_key")
            .map(|key| key.as_str().unwrap_or_default().to_owned()),
        membership_before: membership_before(&fields),
        is_redacted: redacted_because.is_some_and(|because| !because.is_null()),
        redacts,
        content,
    })
}

fn membership_before(fields: &Map<String, Value>) -> Option<String> {
    let before = fields.get("unsigned")?.pointer("/prev_content/membership")?;
    before.as_str().map(str::to_owned)
}

/// How an event relates to others (client-server API, `m.relates_to`).
#[derive(Debug, Default)]
pub(super) struct Relation {
    /// The root of the Matrix thread that it is in.
    pub(super) thread_root: Option<OwnedEventId>,
    /// The event that it answers, or for clients without threads seems to.
    pub(super) reply_to: Option<OwnedEventId>,
    /// Whether it changes another event.
    pub(super) is_edit: bool,
    /// What it changes or annotates.
    pub(super) target: Option<OwnedEventId>,
}

impl Relation {
    /// The relation in an event's content; what is unreadable counts as absent.
    pub(super) fn of(content: &Map<String, Value>) -> Self {
        let Some(relates_to) = content.get("m.relates_to") else {
            return Self::default();
        };
        let event_id = |value: &Value| {
            value
                .get("event_id")
                .and_then(Value::as_str)
                .and_then(|id| id.try_into().ok())
        };
        let kind = relates_to.get("rel_type").and_then(Value::as_str);
        Self {
            thread_root: (kind == Some("m.thread")).then(|| event_id(relates_to)).flatten(),
            reply_to: relates_to.get("m.in_reply_to").and_then(event_id),
            is_edit: kind == Some("m.replace"),
            target: matches!(kind, Some("m.replace" | "m.annotation"))
                .then(|| event_id(relates_to))
                .flatten(),
        }
    }

    /// Whether it answers something, by itself or as the fallback of a thread.
    pub(super) fn is_reply(&self) -> bool {
        self.thread_root.is_some() || self.reply_to.is_some()
    }
}
