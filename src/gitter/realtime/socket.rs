//! One socket's task: moves frames, time and events between the network, the state machine and the receiver.
//!
//! It decides nothing. It never waits for the receiver while it could read the socket: events go into a backlog
//! first, so that Gitter's pings are answered however slow the receiver is. Only with a full backlog it stops
//! reading; then nothing is lost either, as the socket closes and the session says that it was interrupted.

use std::{pin::Pin, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, header};
use rand::{SeedableRng as _, rngs::SmallRng};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Error, Message, Utf8Bytes, client::IntoClientRequest as _, protocol::WebSocketConfig},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{RealtimeEvent, RealtimeSettings, backlog::Backlog};
use crate::{
    gitter::{
        MAX_REPLY_BYTES, USER_AGENT,
        bayeux::{Frame, Output, Session},
    },
    ids::GitterRoomId,
};

/// A frame that cannot be written for so long never will be.
const WRITE: Duration = Duration::from_secs(10);
/// What the goodbyes to a server may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a socket is told.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe(GitterRoomId),
    /// Answered once no event of the room can come any more.
    Unsubscribe(GitterRoomId, oneshot::Sender<()>),
}

/// Runs until it is stopped, its commands end or nobody wants its events.
pub(super) async fn run(
    settings: RealtimeSettings,
    mut commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::Sender<RealtimeEvent>,
    stop: CancellationToken,
) {
    let random = SmallRng::seed_from_u64(rand::random());
    let mut socket = Socket {
        url: settings.url,
        session: Session::new(settings.token, random, Instant::now()),
        wire: Wire::Closed,
        backlog: Backlog::default(),
    };
    loop {
        socket.perform().await;
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
    session: Session,
    wire: Wire,
    backlog: Backlog,
}

impl Socket {
    /// Does all that the session wants done.
    async fn perform(&mut self) {
        while let Some(output) = self.session.next_output() {
            match output {
                Output::Open => self.wire = Wire::open(self.url.clone()),
                Output::Close => self.wire.close().await,
                Output::Send(frame) => {
                    if let Err(reason) = self.wire.send(frame).await {
                        self.lose(&reason);
                    }
                }
                Output::Event(event) => self.backlog.push(event),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Subscribe(room) => self.session.subscribe(room, now),
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
            News::Opened => self.session.socket_opened(now),
            News::Text(text) => self.session.frame_received(&text, now),
            News::Binary => self.session.binary_received(now),
            News::Lost(reason) => self.lose(&reason),
        }
    }

    fn lose(&mut self, reason: &Error) {
        tracing::warn!(
            url = %self.url,
            error = reason as &dyn std::error::Error,
            "the connection to Gitter's realtime server is lost or cannot be made"
        );
        self.wire = Wire::Closed;
        self.session.socket_lost(Instant::now());
    }
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The network side of a socket.
enum Wire {
    Closed,
    Opening(Pin<Box<dyn Future<Output = Result<Stream, Error>> + Send>>),
    Open(Box<Stream>),
}

/// What came of the network.
enum News {
    Opened,
    Text(Utf8Bytes),
    Binary,
    Lost(Error),
}

impl Wire {
    fn open(url: Url) -> Self {
        Self::Opening(Box::pin(connect(url)))
    }

    /// The next news; never, where the socket is closed. Can be dropped at any time without losing any.
    async fn next(&mut self) -> News {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Opening(opening) => match opening.await {
                Ok(stream) => {
                    *self = Self::Open(Box::new(stream));
                    News::Opened
                }
                Err(error) => News::Lost(error),
            },
            Self::Open(stream) => loop {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) => return News::Text(text),
                    Some(Ok(Message::Binary(_))) => return News::Binary,
                    // Reading on sends the answer to a ping, and tells the end after a close.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return News::Lost(error),
                    None => return News::Lost(Error::ConnectionClosed),
                }
            },
        }
    }

    async fn send(&mut self, frame: Frame) -> Result<(), Error> {
        let Self::Open(stream) = self else {
            return Ok(());
        };
        timeout(WRITE, stream.send(Message::text(frame.into_text())))
            .await
            .unwrap_or_else(|elapsed| Err(Error::Io(elapsed.into())))
    }

    async fn close(&mut self) {
        if let Self::Open(stream) = self {
            // A dead socket cannot be told.
            let _ = timeout(GOODBYE, stream.as_mut().close(None)).await;
        }
        *self = Self::Closed;
    }
}

async fn connect(url: Url) -> Result<Stream, Error> {
    let mut request = url.as_str().into_client_request()?;
    request
        .headers_mut()
        .insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_REPLY_BYTES))
        .max_frame_size(Some(MAX_REPLY_BYTES));
    let (stream, _) = connect_async_with_config(request, Some(config), true).await?;
    Ok(stream)
}
