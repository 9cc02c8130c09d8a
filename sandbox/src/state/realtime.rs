//! The Bayeux clients: what each follows, the numbers of its frames, and what waits for it (gitter-api 7.1,
//! 7.4 and 14).
//!
//! Pure but for handing frames to open sockets, which never waits.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Channel, State};
use crate::{
    faults::{Faults, FrameEffect},
    object_id::ObjectId,
};

/// All clients and sockets.
pub(crate) struct Realtime {
    connect_timeout: Duration,
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
    heard: Instant,
    /// How long after that it is dead.
    dead_after: Duration,
    socket: Option<Socket>,
    /// Frames for which there was no socket.
    queue: VecDeque<Value>,
}

/// The sending end of an open WebSocket, or of the answer to a poll.
#[derive(Clone)]
pub(crate) struct Socket {
    /// Tells it from all others.
    pub(crate) id: SocketId,
    transport: Transport,
    mount: Mount,
    // Not bounded: publishing must not wait, and a sandbox's traffic is small.
    sender: mpsc::UnboundedSender<Outgoing>,
    /// Cancelled when all sockets are to be cut.
    pub(crate) cut: CancellationToken,
}

/// Names a socket that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketId(u64);

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// By a socket that stays.
    WebSocket,
    /// In the answers to HTTP requests; only those with a connect bring news.
    LongPolling,
}

/// Where a client came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mount {
    /// `/bayeux`.
    Bayeux,
    /// `/faye`, which is more patient.
    Legacy,
}

impl Mount {
    /// After how many times the connect's timeout a silent client is dead: 192 s and 300 s of the usual 120 s.
    fn patience(self) -> f64 {
        match self {
            Self::Bayeux => 1.6,
            Self::Legacy => 2.5,
        }
    }
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
    /// No clients yet. A connect is held for `connect_timeout` where the client does not say.
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            clients: HashMap::new(),
            sockets: 0,
            frames: 0,
            cut: CancellationToken::new(),
        }
    }

    /// How long a connect is held where the client does not say.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// A new socket, and the frames that it is to send.
    pub(crate) fn open_socket(
        &mut self,
        transport: Transport,
        mount: Mount,
    ) -> (Socket, mpsc::UnboundedReceiver<Outgoing>) {
        let (sender, frames) = mpsc::unbounded_channel();
        self.sockets += 1;
        let socket = Socket {
            id: SocketId(self.sockets),
            transport,
            mount,
            sender,
            cut: self.cut.clone(),
        };
        (socket, frames)
    }

    /// Forgets a closed socket. From now on its clients' frames wait for their next connect.
    pub(crate) fn close_socket(&mut self, socket: SocketId) {
        for client in self.clients.values_mut() {
            client.socket.take_if(|bound| bound.id == socket);
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

    /// Forgets the clients of a user whose tokens ended, and cuts all sockets.
    pub(crate) fn forget_user(&mut self, user: ObjectId) {
        self.clients.retain(|_, client| client.user != user);
        self.cut_sockets();
    }

    /// A new client of a user, that came in by a socket.
    pub(crate) fn open(&mut self, now: Instant, user: ObjectId, socket: &Socket) -> String {
        let id = format!("{:032x}", rand::random::<u128>());
        let client = Client {
            user,
            channels: BTreeSet::new(),
            numbered: 0,
            heard: now,
            dead_after: self.connect_timeout.mul_f64(socket.mount.patience()),
            socket: None,
            queue: VecDeque::new(),
        };
        self.clients.insert(id.clone(), client);
        id
    }

    /// Forgets the clients that are dead by now.
    pub(crate) fn forget_dead(&mut self, now: Instant) {
        self.clients
            .retain(|_, client| now.duration_since(client.heard) < client.dead_after);
    }

    /// The user of a client that is alive. From now on it gets its frames by this WebSocket, if it is one.
    pub(crate) fn bind(&mut self, now: Instant, id: &str, socket: &Socket) -> Option<ObjectId> {
        self.forget_dead(now);
        let client = self.clients.get_mut(id)?;
        if socket.transport == Transport::WebSocket {
            client.socket = Some(socket.clone());
        }
        Some(client.user)
    }

    /// Notes that a client connected, and sends what waited for it. A client that polls gets its frames by this
    /// poll from now on; one that still waits is over.
    pub(crate) fn connect(&mut self, now: Instant, id: &str, socket: &Socket) {
        let Some(client) = self.clients.get_mut(id) else {
            return;
        };
        client.heard = now;
        client.socket = Some(socket.clone());
        for frame in std::mem::take(&mut client.queue) {
            client.send(frame, Duration::ZERO);
        }
    }

    /// Takes a frame back that was not sent yet; it comes with the next connect.
    pub(crate) fn give_back(&mut self, id: &str, frame: Value) {
        if let Some(client) = self.clients.get_mut(id) {
            client.queue.push_back(frame);
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

    /// Takes a room and all its parts from the channels of a user's clients. They are not told.
    pub(crate) fn unsubscribe_user(&mut self, user: ObjectId, room: ObjectId) {
        let channel = Channel::Room(room).to_string();
        let parts = format!("{channel}/");
        for client in self.clients.values_mut().filter(|client| client.user == user) {
            client
                .channels
                .retain(|name| *name != channel && !name.starts_with(&parts));
        }
    }

    /// How many clients there are.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// How many clients news can be sent to at once.
    pub(crate) fn connected(&self) -> usize {
        let clients = self.clients.values();
        clients.filter(|client| client.socket.is_some()).count()
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
