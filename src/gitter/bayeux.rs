//! Bayeux over one WebSocket, as a pure state machine: no socket, no clock, no task (gitter-api 7).
//!
//! Told what happened and when, a [`Session`] says what to do: open or close the socket, send a frame, tell an
//! event. It keeps the wanted rooms subscribed through every loss, and says so when something may have been
//! missed. It does not catch up on what was: nothing is replayed by Gitter, so the bridge has to.

mod backoff;
mod link;
mod message;
mod rooms;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

use rand::rngs::SmallRng;
use secrecy::SecretString;
use serde_json::value::RawValue;
use tokio::time::Instant;

pub(super) use self::message::Frame;
use self::{
    backoff::Backoff,
    link::{Answered, Link},
    message::Incoming,
    rooms::Rooms,
};
use super::event::{RealtimeEvent, Snapshot};
use crate::ids::GitterRoomId;

/// How long opening the socket may take, TLS included, and how long the answer to a handshake.
const OPENING: Duration = Duration::from_secs(30);
/// Between two attempts with a token that Gitter refuses. Its own advice is ten days.
const AFTER_REFUSAL: Duration = Duration::from_mins(1);
/// Between two resets for gaps: a server that loses much must not be made to send snapshots all the time.
const BETWEEN_RESETS: Duration = Duration::from_mins(5);
/// The longest wait that the server's advice can ask for.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);

/// What to do, in this order.
#[derive(Debug)]
pub(super) enum Output {
    /// Open a socket, and say so.
    Open,
    /// Close the socket; nothing of it is to be told any more.
    Close,
    /// Send a frame.
    Send(Frame),
    /// Tell an event.
    Event(RealtimeEvent),
}

/// One socket's worth of rooms.
#[derive(Debug)]
pub(super) struct Session {
    token: SecretString,
    phase: Phase,
    rooms: Rooms,
    backoff: Backoff,
    /// Whether the token was refused and that was told.
    refused: bool,
    last_reset: Option<Instant>,
    /// When to reset for a gap that came too soon after the last.
    reset_at: Option<Instant>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum Phase {
    /// No socket; one is to be opened then.
    Waiting { until: Instant },
    /// The socket is being opened.
    Opening { until: Instant },
    /// The handshake is sent.
    Handshaking { until: Instant },
    /// There is a client id.
    Linked(Link),
}

/// What a message leads to, the graver the later. Done once its whole frame has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Then {
    GoOn,
    /// Something is missing.
    Reset,
    /// The client id is of no use; wait at least so long for another.
    StartOver {
        after: Duration,
    },
    /// The token is of no use.
    Stop,
}

impl Session {
    /// A session that wants to open its socket at once.
    pub(super) fn new(token: SecretString, random: SmallRng, now: Instant) -> Self {
        Self {
            token,
            phase: Phase::Waiting { until: now },
            rooms: Rooms::default(),
            backoff: Backoff::new(random),
            refused: false,
            last_reset: None,
            reset_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub(super) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::time_passed`] has to be called next.
    pub(super) fn deadline(&self) -> Instant {
        match &self.phase {
            Phase::Waiting { until } | Phase::Opening { until } | Phase::Handshaking { until } => *until,
            Phase::Linked(link) => [self.reset_at, self.rooms.deadline()]
                .into_iter()
                .flatten()
                .fold(link.deadline(), Instant::min),
        }
    }

    /// Subscribes a room; one that is subscribed already is asked for again, for a new snapshot.
    pub(super) fn subscribe(&mut self, room: GitterRoomId, now: Instant) {
        self.rooms.want(room);
        self.ask(now);
    }

    /// Lets a room go. No event of it comes any more.
    pub(super) fn unsubscribe(&mut self, room: &GitterRoomId, now: Instant) {
        let known = self.rooms.forget(room);
        if let Phase::Linked(link) = &mut self.phase
            && known
        {
            let message = link.unsubscribe(room);
            self.send(Frame::new(vec![message]));
        }
        self.ask(now);
    }

    /// Says goodbye, as far as there is anybody to say it to.
    pub(super) fn disconnect(&mut self) {
        if let Phase::Linked(link) = &mut self.phase {
            let message = link.disconnect();
            self.send(Frame::new(vec![message]));
        }
        self.outputs.push_back(Output::Close);
    }

    /// The socket asked for is open.
    pub(super) fn socket_opened(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Opening { .. }) {
            self.send(Frame::new(vec![message::handshake(&self.token)]));
            self.phase = Phase::Handshaking { until: now + OPENING };
        }
    }

    /// The socket is lost, or could not be opened.
    pub(super) fn socket_lost(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Waiting { .. }) {
            self.start_over(Duration::ZERO, now);
        }
    }

    /// The deadline has come.
    pub(super) fn time_passed(&mut self, now: Instant) {
        if self.deadline() > now {
            return;
        }
        match &mut self.phase {
            Phase::Waiting { .. } => {
                self.phase = Phase::Opening { until: now + OPENING };
                self.outputs.push_back(Output::Open);
            }
            Phase::Opening { .. } | Phase::Handshaking { .. } => {
                tracing::warn!("Gitter's realtime server does not answer");
                self.start_over(Duration::ZERO, now);
            }
            Phase::Linked(link) => {
                if link.is_silent(now) || self.rooms.is_overdue(now) {
                    tracing::warn!("Gitter's realtime server has fallen silent; connecting again");
                    self.start_over(Duration::ZERO, now);
                } else if self.reset_at.is_some_and(|time| time <= now) {
                    self.reset(now);
                } else {
                    let connect = link.connect(now);
                    self.outputs
                        .extend(connect.map(|connect| Output::Send(Frame::new(vec![connect]))));
                    self.ask(now);
                }
            }
        }
    }

    /// A text frame has come. One that cannot be read may have held anything, so it counts as a gap.
    pub(super) fn frame_received(&mut self, text: &str, now: Instant) {
        if matches!(self.phase, Phase::Waiting { .. } | Phase::Opening { .. }) {
            return;
        }
        let mut then = Then::GoOn;
        match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(messages) => {
                for raw in messages {
                    then = then.max(match serde_json::from_str(raw.get()) {
                        Ok(message) => self.message_received(&message, now),
                        Err(error) => self.unreadable(&error),
                    });
                }
            }
            Err(error) => then = self.unreadable(&error),
        }
        match then {
            Then::GoOn => {}
            Then::Reset => self.reset_or_wait(now),
            Then::StartOver { after } => self.start_over(after, now),
            Then::Stop => self.stop(now),
        }
    }

    /// A frame has come that is no text.
    pub(super) fn binary_received(&mut self, now: Instant) {
        tracing::warn!("Gitter's realtime server sent a binary frame");
        self.report_gap();
        self.reset_or_wait(now);
    }

    fn message_received(&mut self, message: &Incoming<'_>, now: Instant) -> Then {
        match message.channel.as_str() {
            message::HANDSHAKE => self.handshake_answered(message, now),
            message::CONNECT => self.connect_answered(message, now),
            message::SUBSCRIBE => self.subscribe_answered(message, now),
            message::UNSUBSCRIBE | message::DISCONNECT => Then::GoOn,
            _ => self.data_received(message),
        }
    }

    fn handshake_answered(&mut self, reply: &Incoming<'_>, now: Instant) -> Then {
        if !matches!(self.phase, Phase::Handshaking { .. }) {
            return Then::GoOn;
        }
        if let (true, Some(client_id)) = (reply.successful, &reply.client_id) {
            let (link, connect) = Link::new(client_id.clone(), reply.advice.as_ref(), now);
            self.phase = Phase::Linked(link);
            self.send(Frame::new(vec![connect]));
            self.ask(now);
            return Then::GoOn;
        }
        tracing::warn!(
            error = reply.error(),
            "Gitter's realtime server refused the handshake"
        );
        match reply.code() {
            Some(401 | 403) => Then::Stop,
            _ => Then::StartOver {
                after: interval(reply),
            },
        }
    }

    fn connect_answered(&mut self, reply: &Incoming<'_>, now: Instant) -> Then {
        let Phase::Linked(link) = &mut self.phase else {
            return Then::GoOn;
        };
        if !reply.successful && reply.wants_handshake() {
            tracing::info!(
                error = reply.error(),
                "Gitter's realtime server has forgotten this client"
            );
            return Then::StartOver {
                after: interval(reply),
            };
        }
        if !reply.successful {
            tracing::warn!(
                error = reply.error(),
                "Gitter's realtime server failed over a connect"
            );
        }
        if link.connect_answered(reply.advice.as_ref(), now) == Answered::First {
            self.refused = false;
            self.tell(RealtimeEvent::Connected);
            self.settle();
        }
        Then::GoOn
    }

    fn subscribe_answered(&mut self, reply: &Incoming<'_>, now: Instant) -> Then {
        if !reply.successful && reply.code() == Some(401) {
            tracing::info!(
                error = reply.error(),
                "Gitter's realtime server has forgotten this client"
            );
            return Then::StartOver {
                after: interval(reply),
            };
        }
        if let Some(room) = self.rooms.answered(reply) {
            self.room_answered(room, reply, now);
        }
        self.ask(now);
        self.settle();
        Then::GoOn
    }

    fn room_answered(&mut self, room: GitterRoomId, reply: &Incoming<'_>, now: Instant) {
        if reply.successful {
            self.rooms.granted(&room);
            let snapshot = reply.snapshot().map_or_else(Snapshot::Failed, Snapshot::Messages);
            self.tell(RealtimeEvent::Subscribed { room, snapshot });
            return;
        }
        tracing::warn!(gitter.room.id = %room, error = reply.error(), "Gitter did not subscribe a room");
        match reply.code() {
            Some(400..=499) => {
                self.rooms.refused(&room);
                let error = reply.error().to_owned();
                self.tell(RealtimeEvent::Refused { room, error });
            }
            _ => self.rooms.failed(&room, now),
        }
    }

    fn data_received(&mut self, message: &Incoming<'_>) -> Then {
        let Phase::Linked(link) = &mut self.phase else {
            return Then::GoOn;
        };
        let complete = message.count().is_none_or(|count| link.count(count));
        if !complete {
            tracing::warn!("Gitter's realtime server has left out a message");
            self.report_gap();
        }
        if let Some(room) =
            message::parse_channel(&message.channel).filter(|room| self.rooms.listens_to(room))
            && let Some(change) = message.change()
        {
            self.tell(RealtimeEvent::Message {
                room,
                operation: change.operation,
                model: change.model.to_owned(),
            });
        }
        if complete { Then::GoOn } else { Then::Reset }
    }

    /// Asks for the next rooms, if there is anybody to ask.
    fn ask(&mut self, now: Instant) {
        let Phase::Linked(link) = &mut self.phase else {
            return;
        };
        let mut messages = Vec::new();
        for (room, with_snapshot) in self.rooms.next_batch(now) {
            let (id, message) = link.subscribe(&room, with_snapshot);
            self.rooms.asked(id, room, now);
            messages.push(message);
        }
        if !messages.is_empty() {
            self.send(Frame::new(messages));
        }
    }

    /// Starts the back-off anew once the session does all that is wanted of it.
    fn settle(&mut self) {
        if matches!(&self.phase, Phase::Linked(link) if link.is_up()) && self.rooms.is_settled() {
            self.backoff.reset();
        }
    }

    fn unreadable(&mut self, error: &serde_json::Error) -> Then {
        // The place alone: the error's text may quote the frame.
        tracing::warn!(
            json.line = error.line(),
            json.column = error.column(),
            "Gitter's realtime server sent a frame that cannot be read"
        );
        self.report_gap();
        Then::Reset
    }

    /// Tells that something of the live rooms may be missing. Before whatever comes next of them.
    fn report_gap(&mut self) {
        let rooms = self.rooms.live();
        if !rooms.is_empty() {
            self.tell(RealtimeEvent::Interrupted { rooms });
        }
    }

    fn reset_or_wait(&mut self, now: Instant) {
        let next = self.last_reset.map_or(now, |last| last + BETWEEN_RESETS);
        if next <= now || !matches!(self.phase, Phase::Linked(_)) {
            self.reset(now);
        } else {
            self.reset_at = Some(next);
        }
    }

    /// Gives the client id up for a new one, so that every room is subscribed again.
    fn reset(&mut self, now: Instant) {
        self.last_reset = Some(now);
        if let Phase::Linked(link) = &mut self.phase {
            let message = link.disconnect();
            self.send(Frame::new(vec![message]));
        }
        self.start_over(Duration::ZERO, now);
    }

    fn stop(&mut self, now: Instant) {
        if !self.refused {
            self.refused = true;
            self.tell(RealtimeEvent::TokenRefused);
        }
        self.start_over(AFTER_REFUSAL, now);
    }

    /// Drops the socket and waits for the next. A socket of its own for every client id, so that no late frame
    /// of the old one is counted with the new one's.
    fn start_over(&mut self, after: Duration, now: Instant) {
        let rooms = self.rooms.lost();
        if !rooms.is_empty() {
            self.tell(RealtimeEvent::Interrupted { rooms });
        }
        self.reset_at = None;
        self.phase = Phase::Waiting {
            until: now + after.max(self.backoff.next()),
        };
        self.outputs.push_back(Output::Close);
    }

    fn send(&mut self, frame: Frame) {
        self.outputs.push_back(Output::Send(frame));
    }

    fn tell(&mut self, event: RealtimeEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// The wait that a refusal advises, inside sane bounds.
fn interval(reply: &Incoming<'_>) -> Duration {
    let interval = reply.advice.as_ref().and_then(|advice| advice.interval);
    Duration::from_millis(interval.unwrap_or(0)).min(LONGEST_INTERVAL)
}
