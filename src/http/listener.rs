//! A listener: how many connections there are at once, and how long each may keep the bridge waiting.
//!
//! Each listener counts its own, so that one that is full takes nothing from the other. It knows nothing of what is
//! served, and nothing that a client does ends it.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, middleware};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, error, warn};

use super::{
    connection::{Answer, Pulse, Timed},
    request,
};

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;

/// Between two looks for a connection that may be closed, where another waits for its place.
const CROWDED: Duration = Duration::from_millis(250);

/// Between two tries where the system gives no connection.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Between two lines of the log about the same trouble.
const SAID_AGAIN: Duration = Duration::from_mins(1);

/// Between two looks how long an answer takes.
const LOOK: Duration = Duration::from_secs(30);

/// What a listener bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once; others wait until one of them ends.
    pub connections: usize,
    /// From the beginning of a connection, or of a request, until the request's head is there.
    pub head: Duration,
    /// From an answer until the next request. Synapse keeps connections for two minutes.
    pub idle: Duration,
    /// After how long a connection that says nothing is closed where another waits for its place.
    pub crowded: Duration,
    /// From a request's head until its answer begins; its body has to come within that, too.
    pub request: Duration,
    /// How long the client may take nothing of an answer.
    pub stall: Duration,
    /// From a request's head until all of its answer is taken.
    pub answer: Duration,
    /// How long requests under way may take once the bridge is told to stop.
    pub finish: Duration,
}

impl Limits {
    /// Those of `appservice.listen`.
    pub const APPSERVICE: Self = Self {
        connections: 512,
        head: Duration::from_secs(15),
        idle: Duration::from_mins(3),
        crowded: Duration::from_secs(5),
        request: Duration::from_mins(2),
        stall: Duration::from_mins(1),
        answer: Duration::from_hours(1),
        finish: Duration::from_secs(8),
    };

    /// Those of `admin.listen`. To link a room, or to remove a person, may take minutes.
    pub const ADMIN: Self = Self {
        connections: 64,
        request: Duration::from_mins(10),
        ..Self::APPSERVICE
    };
}

/// Serves a router until the token is cancelled; requests under way are finished.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let router = router.layer(middleware::from_fn_with_state(limits.request, request::guard));
    let door = Door {
        listener,
        limits,
        places: Arc::new(Semaphore::new(limits.connections)),
        crowded: Arc::new(Notify::new()),
    };
    let mut connections = JoinSet::new();
    let accept = async {
        let mut trouble = Trouble::default();
        loop {
            let (stream, place) = door.next(&mut trouble).await;
            let connection = Connection {
                router: router.clone(),
                limits,
                crowded: Arc::clone(&door.crowded),
                stop: stop.clone(),
                _place: place,
            };
            connections.spawn(connection.serve(stream));
            while connections.try_join_next().is_some() {}
        }
    };
    stop.run_until_cancelled(accept).await;
    drop(door);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.finish, ended).await.is_err() {
        // Dropping them ends them: readers of media, as a rule.
        debug!(connections = connections.len(), "Answers under way are cut off");
    }
}

struct Door {
    listener: TcpListener,
    limits: Limits,
    places: Arc<Semaphore>,
    /// Told whenever somebody waits for a place.
    crowded: Arc<Notify>,
}

impl Door {
    /// The next connection, and its place.
    async fn next(&self, trouble: &mut Trouble) -> (TcpStream, OwnedSemaphorePermit) {
        let stream = self.accept(trouble).await;
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return (stream, place);
        }
        if trouble.is_news() {
            warn!(
                listener.address = self.address(),
                listener.connections = self.limits.connections,
                "All connections of a listener are in use; who says nothing is closed, others wait"
            );
        }
        loop {
            self.crowded.notify_waiters();
            let place = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(place)) = timeout(CROWDED, place).await {
                return (stream, place);
            }
        }
    }

    async fn accept(&self, trouble: &mut Trouble) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) if is_of_client(&error) => {}
                Err(error) => {
                    if trouble.is_news() {
                        error!(
                            listener.address = self.address(),
                            error = %error,
                            "A listener cannot take connections; if there are too many open files, raise their limit \
                             (LimitNOFILE of systemd, --ulimit of Docker)"
                        );
                    }
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn address(&self) -> String {
        let address = self.listener.local_addr();
        address.as_ref().map(SocketAddr::to_string).unwrap_or_default()
    }
}

/// Whether a connection was over before it was accepted.
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// When a trouble was last told.
#[derive(Debug, Default)]
struct Trouble(Option<Instant>);

impl Trouble {
    fn is_news(&mut self) -> bool {
        let is_news = self.0.is_none_or(|told| told.elapsed() >= SAID_AGAIN);
        if is_news {
            self.0 = Some(Instant::now());
        }
        is_news
    }
}

struct Connection {
    router: Router,
    limits: Limits,
    crowded: Arc<Notify>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Small answers leave at once.
        stream.set_nodelay(true).ok();
        let pulse = Pulse::new();
        let stream = TokioIo::new(Timed::new(stream, pulse.clone(), self.limits));
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let answering = pulse.begin();
            let answer = self.router.clone().oneshot(request.map(Body::new));
            async move {
                let answer = answer.await?;
                Ok::<_, Infallible>(answer.map(|body| Answer::new(body, answering)))
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .max_buf_size(LARGEST_HEAD)
                // `Timed` does that, and tells a slow head from an idle connection.
                .header_read_timeout(None)
                .serve_connection(stream, service)
        );
        let mut look = interval(LOOK);
        let mut is_stopping = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        debug!(error = %error, "A connection broke");
                    }
                    return;
                }
                () = self.stop.cancelled(), if !is_stopping => {
                    if pulse.waited().is_some() {
                        return;
                    }
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.crowded.notified() => {
                    if pulse.waited().is_some_and(|waited| waited >= self.limits.crowded) {
                        return;
                    }
                }
                _ = look.tick() => {
                    if pulse.answering().is_some_and(|answering| answering >= self.limits.answer) {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
