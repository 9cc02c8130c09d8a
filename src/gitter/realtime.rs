//! Rooms kept subscribed over Bayeux, on as many sockets as it takes.
//!
//! Each socket has a task of its own, which moves what the state machine in `bayeux` decides. This module
//! deals the rooms out to them. It stores nothing and reads no message.

mod backlog;
mod polling;
mod socket;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeSet;

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use self::socket::Command;
pub use super::event::{RealtimeEvent, SNAPSHOT, Snapshot};
use super::token::Token;
use crate::ids::GitterRoomId;

/// Events that may wait in the channel; more wait in the sockets' own backlogs, which know how large they are.
const CHANNEL: usize = 16;

/// What the realtime side needs to know.
#[derive(Debug, Clone)]
pub struct RealtimeSettings {
    /// The Bayeux server, such as `https://gitter.example.org/bayeux`; `http` and `https` stand for `ws` and
    /// `wss`.
    pub url: Url,
    /// The account's token.
    pub token: Token,
    /// The most rooms on one socket; 0 is taken as 1.
    pub rooms_per_socket: usize,
}

/// A handle to the realtime side; cloning gives another to the same. The sockets close when the last handle is
/// dropped.
#[derive(Debug, Clone)]
pub struct Realtime {
    wishes: mpsc::UnboundedSender<Wish>,
    open: watch::Receiver<usize>,
}

#[derive(Debug)]
enum Wish {
    Subscribe(GitterRoomId),
    LookAt(GitterRoomId),
    Unsubscribe(GitterRoomId),
}

impl Realtime {
    /// Starts it, with no room yet; its tasks belong to `tracker` and end on `stop`.
    ///
    /// The receiver has to be read: while it is full, events wait in memory, up to some megabytes a socket;
    /// after that the sockets are not read, until Gitter closes them, which is an interruption like any other.
    pub fn start(
        settings: RealtimeSettings,
        stop: CancellationToken,
        tracker: &TaskTracker,
    ) -> (Self, mpsc::Receiver<RealtimeEvent>) {
        let (wishes, queue) = mpsc::unbounded_channel();
        let (events, receiver) = mpsc::channel(CHANNEL);
        let (open, is_open) = watch::channel(0);
        let pool = Pool {
            settings: RealtimeSettings {
                url: web_socket(settings.url),
                ..settings
            },
            stop,
            tracker: tracker.clone(),
            events,
            sockets: Vec::new(),
            open,
        };
        tracker.spawn(pool.run(queue));
        let realtime = Self {
            wishes,
            open: is_open,
        };
        (realtime, receiver)
    }

    /// Subscribes a room; for one that is subscribed already this gives a new snapshot.
    pub fn subscribe(&self, room: GitterRoomId) {
        self.wish(Wish::Subscribe(room));
    }

    /// Asks how a subscribed room is; nothing for one that is not. It costs no request (gitter-api 7.3).
    pub fn look_at(&self, room: GitterRoomId) {
        self.wish(Wish::LookAt(room));
    }

    /// Lets a room go: what waits of it is dropped, apart from what the receiver could already have read.
    pub fn unsubscribe(&self, room: GitterRoomId) {
        self.wish(Wish::Unsubscribe(room));
    }

    /// How many sockets are up, with a token that Gitter took.
    pub fn open_sockets(&self) -> watch::Receiver<usize> {
        self.open.clone()
    }

    fn wish(&self, wish: Wish) {
        // Refused only once everything has stopped, and then there is nothing to do.
        let _ = self.wishes.send(wish);
    }
}

/// All sockets, and who has which room.
struct Pool {
    settings: RealtimeSettings,
    stop: CancellationToken,
    tracker: TaskTracker,
    events: mpsc::Sender<RealtimeEvent>,
    sockets: Vec<Socket>,
    open: watch::Sender<usize>,
}

/// A socket's task, which ends when its commands do.
struct Socket {
    rooms: BTreeSet<GitterRoomId>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Pool {
    async fn run(mut self, mut wishes: mpsc::UnboundedReceiver<Wish>) {
        let stop = self.stop.clone();
        let grant = async {
            while let Some(wish) = wishes.recv().await {
                match wish {
                    Wish::Subscribe(room) => self.subscribe(room),
                    Wish::LookAt(room) => self.look_at(room),
                    Wish::Unsubscribe(room) => self.unsubscribe(&room).await,
                }
            }
        };
        let _ = stop.run_until_cancelled(grant).await;
    }

    fn subscribe(&mut self, room: GitterRoomId) {
        let most = self.settings.rooms_per_socket.max(1);
        let place = self
            .sockets
            .iter()
            .position(|socket| socket.rooms.contains(&room))
            .or_else(|| self.sockets.iter().position(|socket| socket.rooms.len() < most));
        if let Some(socket) = place.and_then(|place| self.sockets.get_mut(place)) {
            socket.subscribe(room);
        } else {
            let mut socket = self.open();
            socket.subscribe(room);
            self.sockets.push(socket);
        }
    }

    fn look_at(&self, room: GitterRoomId) {
        if let Some(socket) = self.sockets.iter().find(|socket| socket.rooms.contains(&room)) {
            // An error means that the task has ended because everything stops.
            let _ = socket.commands.send(Command::LookAt(room));
        }
    }

    /// Waits until the socket has let the room go, so that nothing late of it can follow a new subscription
    /// on another socket.
    async fn unsubscribe(&mut self, room: &GitterRoomId) {
        let Some(socket) = self.sockets.iter_mut().find(|socket| socket.rooms.contains(room)) else {
            return;
        };
        socket.rooms.remove(room);
        let (done, is_done) = oneshot::channel();
        // An error means that the socket's task has ended, and with it the subscription.
        if socket
            .commands
            .send(Command::Unsubscribe(room.clone(), done))
            .is_ok()
        {
            let _ = is_done.await;
        }
        self.sockets.retain(|socket| !socket.rooms.is_empty());
    }

    fn open(&self) -> Socket {
        let (commands, queue) = mpsc::unbounded_channel();
        let task = socket::run(
            self.settings.clone(),
            queue,
            self.events.clone(),
            self.open.clone(),
            self.stop.clone(),
        );
        self.tracker.spawn(task);
        Socket {
            rooms: BTreeSet::new(),
            commands,
        }
    }
}

impl Socket {
    fn subscribe(&mut self, room: GitterRoomId) {
        self.rooms.insert(room.clone());
        // An error means that the task has ended because everything stops.
        let _ = self.commands.send(Command::Subscribe(room));
    }
}

/// The address of a WebSocket where that of a web page was given.
fn web_socket(mut url: Url) -> Url {
    let scheme = match url.scheme() {
        "http" => "ws",
        "https" => "wss",
        _ => return url,
    };
    // Never an error between these schemes.
    let _ = url.set_scheme(scheme);
    url
}
