//! Bayeux as Gitter speaks it (gitter-api 7 and 14): what each message is answered.
//!
//! Synchronous and without I/O; `socket` carries it over a WebSocket and `poll` over HTTP long-polling. A batch
//! is answered as a whole, so one that holds a connect is answered when the connect is.

use std::{future, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use self::reply::{Advice, Reply};
use crate::state::{Socket, State};

pub(crate) mod poll;
mod reply;
pub(crate) mod socket;
mod subscribe;

/// The transports offered, by their names in the protocol.
const CONNECTION_TYPES: [&str; 2] = ["long-polling", "websocket"];
/// The one channel that clients may publish to.
const PROBE_CHANNEL: &str = "/ping2";

/// The answers to a batch.
pub(crate) struct Answers {
    /// One reply for each message.
    pub(crate) replies: Vec<Value>,
    /// The connect in the batch that holds them back.
    pub(crate) hold: Option<Hold>,
}

/// A connect that waits.
pub(crate) struct Hold {
    /// The client that connects.
    pub(crate) client: String,
    /// How long it waits.
    pub(crate) timeout: Duration,
}

/// Answers a batch of messages that came by a socket or poll.
pub(crate) fn answer(state: &mut State, now: Instant, socket: &Socket, batch: &[Value]) -> Answers {
    let mut answers = Answers {
        replies: Vec::new(),
        hold: None,
    };
    for message in batch {
        let (reply, hold) = answer_one(state, now, socket, message);
        answers.replies.push(reply.into_json(message));
        answers.hold = answers.hold.or(hold);
    }
    answers
}

fn answer_one(state: &mut State, now: Instant, socket: &Socket, message: &Value) -> (Reply, Option<Hold>) {
    let channel = message.get("channel").and_then(Value::as_str).unwrap_or_default();
    if channel == "/meta/handshake" {
        return (handshake(state, now, socket, message), None);
    }
    let Some(client) = message.get("clientId").and_then(Value::as_str) else {
        return (Reply::refused("402:clientId:Missing required parameter"), None);
    };
    let Some(user) = state.realtime.bind(now, client, socket) else {
        let error = format!("401:{client}:Unknown client");
        return (Reply::refused(error).with_advice(Advice::Handshake), None);
    };
    match channel {
        "/meta/connect" => match connection_type_error(message.get("connectionType")) {
            Some(error) => (Reply::refused(error).with_advice(Advice::Handshake), None),
            None => connect(state, now, client, socket, message),
        },
        "/meta/disconnect" => {
            state.realtime.disconnect(client);
            (Reply::accepted(), None)
        }
        "/meta/subscribe" => (subscribe::subscribe(state, client, user, message), None),
        "/meta/unsubscribe" => (subscribe::unsubscribe(state, client, message), None),
        PROBE_CHANNEL => (Reply::accepted(), None),
        _ => (Reply::refused("403::Push access denied"), None),
    }
}

/// Gitter looks at the token first, then at what Bayeux itself asks for.
fn handshake(state: &mut State, now: Instant, socket: &Socket, message: &Value) -> Reply {
    let Some(token) = message.pointer("/ext/token").and_then(Value::as_str) else {
        return Reply::refused("401::Access token required").with_advice(Advice::GiveUp);
    };
    let Some(caller) = state.caller(token) else {
        return Reply::refused("401::Invalid access token").with_advice(Advice::GiveUp);
    };
    let refusal = match message.get("supportedConnectionTypes") {
        Some(types) => connection_types_error(types),
        None => Some("402:supportedConnectionTypes:Missing required parameter".to_owned()),
    };
    let refusal = refusal.or_else(|| {
        let missing = message.get("version").is_none();
        missing.then(|| "402:version:Missing required parameter".to_owned())
    });
    if let Some(error) = refusal {
        return Reply::refused(error).with_advice(Advice::Handshake);
    }
    let client = state.realtime.open(now, caller.user, socket);
    Reply::accepted()
        .with_advice(Advice::Retry(state.realtime.connect_timeout()))
        .with("clientId", json!(client))
        .with("version", json!("1.0"))
        .with("supportedConnectionTypes", json!(CONNECTION_TYPES))
        .with(
            "ext",
            json!({
                "appVersion": "21.15",
                "userId": caller.user,
                "context": {"user": state.current_user(&caller)},
            }),
        )
}

/// Sends what waited, and holds the answer until the time is over.
fn connect(
    state: &mut State,
    now: Instant,
    client: &str,
    socket: &Socket,
    message: &Value,
) -> (Reply, Option<Hold>) {
    state.realtime.connect(now, client, socket);
    let usual = state.realtime.connect_timeout();
    let timeout = message
        .pointer("/advice/timeout")
        .and_then(Value::as_u64)
        .map_or(usual, Duration::from_millis);
    let hold = Hold {
        client: client.to_owned(),
        timeout,
    };
    (Reply::accepted().with_advice(Advice::Retry(usual)), Some(hold))
}

fn connection_type_error(connection_type: Option<&Value>) -> Option<String> {
    match connection_type.and_then(Value::as_str) {
        None => Some("402:connectionType:Missing required parameter".to_owned()),
        Some(known) if CONNECTION_TYPES.contains(&known) => None,
        Some(other) => Some(format!("301:{other}:Connection types not supported")),
    }
}

fn connection_types_error(types: &Value) -> Option<String> {
    let types: Vec<&str> = types
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if types.iter().any(|offered| CONNECTION_TYPES.contains(offered)) {
        return None;
    }
    Some(format!("301:{}:Connection types not supported", types.join(",")))
}

/// Waits until then, or for ever.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => future::pending().await,
    }
}
