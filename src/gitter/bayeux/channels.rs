//! The channels that one socket keeps subscribed: what is wanted, asked for and granted.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    channel::{Channel, Topic},
    message::Incoming,
};
use crate::ids::GitterRoomId;

/// The most subscriptions asked for at a time; Gitter answers them all in one frame (gitter-api 14).
const BATCH: usize = 50;
/// A batch not answered by then never will be.
const ANSWER: Duration = Duration::from_mins(1);
/// How long a subscription rests that failed on Gitter's side.
const REST: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Channels {
    wanted: BTreeMap<Channel, Subscription>,
    /// The requests not answered yet, by their ids.
    asked: HashMap<String, Channel>,
    answer_by: Option<Instant>,
}

#[derive(Debug)]
struct Subscription {
    need: Need,
    /// Whether Gitter has granted it on this socket, so that its news are told.
    live: bool,
    /// How often the socket was lost while this was being asked for.
    losses: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// It is subscribed.
    Nothing,
    /// It has to be asked for.
    Ask,
    /// It has to be asked for, but not before then.
    AskAfter(Instant),
    /// It was asked for.
    Answer,
    /// Gitter refused it; nobody has asked for it since.
    Refused,
}

impl Channels {
    /// Notes that a channel is to be subscribed; one that is already is asked for again only where that gives a new
    /// snapshot.
    pub(super) fn want(&mut self, channel: Channel) {
        let gives_news = channel.topic != Topic::Users;
        let wanted = self.wanted.entry(channel).or_insert(Subscription {
            need: Need::Ask,
            live: false,
            losses: 0,
        });
        if wanted.need != Need::Answer && (gives_news || wanted.need != Need::Nothing) {
            wanted.need = Need::Ask;
        }
    }

    /// Forgets a room; gives those of its channels that Gitter knows to be followed.
    pub(super) fn forget(&mut self, room: &GitterRoomId) -> Vec<Channel> {
        self.asked.retain(|_, asked| asked.room != *room);
        self.close_batch();
        let forgotten = Channel::of(room).into_iter().filter(|channel| {
            let forgotten = self.wanted.remove(channel);
            forgotten.is_some_and(|channel| channel.live || channel.need == Need::Answer)
        });
        forgotten.collect()
    }

    /// The channels to ask for now, each with whether a snapshot is wanted; none while a batch is unanswered.
    ///
    /// A channel during whose asking the socket was lost may be the cause (a snapshot too large for one frame):
    /// it is asked for alone after the others, and without a snapshot if that was not enough.
    pub(super) fn next_batch(&mut self, now: Instant) -> Vec<(Channel, bool)> {
        if !self.asked.is_empty() {
            return Vec::new();
        }
        for room in self.wanted.values_mut() {
            if matches!(room.need, Need::AskAfter(time) if time <= now) {
                room.need = Need::Ask;
            }
        }
        let waiting = |suspect: bool| {
            self.wanted
                .iter()
                .filter(move |(_, room)| room.need == Need::Ask && (room.losses > 0) == suspect)
                .map(|(channel, room)| (channel.clone(), room.losses < 2))
        };
        let batch: Vec<_> = waiting(false).take(BATCH).collect();
        if batch.is_empty() {
            waiting(true).take(1).collect()
        } else {
            batch
        }
    }

    /// Notes that a channel was asked for by a request.
    pub(super) fn asked(&mut self, id: String, channel: Channel, now: Instant) {
        if let Some(wanted) = self.wanted.get_mut(&channel) {
            wanted.need = Need::Answer;
        }
        self.asked.insert(id, channel);
        self.answer_by = Some(now + ANSWER);
    }

    /// The channel that a reply is about; `None` if nobody waits for it.
    pub(super) fn answered(&mut self, reply: &Incoming<'_>) -> Option<Channel> {
        let by_subscription = || {
            let channel = reply.subscription()?;
            let (id, _) = self.asked.iter().find(|(_, asked)| **asked == channel)?;
            Some(id.clone())
        };
        let id = reply
            .id()
            .filter(|id| self.asked.contains_key(*id))
            .map(str::to_owned)
            .or_else(by_subscription)?;
        let channel = self.asked.remove(&id);
        self.close_batch();
        channel
    }

    /// Notes that Gitter granted a channel.
    pub(super) fn granted(&mut self, channel: &Channel) {
        if let Some(wanted) = self.wanted.get_mut(channel) {
            *wanted = Subscription {
                need: Need::Nothing,
                live: true,
                losses: 0,
            };
        }
    }

    /// Notes that Gitter refused a channel.
    pub(super) fn refused(&mut self, channel: &Channel) {
        if let Some(wanted) = self.wanted.get_mut(channel) {
            wanted.need = Need::Refused;
            wanted.live = false;
        }
    }

    /// Notes that Gitter failed over a channel, which is to be asked for again a while later.
    pub(super) fn failed(&mut self, channel: &Channel, now: Instant) {
        if let Some(wanted) = self.wanted.get_mut(channel) {
            wanted.need = Need::AskAfter(now + REST);
        }
    }

    /// Notes that the client id is lost, and gives the rooms whose messages were live.
    pub(super) fn lost(&mut self) -> Vec<GitterRoomId> {
        let interrupted = self.live();
        for room in self.wanted.values_mut() {
            room.live = false;
            match room.need {
                Need::Refused => {}
                Need::Answer => {
                    room.losses = room.losses.saturating_add(1);
                    room.need = Need::Ask;
                }
                Need::Nothing | Need::Ask | Need::AskAfter(_) => room.need = Need::Ask,
            }
        }
        self.asked.clear();
        self.answer_by = None;
        interrupted
    }

    /// The rooms whose messages are live.
    pub(super) fn live(&self) -> Vec<GitterRoomId> {
        let live = self.wanted.iter().filter(|(_, wanted)| wanted.live);
        live.filter(|(channel, _)| channel.topic == Topic::Messages)
            .map(|(channel, _)| channel.room.clone())
            .collect()
    }

    /// Whether news of a channel are wanted. They may come just before the reply that grants it.
    pub(super) fn listens_to(&self, channel: &Channel) -> bool {
        self.wanted
            .get(channel)
            .is_some_and(|wanted| wanted.need != Need::Refused)
    }

    /// Whether there is nothing to ask for and no answer to wait for.
    pub(super) fn is_settled(&self) -> bool {
        let open = |room: &Subscription| matches!(room.need, Need::Ask | Need::Answer);
        !self.wanted.values().any(open)
    }

    /// Whether a batch should long have been answered.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.answer_by.is_some_and(|time| time <= now)
    }

    /// When there is something to do next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.answer_by.is_some() {
            return self.answer_by;
        }
        let resting = self.wanted.values().filter_map(|room| match room.need {
            Need::AskAfter(time) => Some(time),
            _ => None,
        });
        resting.min()
    }

    fn close_batch(&mut self) {
        if self.asked.is_empty() {
            self.answer_by = None;
        }
    }
}
