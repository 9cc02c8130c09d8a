//! The messages of Bayeux 1.0 as Gitter speaks it (gitter-api 7): read and written here alone.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::channel::Channel;

pub(super) const HANDSHAKE: &str = "/meta/handshake";
pub(super) const CONNECT: &str = "/meta/connect";
pub(super) const SUBSCRIBE: &str = "/meta/subscribe";
pub(super) const UNSUBSCRIBE: &str = "/meta/unsubscribe";
pub(super) const DISCONNECT: &str = "/meta/disconnect";

/// The text of one WebSocket message or POST. It may hold the token, so it does not show it.
#[derive(Clone)]
pub(in crate::gitter) struct Frame {
    text: String,
    is_connect: bool,
}

impl Frame {
    pub(super) fn new(messages: Vec<Value>) -> Self {
        Self {
            text: Value::Array(messages).to_string(),
            is_connect: false,
        }
    }

    /// The frame of a connect, which Gitter may hold before it answers.
    pub(super) fn of_connect(message: Value) -> Self {
        Self {
            is_connect: true,
            ..Self::new(vec![message])
        }
    }

    /// Whether its answer may be held.
    pub(in crate::gitter) const fn is_connect(&self) -> bool {
        self.is_connect
    }

    pub(in crate::gitter) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Frame({} bytes)", self.text.len())
    }
}

/// How frames travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gitter) enum Transport {
    /// As messages of a WebSocket.
    WebSocket,
    /// As bodies of POSTs and their answers.
    LongPolling,
}

impl Transport {
    /// Its name in the protocol.
    pub(super) const fn connection_type(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::LongPolling => "long-polling",
        }
    }
}

/// The handshake. Without `ext.troupeId`, which would mark the account as present in a room.
pub(super) fn handshake(token: &SecretString, transport: Transport) -> Value {
    json!({
        "channel": HANDSHAKE,
        "id": "1",
        "version": "1.0",
        "supportedConnectionTypes": [transport.connection_type()],
        "ext": {
            "token": token.expose_secret(),
            "client": "gitter-matrix-bridge",
            "connType": "online",
            "eyeballs": 0,
        },
    })
}

/// One message from Gitter: a reply, or data of a channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Incoming<'a> {
    pub(super) channel: String,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    pub(super) successful: bool,
    #[serde(default)]
    pub(super) client_id: Option<String>,
    #[serde(default)]
    subscription: Value,
    /// `CODE::text`, or `CODE:arguments:text`.
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) advice: Option<Advice>,
    #[serde(default, borrow)]
    ext: Option<Extension<'a>>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

/// What the server wants done next; times in milliseconds.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Advice {
    #[serde(default)]
    pub(super) reconnect: Option<String>,
    #[serde(default)]
    pub(super) interval: Option<u64>,
    #[serde(default)]
    pub(super) timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Extension<'a> {
    #[serde(default)]
    c: Option<u64>,
    #[serde(default, borrow)]
    snapshot: Option<&'a RawValue>,
}

/// The data of a channel.
#[derive(Debug, Deserialize)]
pub(super) struct Change<'a> {
    pub(super) operation: String,
    #[serde(borrow)]
    pub(super) model: &'a RawValue,
}

impl<'a> Incoming<'a> {
    /// The id of the request that it replies to.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_str()
    }

    /// The channel of the subscription that it replies to.
    pub(super) fn subscription(&self) -> Option<Channel> {
        self.subscription.as_str().and_then(Channel::parse)
    }

    /// The number that its error begins with, much like an HTTP status.
    pub(super) fn code(&self) -> Option<u16> {
        self.error.as_deref()?.split(':').next()?.parse().ok()
    }

    /// The error for people.
    pub(super) fn error(&self) -> &str {
        self.error.as_deref().unwrap_or("no error given")
    }

    /// Whether the client id has to be given up for a new one.
    pub(super) fn wants_handshake(&self) -> bool {
        let reconnect = self
            .advice
            .as_ref()
            .and_then(|advice| advice.reconnect.as_deref());
        self.code() == Some(401) || matches!(reconnect, Some("handshake" | "none"))
    }

    /// The client's count of data messages, from 1.
    pub(super) fn count(&self) -> Option<u64> {
        self.ext.as_ref()?.c
    }

    /// The snapshot in a reply to a subscription, or why it cannot be had.
    pub(super) fn snapshot(&self) -> Result<&'a RawValue, String> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let snapshot = self.ext.as_ref().and_then(|ext| ext.snapshot);
        snapshot.ok_or_else(|| "Gitter sent no snapshot".to_owned())
    }

    /// The messages of such a snapshot.
    pub(super) fn messages(&self) -> Result<Vec<Box<RawValue>>, String> {
        let snapshot = self.snapshot()?;
        serde_json::from_str(snapshot.get()).map_err(|_| "Gitter's snapshot is no list".to_owned())
    }

    /// The change that it tells; `None` if it is other news of the channel.
    pub(super) fn change(&self) -> Option<Change<'a>> {
        serde_json::from_str(self.data?.get()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_error_is_its_leading_number() {
        for (error, code) in [
            ("401::Invalid access token", Some(401)),
            ("401:c1:Unknown client", Some(401)),
            ("no", None),
        ] {
            let text = json!({ "channel": CONNECT, "error": error }).to_string();
            let message: Incoming<'_> = serde_json::from_str(&text).unwrap();
            assert_eq!(message.code(), code, "{error}");
        }
    }

    #[test]
    fn a_frame_does_not_show_its_token() {
        let frame = Frame::new(vec![handshake(
            &SecretString::from("s3cret"),
            Transport::WebSocket,
        )]);
        assert!(!format!("{frame:?}").contains("s3cret"));
        assert!(frame.into_text().contains("s3cret"));
    }
}
