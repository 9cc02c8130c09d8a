//! When to ping a WebSocket, and when to give it up (gitter-api 7.1). Pure; the time is passed in.

use std::time::Duration;

use tokio::time::Instant;

/// The time between pings.
const PING_EVERY: Duration = Duration::from_secs(40);
/// How long a client has to answer one.
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// The heartbeat of one socket.
pub(super) struct Heartbeat {
    due: Instant,
    waits_for_pong: bool,
}

/// What to do when the time has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Ping the client.
    Ping,
    /// Close the socket: the last ping was not answered.
    Close,
}

impl Heartbeat {
    /// The heartbeat of a socket opened at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            due: now + PING_EVERY,
            waits_for_pong: false,
        }
    }

    /// When the next beat is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The beat that is due.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if self.waits_for_pong {
            return Beat::Close;
        }
        self.waits_for_pong = true;
        self.due = now + PONG_WITHIN;
        Beat::Ping
    }

    /// Notes an answer to a ping.
    pub(super) fn pong(&mut self, now: Instant) {
        self.waits_for_pong = false;
        self.due = now + PING_EVERY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_pinged_every_40_seconds_and_given_up_10_seconds_after_the_ping_it_missed() {
        let start = Instant::now();
        let second = Duration::from_secs;
        let mut heartbeat = Heartbeat::new(start);
        assert_eq!(heartbeat.due(), start + second(40));
        assert_eq!(heartbeat.beat(start + second(40)), Beat::Ping);
        heartbeat.pong(start + second(41));
        assert_eq!(heartbeat.due(), start + second(81));
        assert_eq!(heartbeat.beat(start + second(81)), Beat::Ping);
        assert_eq!(heartbeat.due(), start + second(91));
        assert_eq!(heartbeat.beat(start + second(91)), Beat::Close);
    }
}
