//! The marker in the content of every event that the bridge sends: which Gitter message it came from.
//!
//! A homeserver without durable memory of transaction ids is asked for the marker before anything is
//! sent again (DESIGN 3.1).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{GitterMessageId, GitterRoomId};

/// The marker's key in the content.
pub const SOURCE_KEY: &str = "im.gitter.source";

/// What an event was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceMarker {
    /// The Gitter room.
    pub room: GitterRoomId,
    /// The Gitter message.
    pub message: GitterMessageId,
    /// What was done to the message.
    pub op: SourceOperation,
    /// Which of the events that the message became, from 0.
    pub part: u32,
    /// For edits: when the message was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
}

/// What was done to a Gitter message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceOperation {
    /// It was written.
    Create,
    /// Its text was changed.
    Edit,
}

impl SourceMarker {
    /// Puts the marker into an event's content, beside what is there.
    pub fn add_to(&self, content: &mut Map<String, Value>) {
        let mut marker = Map::new();
        marker.insert("room".to_owned(), self.room.as_str().into());
        marker.insert("message".to_owned(), self.message.as_str().into());
        marker.insert("op".to_owned(), self.op.as_str().into());
        marker.insert("part".to_owned(), self.part.into());
        if let Some(edited_at) = self.edited_at {
            marker.insert("edited_at".to_owned(), edited_at.to_string().into());
        }
        content.insert(SOURCE_KEY.to_owned(), Value::Object(marker));
    }

    /// Reads the marker of an event's content; none if it has none, or one that is not ours. Others can
    /// write markers too: only those of own ghosts and the bot mean anything.
    pub fn of(content: &Value) -> Option<Self> {
        Self::deserialize(content.get(SOURCE_KEY)?).ok()
    }
}

impl SourceOperation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Edit => "edit",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn marker(op: SourceOperation, edited_at: Option<&str>) -> SourceMarker {
        SourceMarker {
            room: "5f0000000000000000000a01".parse().unwrap(),
            message: "5f0000000000000000000d01".parse().unwrap(),
            op,
            part: 2,
            edited_at: edited_at.map(|time| time.parse().unwrap()),
        }
    }

    fn added(marker: &SourceMarker) -> Value {
        let mut content = Map::from_iter([("body".to_owned(), json!("hello"))]);
        marker.add_to(&mut content);
        Value::Object(content)
    }

    #[test]
    fn a_create_looks_as_the_design_says() {
        assert_eq!(
            added(&marker(SourceOperation::Create, None)),
            json!({
                "body": "hello",
                "im.gitter.source": {
                    "room": "5f0000000000000000000a01",
                    "message": "5f0000000000000000000d01",
                    "op": "create",
                    "part": 2
                }
            })
        );
    }

    #[test]
    fn what_is_added_is_read_back() {
        for marker in [
            marker(SourceOperation::Create, None),
            marker(SourceOperation::Edit, Some("2020-12-01T10:00:00.123Z")),
        ] {
            assert_eq!(SourceMarker::of(&added(&marker)), Some(marker));
        }
    }

    #[test]
    fn other_contents_have_no_marker() {
        for content in [
            json!({}),
            json!(null),
            json!({"im.gitter.source": "x"}),
            json!({"im.gitter.source": {"room": "../..", "message": "m", "op": "create", "part": 0}}),
        ] {
            assert_eq!(SourceMarker::of(&content), None, "{content}");
        }
    }
}
