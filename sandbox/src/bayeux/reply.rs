//! Replies to Bayeux messages, and the advice in them.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// A reply, until it gets the fields that it shares with its message.
pub(super) struct Reply {
    fields: Map<String, Value>,
}

/// What the server advises the client to do next (gitter-api 7.1 and 7.2). Times are in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Advice {
    /// Go on, connecting again after the interval; each connect is held for this long.
    Retry(Duration),
    /// Handshake again.
    Handshake,
    /// Do not come back: ten days.
    GiveUp,
}

impl Reply {
    /// A successful reply.
    pub(super) fn accepted() -> Self {
        Self {
            fields: Map::from_iter([("successful".to_owned(), json!(true))]),
        }
    }

    /// A refusal with an error in Faye's form, `CODE:arguments:text`.
    pub(super) fn refused(error: impl Into<String>) -> Self {
        let fields = [("successful", json!(false)), ("error", json!(error.into()))];
        Self {
            fields: fields
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect(),
        }
    }

    /// The reply with one more field.
    pub(super) fn with(mut self, key: &str, value: Value) -> Self {
        self.fields.insert(key.to_owned(), value);
        self
    }

    /// The reply with advice.
    pub(super) fn with_advice(self, advice: Advice) -> Self {
        let advice = match advice {
            Advice::Retry(timeout) => {
                let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                json!({"reconnect": "retry", "interval": 500, "timeout": timeout})
            }
            Advice::Handshake => json!({"reconnect": "handshake", "interval": 2000}),
            Advice::GiveUp => json!({"reconnect": "none", "interval": 864_000_000}),
        };
        self.with("advice", advice)
    }

    /// The reply as JSON, with the channel, id, client and subscription of its message.
    pub(super) fn into_json(mut self, message: &Value) -> Value {
        for key in ["channel", "id", "clientId", "subscription"] {
            if let Some(value) = message.get(key) {
                self.fields.entry(key).or_insert_with(|| value.clone());
            }
        }
        Value::Object(self.fields)
    }
}
