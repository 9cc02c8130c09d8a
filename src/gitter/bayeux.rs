//! Bayeux over one WebSocket, or over long-polling, as a pure state machine: no socket, no clock, no task (gitter-api 7).
//!
//! Told what happened and when, a [`Session`] says what to do: open or close the socket, send a frame, tell an
//! event. It keeps the wanted rooms subscribed through every loss, and says so when something may have been
//! missed. It does not catch up on what was: nothing is replayed by Gitter, so the bridge has to.

mod backoff;
mod channel;
mod channels;
mod link;
mod message;
mod receive;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

use rand::rngs::SmallRng;
use secrecy::SecretString;
use tokio::time::Instant;

use self::{backoff::Backoff, channels::Channels, link::Link};
pub(super) use self::{
    channel::{Channel, Topic},
    message::{Frame, Transport},
};
use super::event::RealtimeEvent;
use crate::{ids::GitterRoomId, metrics};

/// How long opening the socket may take, TLS included, and how long the answer to a handshake.
const OPENING: Duration = Duration::from_secs(30);

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
    transport: Transport,
    phase: Phase,
    channels: Channels,
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

impl Session {
    /// A session that wants to open its socket at once.
    pub(super) fn new(token: SecretString, random: SmallRng, now: Instant) -> Self {
        Self {
            token,
            transport: Transport::WebSocket,
            phase: Phase::Waiting { until: now },
            channels: Channels::default(),
            backoff: Backoff::new(random),
            refused: false,
            last_reset: None,
            reset_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// The token that handshakes are made with.
    pub(super) const fn token(&self) -> &SecretString {
        &self.token
    }

    /// Makes the next handshake with this token, and at once if it waits for one.
    pub(super) fn take_token(&mut self, token: SecretString, now: Instant) {
        self.token = token;
        if self.refused
            && let Phase::Waiting { until } = &mut self.phase
        {
            *until = now;
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
            Phase::Linked(link) => [self.reset_at, self.channels.deadline()]
                .into_iter()
                .flatten()
                .fold(link.deadline(), Instant::min),
        }
    }

    /// Subscribes channels; those that are subscribed already are asked for again where that gives a new snapshot.
    pub(super) fn subscribe(&mut self, channels: impl IntoIterator<Item = Channel>, now: Instant) {
        for channel in channels {
            self.channels.want(channel);
        }
        self.ask(now);
    }

    /// Lets a room go. No event of it comes any more.
    pub(super) fn unsubscribe(&mut self, room: &GitterRoomId, now: Instant) {
        let known = self.channels.forget(room);
        if let Phase::Linked(link) = &mut self.phase
            && !known.is_empty()
        {
            let messages = known.iter().map(|channel| link.unsubscribe(channel)).collect();
            self.send(Frame::new(messages));
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

    /// The socket asked for is open, or what takes its place.
    pub(super) fn socket_opened(&mut self, transport: Transport, now: Instant) {
        if matches!(self.phase, Phase::Opening { .. }) {
            self.transport = transport;
            self.send(Frame::new(vec![message::handshake(&self.token, transport)]));
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
                if link.is_silent(now) || self.channels.is_overdue(now) {
                    tracing::warn!("Gitter's realtime server has fallen silent; connecting again");
                    self.start_over(Duration::ZERO, now);
                } else if self.reset_at.is_some_and(|time| time <= now) {
                    self.reset(now);
                } else {
                    let connect = link.connect(now);
                    self.outputs
                        .extend(connect.map(|connect| Output::Send(Frame::of_connect(connect))));
                    self.ask(now);
                }
            }
        }
    }

    /// Asks for the next channels, if there is anybody to ask.
    fn ask(&mut self, now: Instant) {
        let Phase::Linked(link) = &mut self.phase else {
            return;
        };
        let mut messages = Vec::new();
        for (channel, with_snapshot) in self.channels.next_batch(now) {
            let (id, message) = link.subscribe(&channel, with_snapshot);
            self.channels.asked(id, channel, now);
            messages.push(message);
        }
        if !messages.is_empty() {
            self.send(Frame::new(messages));
        }
    }

    /// Gives the client id up for a new one, so that everything is subscribed again.
    fn reset(&mut self, now: Instant) {
        self.last_reset = Some(now);
        if let Phase::Linked(link) = &mut self.phase {
            let message = link.disconnect();
            self.send(Frame::new(vec![message]));
        }
        self.start_over(Duration::ZERO, now);
    }

    /// Drops the socket and waits for the next. A socket of its own for every client id, so that no late frame
    /// of the old one is counted with the new one's.
    fn start_over(&mut self, after: Duration, now: Instant) {
        let rooms = self.channels.lost();
        if !rooms.is_empty() {
            metrics::interrupted();
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
