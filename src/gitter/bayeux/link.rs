//! One client id that Gitter gave: its requests, its one outstanding connect, its count of data messages.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    channel::{Channel, Topic},
    message::{Advice, CONNECT, DISCONNECT, SUBSCRIBE, Transport, UNSUBSCRIBE},
};

/// Added to `advice.timeout`: a connect not answered by then never will be.
const SILENCE: Duration = Duration::from_secs(10);
/// The answer to the first connect, which is not held back, takes no longer than this.
const FIRST_ANSWER: Duration = Duration::from_secs(30);
/// The newest messages asked for with a subscription; Gitter gives no more (gitter-api 14).
const SNAPSHOT_LIMIT: u32 = 100;

#[derive(Debug)]
pub(super) struct Link {
    client_id: String,
    transport: Transport,
    last_id: u64,
    next_count: u64,
    /// Between the answer to a connect and the next.
    interval: Duration,
    /// How long Gitter holds a connect.
    timeout: Duration,
    connect: Connect,
}

#[derive(Debug, Clone, Copy)]
enum Connect {
    /// Sent and not answered; without an answer until then the socket is dead.
    Outstanding { first: bool, until: Instant },
    /// Answered; the next is sent then.
    Due { at: Instant },
}

/// What the answer to a connect was the answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// The first connect: the client is up.
    First,
    /// A later one.
    Later,
    /// None that is outstanding.
    Nothing,
}

impl Link {
    /// The state after a handshake, with the message to send first.
    pub(super) fn new(
        client_id: String,
        transport: Transport,
        advice: Option<&Advice>,
        now: Instant,
    ) -> (Self, Value) {
        let mut link = Self {
            client_id,
            transport,
            last_id: 1,
            next_count: 1,
            interval: Duration::from_millis(500),
            timeout: Duration::from_mins(2),
            connect: Connect::Outstanding {
                first: true,
                until: now + FIRST_ANSWER,
            },
        };
        link.advised(advice);
        let (_, mut connect) = link.request(CONNECT);
        // Else Gitter holds it like any other, and the answers to subscriptions wait with it.
        merge(
            &mut connect,
            json!({ "connectionType": transport.connection_type(), "advice": { "timeout": 0 } }),
        );
        (link, connect)
    }

    /// The next connect, if it is due.
    pub(super) fn connect(&mut self, now: Instant) -> Option<Value> {
        match self.connect {
            Connect::Due { at } if at <= now => {}
            _ => return None,
        }
        self.connect = Connect::Outstanding {
            first: false,
            until: now + self.timeout + SILENCE,
        };
        let (_, mut connect) = self.request(CONNECT);
        merge(
            &mut connect,
            json!({ "connectionType": self.transport.connection_type() }),
        );
        Some(connect)
    }

    /// Takes in the answer to a connect.
    pub(super) fn connect_answered(&mut self, advice: Option<&Advice>, now: Instant) -> Answered {
        let Connect::Outstanding { first, .. } = self.connect else {
            return Answered::Nothing;
        };
        self.advised(advice);
        self.connect = Connect::Due {
            at: now + self.interval,
        };
        if first { Answered::First } else { Answered::Later }
    }

    /// Whether the first connect has been answered.
    pub(super) fn is_up(&self) -> bool {
        !matches!(self.connect, Connect::Outstanding { first: true, .. })
    }

    /// Whether the outstanding connect should long have been answered.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        matches!(self.connect, Connect::Outstanding { until, .. } if until <= now)
    }

    /// When there is something to do next.
    pub(super) fn deadline(&self) -> Instant {
        match self.connect {
            Connect::Outstanding { until, .. } => until,
            Connect::Due { at } => at,
        }
    }

    /// Counts a data message in; whether none is missing before it. Each has the number after the last one's.
    pub(super) fn count(&mut self, count: u64) -> bool {
        let is_next = count == self.next_count;
        self.next_count = count.saturating_add(1);
        is_next
    }

    /// A subscription with its id. One channel a message: Gitter finds no route for more (gitter-api 7.3).
    pub(super) fn subscribe(&mut self, channel: &Channel, with_snapshot: bool) -> (String, Value) {
        let snapshot = match channel.topic {
            Topic::Messages if with_snapshot => json!({ "limit": SNAPSHOT_LIMIT, "includeThreads": true }),
            // Only asked for so it says whether the room is public, and it is small.
            Topic::Room => json!(true),
            // That of users would hold the first 30 alone.
            Topic::Messages | Topic::Users => json!(false),
        };
        let (id, mut message) = self.request(SUBSCRIBE);
        merge(
            &mut message,
            json!({ "subscription": channel.name(), "ext": { "snapshot": snapshot } }),
        );
        (id, message)
    }

    pub(super) fn unsubscribe(&mut self, channel: &Channel) -> Value {
        let (_, mut message) = self.request(UNSUBSCRIBE);
        merge(&mut message, json!({ "subscription": channel.name() }));
        message
    }

    pub(super) fn disconnect(&mut self) -> Value {
        self.request(DISCONNECT).1
    }

    fn request(&mut self, channel: &str) -> (String, Value) {
        self.last_id = self.last_id.saturating_add(1);
        let id = self.last_id.to_string();
        let message = json!({ "channel": channel, "clientId": self.client_id, "id": id });
        (id, message)
    }

    /// Follows the server's pace inside sane bounds: no busy loop, and no silence of days.
    fn advised(&mut self, advice: Option<&Advice>) {
        let milliseconds = |time: Option<u64>, least: Duration, most: Duration| {
            time.map(|time| Duration::from_millis(time).clamp(least, most))
        };
        let Some(advice) = advice else { return };
        let interval = milliseconds(
            advice.interval,
            Duration::from_millis(100),
            Duration::from_mins(1),
        );
        let timeout = milliseconds(advice.timeout, Duration::from_secs(5), Duration::from_mins(10));
        self.interval = interval.unwrap_or(self.interval);
        self.timeout = timeout.unwrap_or(self.timeout);
    }
}

/// Adds fields to a JSON object.
fn merge(object: &mut Value, fields: Value) {
    if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
        object.extend(fields);
    }
}
