//! What the frames from Gitter mean for a session.
//!
//! Every message of a frame is read by itself, and what the gravest of them leads to is done once the whole
//! frame has been read: what came with it is not lost.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    Phase, Session,
    channel::{Channel, Topic},
    link::{Answered, Link},
    message::{self, Frame, Incoming},
};
use crate::{
    gitter::event::{RealtimeEvent, SNAPSHOT, Snapshot},
    metrics,
};

/// Between two attempts with a token that Gitter refuses. Its own advice is ten days.
const AFTER_REFUSAL: Duration = Duration::from_mins(1);
/// Between two resets for gaps: a server that loses much must not be made to send snapshots all the time.
const BETWEEN_RESETS: Duration = Duration::from_mins(5);
/// The longest wait that the server's advice can ask for.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);

/// What a message leads to, the graver the later.
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
    /// A text frame has come. One that cannot be read may have held anything, so it counts as a gap.
    pub(in crate::gitter) fn frame_received(&mut self, text: &str, now: Instant) {
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
    pub(in crate::gitter) fn binary_received(&mut self, now: Instant) {
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
            let (link, connect) = Link::new(client_id.clone(), self.transport, reply.advice.as_ref(), now);
            self.phase = Phase::Linked(link);
            self.send(Frame::of_connect(connect));
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
        if let Some(channel) = self.channels.answered(reply) {
            self.channel_answered(channel, reply, now);
        }
        self.ask(now);
        self.settle();
        Then::GoOn
    }

    fn channel_answered(&mut self, channel: Channel, reply: &Incoming<'_>, now: Instant) {
        if reply.successful {
            self.channels.granted(&channel);
            self.tell_granted(channel, reply);
            return;
        }
        tracing::warn!(gitter.room.id = %channel.room, topic = ?channel.topic, error = reply.error(),
            "Gitter did not subscribe a room");
        let Some(400..=499) = reply.code() else {
            self.channels.failed(&channel, now);
            return;
        };
        self.channels.refused(&channel);
        let (room, error) = (channel.room, reply.error().to_owned());
        match channel.topic {
            Topic::Messages => self.tell(RealtimeEvent::Refused { room, error }),
            Topic::Room => self.tell(RealtimeEvent::RoomRefused { room, error }),
            // Without it, people are known from what they say.
            Topic::Users => {}
        }
    }

    /// Tells what comes with a subscription.
    fn tell_granted(&mut self, channel: Channel, reply: &Incoming<'_>) {
        let room = channel.room;
        match channel.topic {
            Topic::Messages => {
                let snapshot = reply.messages().map_or_else(Snapshot::Failed, Snapshot::Messages);
                self.tell(RealtimeEvent::Subscribed { room, snapshot });
            }
            Topic::Room => match reply.snapshot() {
                Ok(model) => self.tell(RealtimeEvent::Room {
                    room,
                    operation: SNAPSHOT.to_owned(),
                    model: model.to_owned(),
                }),
                Err(error) => {
                    tracing::warn!(gitter.room.id = %room, error, "Gitter does not say what a room is like");
                }
            },
            Topic::Users => self.tell(RealtimeEvent::UsersFollowed { room }),
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
        if let Some(Channel { topic, room }) =
            Channel::parse(&message.channel).filter(|channel| self.channels.listens_to(channel))
            && let Some(change) = message.change()
        {
            let (operation, model) = (change.operation, change.model.to_owned());
            self.tell(match topic {
                Topic::Messages => RealtimeEvent::Message {
                    room,
                    operation,
                    model,
                },
                Topic::Room => RealtimeEvent::Room {
                    room,
                    operation,
                    model,
                },
                Topic::Users => RealtimeEvent::User {
                    room,
                    operation,
                    model,
                },
            });
        }
        if complete { Then::GoOn } else { Then::Reset }
    }

    /// Starts the back-off anew once the session does all that is wanted of it.
    fn settle(&mut self) {
        if matches!(&self.phase, Phase::Linked(link) if link.is_up()) && self.channels.is_settled() {
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
        let rooms = self.channels.live();
        if !rooms.is_empty() {
            metrics::gap();
            self.tell(RealtimeEvent::Interrupted { rooms });
        }
    }

    /// Does what a gap asks for: a new client id, but not too often.
    fn reset_or_wait(&mut self, now: Instant) {
        let next = self.last_reset.map_or(now, |last| last + BETWEEN_RESETS);
        if !matches!(self.phase, Phase::Linked(_)) {
            self.start_over(Duration::ZERO, now);
        } else if next <= now {
            self.reset(now);
        } else {
            self.reset_at = Some(next);
        }
    }

    fn stop(&mut self, now: Instant) {
        if !self.refused {
            self.refused = true;
            self.tell(RealtimeEvent::TokenRefused);
        }
        self.start_over(AFTER_REFUSAL, now);
    }
}

/// The wait that a refusal advises, inside sane bounds.
fn interval(reply: &Incoming<'_>) -> Duration {
    let interval = reply.advice.as_ref().and_then(|advice| advice.interval);
    Duration::from_millis(interval.unwrap_or(0)).min(LONGEST_INTERVAL)
}
