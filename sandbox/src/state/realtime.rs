//! The Bayeux clients: what each follows, the numbers of its frames, and what waits for it (gitter-api 7.1,
//! 7.4 and 14).
//!
//! Pure but for handing frames to open sockets, which never waits.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Channel, State};
use crate::{
    faults::{Faults, FrameEffect},
    object_id::ObjectId,
};

/// A client that has not connected for this long is dead: 1.6 times the advised 120 s.
const DEAD_AFTER: SignedDuration = SignedDuration::from_secs(192);

/// All clients and sockets.
#[derive(Default)]
pub(crate) struct Realtime {
    clients: HashMap<String, Client>,
    sockets: u64,
    frames: u64,
    cut: CancellationToken,
}

struct Client {
    user: ObjectId,
    channels: BTreeSet<String>,
    /// The number (`ext.c`) of its last frame.
    numbered: u64,
    /// When it last connected.
    heard: Timestamp,
    socket: Option<Socket>,
    /// Frames for which there was no socket.
    queue: VecDeque<Value>,
}

/// The sending end of an open WebSocket.
#[derive(Clone)]
pub(crate) struct Socket {
    id: u64,
    // Not bounded: publishing must not wait, and a sandbox's traffic is small.
    sender: mpsc::UnboundedSender<Outgoing>,
    /// Cancelled when all sockets are to be cut.
    pub(crate) cut: CancellationToken,
}

/// A frame on its way out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The frame.
    pub(crate) frame: Value,
    /// How long to hold it back; later frames overtake it.
    pub(crate) delay: Duration,
}

impl Realtime {
    /// A new socket, and the frames that it is to send.
    pub(crate) fn open_socket(&mut self) -> (Socket, mpsc::UnboundedReceiver<Outgoing>) {
        let (sender, frames) = mpsc::unbounded_channel();
        self.sockets += 1;
        let socket = Socket {
            id: self.sockets,
            sender,
            cut: self.cut.clone(),
        };
        (socket, frames)
    }

    /// Forgets a closed socket. From now on its clients' frames wait for their next connect.
    pub(crate) fn close_socket(&mut self, socket: &Socket) {
        for client in self.clients.values_mut() {
            client.socket.take_if(|bound| bound.id == socket.id);
        }
    }

    /// Cuts all sockets; the clients live on.
    pub(crate) fn cut_sockets(&mut self) {
        std::mem::take(&mut self.cut).cancel();
    }

    /// Forgets all clients, as a Gitter does whose Redis was emptied. Their sockets stay open.
    pub(crate) fn forget_clients(&mut self) {
        self.clients.clear();
    }

    /// A new client of a user.
    pub(crate) fn open(&mut self, now: Timestamp, user: ObjectId) -> String {
        let id = format!("{:032x}", rand::random::<u128>());
        let client = Client {
            user,
            channels: BTreeSet::new(),
            numbered: 0,
            heard: now,
            socket: None,
            queue: VecDeque::new(),
        };
        self.clients.insert(id.clone(), client);
        id
    }

    /// Forgets the clients that are dead by now.
    pub(crate) fn forget_dead(&mut self, now: Timestamp) {
        self.clients
            .retain(|_, client| now.duration_since(client.heard) < DEAD_AFTER);
    }

    /// The user of a client that is alive, which from now on gets its frames by this socket.
    pub(crate) fn bind(&mut self, now: Timestamp, id: &str, socket: &Socket) -> Option<ObjectId> {
        self.forget_dead(now);
        let client = self.clients.get_mut(id)?;
        client.socket = Some(socket.clone());
        Some(client.user)
    }

    /// Notes that a client connected, and sends what waited for it.
    pub(crate) fn connect(&mut self, now: Timestamp, id: &str) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        client.heard = now;
        for frame in std::mem::take(&mut client.queue) {
            client.send(frame, Duration::ZERO);
        }
    }

    /// Whether a client is known.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.clients.contains_key(id)
    }

    /// Ends a client.
    pub(crate) fn disconnect(&mut self, id: &str) {
        self.clients.remove(id);
    }

    /// Adds a channel to those of a client.
    pub(crate) fn subscribe(&mut self, id: &str, channel: Channel) {
        if let Some(client) = self.clients.get_mut(id) {
            client.channels.insert(channel.to_string());
        }
    }

    /// Takes a channel from those of a client.
    pub(crate) fn unsubscribe(&mut self, id: &str, channel: &str) {
        if let Some(client) = self.clients.get_mut(id) {
            client.channels.remove(channel);
        }
    }

    /// How many clients there are.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    fn publish(&mut self, channel: Channel, data: &Value, faults: &mut Faults) {
        let channel = channel.to_string();
        for client in self.clients.values_mut() {
            if !client.channels.contains(&channel) {
                continue;
            }
            let effect = faults.frame_effect(&channel);
            client.numbered += if effect == Some(FrameEffect::SkipNumber) {
                2
            } else {
                1
            };
            self.frames += 1;
            let frame = json!({
                "channel": channel,
                "data": data,
                "id": format!("{:x}", self.frames),
                "ext": {"c": client.numbered},
            });
            match effect {
                Some(FrameEffect::Drop) => {}
                Some(FrameEffect::Double) => {
                    client.send(frame.clone(), Duration::ZERO);
                    client.send(frame, Duration::ZERO);
                }
                Some(FrameEffect::DelayMs(delay)) => client.send(frame, Duration::from_millis(delay)),
                Some(FrameEffect::SkipNumber) | None => client.send(frame, Duration::ZERO),
            }
        }
    }
}

impl Client {
    /// Gives a frame to the client's socket, or keeps it where there is none.
    fn send(&mut self, frame: Value, delay: Duration) {
        let unsent = match &self.socket {
            Some(socket) => match socket.sender.send(Outgoing { frame, delay }) {
                Ok(()) => return,
                Err(mpsc::error::SendError(outgoing)) => outgoing.frame,
            },
            None => frame,
        };
        self.queue.push_back(unsent);
    }
}

impl State {
    /// Publishes news on a channel to all who follow it.
    pub(super) fn publish(&mut self, channel: Channel, data: &Value) {
        self.realtime.publish(channel, data, &mut self.faults);
    }
}

#[cfg(test)]
mod tests;
