//! One socket's task, over a WebSocket or what takes its place: moves frames, time and events between the network, the state machine and the receiver.
//!
//! It decides nothing. It never waits for the receiver while it could read the socket: events go into a backlog
//! first, so that Gitter's pings are answered however slow the receiver is. Only with a full backlog it stops
//! reading; then nothing is lost either, as the socket closes and the session says that it was interrupted.

use rand::{SeedableRng as _, rngs::SmallRng};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    RealtimeEvent, RealtimeSettings,
    backlog::Backlog,
    wire::{GOODBYE, News, Wire, WireError},
};
use crate::{
    gitter::{
        bayeux::{Channel, Output, Session, Topic, Transport},
        token::Token,
    },
    ids::GitterRoomId,
    metrics,
};

/// What a socket is told.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe(GitterRoomId),
    LookAt(GitterRoomId),
    /// Answered once no event of the room can come any more.
    Unsubscribe(GitterRoomId, oneshot::Sender<()>),
}

/// Runs until it is stopped, its commands end or nobody wants its events.
pub(super) async fn run(
    settings: RealtimeSettings,
    mut commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::Sender<RealtimeEvent>,
    open: watch::Sender<usize>,
    stop: CancellationToken,
) {
    let mut changes = settings.token.changes();
    let random = SmallRng::seed_from_u64(rand::random());
    let mut socket = Socket {
        url: settings.url,
        session: Session::new(settings.token.secret(), random, Instant::now()),
        token: settings.token,
        wire: Wire::Closed,
        transport: Transport::WebSocket,
        has_heard: false,
        backlog: Backlog::default(),
        presence: Presence { open, is_up: false },
    };
    let mut counted = metrics::Socket::new();
    loop {
        socket.perform().await;
        counted.set_up(socket.wire.is_up());
        let may_read = !socket.backlog.is_full();
        tokio::select! {
            () = stop.cancelled() => break,
            command = commands.recv() => match command {
                Some(command) => socket.obey(command),
                None => break,
            },
            permit = events.reserve(), if !socket.backlog.is_empty() => match (permit, socket.backlog.pop()) {
                (Ok(permit), Some(event)) => permit.send(event),
                _ => break,
            },
            Ok(()) = changes.changed() => socket.take_token(),
            news = socket.wire.next(), if may_read => socket.hear(news),
            () = sleep_until(socket.session.deadline()), if may_read => {
                socket.session.time_passed(Instant::now());
            }
        }
    }
    socket.session.disconnect();
    let _ = timeout(GOODBYE, socket.perform()).await;
}

struct Socket {
    url: Url,
    token: Token,
    session: Session,
    wire: Wire,
    /// The transport of the wire, or of the next one.
    transport: Transport,
    /// Whether anything came over this wire.
    has_heard: bool,
    backlog: Backlog,
    presence: Presence,
}

/// Counts the socket while it is up.
struct Presence {
    open: watch::Sender<usize>,
    is_up: bool,
}

impl Presence {
    fn set(&mut self, is_up: bool) {
        if self.is_up != is_up {
            self.is_up = is_up;
            self.open.send_modify(|open| {
                *open = if is_up {
                    open.saturating_add(1)
                } else {
                    open.saturating_sub(1)
                };
            });
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.set(false);
    }
}

impl Socket {
    /// Does all that the session wants done.
    async fn perform(&mut self) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Open => {
                    self.has_heard = false;
                    self.wire = Wire::open(self.url.clone(), self.transport);
                }
                Output::Close => self.close().await,
                Output::Send(frame) => {
                    if let Err(reason) = self.wire.send(frame).await {
                        self.lose(&reason);
                    }
                }
                Output::Event(event) => {
                    match event {
                        RealtimeEvent::Connected => self.presence.set(true),
                        RealtimeEvent::TokenRefused => {
                            self.presence.set(false);
                            self.token.refused(self.session.token(), false);
                        }
                        _ => {}
                    }
                    self.backlog.push(event);
                }
            }
        }
    }

    /// Closes the wire. One over which nothing came, though it seemed open or its time for opening is over, is not
    /// tried twice in a row.
    async fn close(&mut self) {
        self.presence.set(false);
        if (self.wire.is_up() || self.wire.is_opening()) && !self.has_heard {
            self.change_transport();
        }
        self.wire.close().await;
    }

    fn change_transport(&mut self) {
        self.transport = match self.transport {
            Transport::WebSocket => Transport::LongPolling,
            Transport::LongPolling => Transport::WebSocket,
        };
        tracing::info!(url = %self.url, transport = ?self.transport, "Gitter's realtime server is tried in another way");
    }

    /// Goes on with the token as it is now, unless Gitter refuses that one.
    fn take_token(&mut self) {
        if !self.token.is_refused() {
            self.session.take_token(self.token.secret(), Instant::now());
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Subscribe(room) => self.session.subscribe(Channel::of(&room), now),
            Command::LookAt(room) => self.session.subscribe([Channel::new(Topic::Room, room)], now),
            Command::Unsubscribe(room, done) => {
                self.session.unsubscribe(&room, now);
                self.backlog.forget(&room);
                // An error means that nobody waits for it.
                let _ = done.send(());
            }
        }
    }

    fn hear(&mut self, news: News) {
        let now = Instant::now();
        match news {
            News::Opened => self.session.socket_opened(self.transport, now),
            News::Text(text) => {
                self.has_heard = true;
                self.session.frame_received(&text, now);
            }
            News::Binary => self.session.binary_received(now),
            News::WebSocketWorks => {
                self.change_transport();
                self.presence.set(false);
                self.wire = Wire::Closed;
                self.session.socket_lost(now);
            }
            News::Lost(reason) => self.lose(&reason),
        }
    }

    fn lose(&mut self, reason: &WireError) {
        self.presence.set(false);
        // A WebSocket is what is wanted: polling is left at its first failure, and tried only where a server
        // answers but lets no WebSocket through.
        if !self.has_heard && (self.transport == Transport::LongPolling || reason.is_of_transport()) {
            self.change_transport();
        }
        tracing::warn!(
            url = %self.url,
            error = reason as &dyn std::error::Error,
            "the connection to Gitter's realtime server is lost or cannot be made"
        );
        self.wire = Wire::Closed;
        self.session.socket_lost(Instant::now());
    }
}
