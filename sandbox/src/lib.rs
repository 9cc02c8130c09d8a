//! A small, true Gitter server, in memory, for demos and tests: REST, Bayeux, and faults on demand. It keeps to what was seen of Gitter 21.15; what it leaves out it answers with 404.
//!
//! ```text
//! connection -> rest (gate, faulty) -> state <- control <- tests, demos
//!               bayeux::{socket, poll} -> bayeux -^
//!               state -> realtime clients -> bayeux::{socket, poll}
//! ```
//!
//! `state` holds everything behind one mutex and knows neither HTTP nor Bayeux; `rest` and `bayeux` translate;
//! `control` is what a real Gitter has not. Nothing outlives the process, and nothing is checked that would
//! keep strangers out: listen on a loopback address.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::serve::Listener;
use jiff::SignedDuration;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

use crate::{
    connection::{ResetHandle, ResettableListener},
    image_proxy::ImageProxy,
    server::{Server, true_time},
    state::{Rules, State},
};
pub use crate::{
    control::{ActError, Control, Uploaded},
    faults::{Fault, FrameEffect, FrameFault, RequestEffect, RequestFault, When},
    object_id::{NotAnObjectId, ObjectId},
    seed::{NewGroup, NewRoom, NewToken, NewUser, RoomChange, Seed, SeedError, UserChange},
    state::{
        Charged, RoomReport, SetupError, StateReport, StoredMessage, TokenReport, UserReport, VirtualUser,
    },
};

mod avatar;
mod bayeux;
mod connection;
mod control;
mod faults;
mod image_proxy;
mod markdown;
mod object_id;
mod page;
mod refusal;
mod rest;
mod seed;
mod server;
mod state;

/// How long requests under way may hold up the end.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What a sandbox starts with.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where browsers and the bridge reach it; `http://` and the address it listens on where absent.
    pub web_url: Option<String>,
    /// Requests in a window for each account and client; 0 for no limit.
    pub rate_limit: u32,
    /// How long such a window is; Gitter's is a minute.
    pub rate_window: Duration,
    /// How long after it was sent a message may be edited.
    pub edit_window: Duration,
    /// Whether pictures of virtual users and in messages are fetched through an image proxy.
    pub image_proxy: bool,
    /// How long a Bayeux connect is held. A client that does not connect for 1.6 times that is dropped with all
    /// that waited for it; on the legacy mount `/faye`, 2.5 times.
    pub connect_timeout: Duration,
    /// Users, groups and rooms.
    pub seed: Seed,
}

impl Default for Settings {
    /// A free port of the loopback address, Gitter's own limits, and the default seed.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            web_url: None,
            rate_limit: 100,
            rate_window: Duration::from_mins(1),
            edit_window: Duration::from_mins(10),
            image_proxy: false,
            connect_timeout: Duration::from_mins(2),
            seed: Seed::default(),
        }
    }
}

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on; choose another address or port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The seed contradicts itself.
    #[error("the seed cannot be used")]
    Seed(#[from] SetupError),
}

/// A running sandbox. Dropping it without [`Self::stop`] leaves it running until the runtime ends.
pub struct Sandbox {
    web_url: String,
    address: SocketAddr,
    token: String,
    server: Arc<Server>,
    serving: JoinHandle<io::Result<()>>,
}

impl Sandbox {
    /// Starts a sandbox. When this returns, it takes requests.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let cannot_listen = |source| StartError::Listen {
            address: settings.listen,
            source,
        };
        let listener = TcpListener::bind(settings.listen).await.map_err(cannot_listen)?;
        let listener = ResettableListener(listener);
        let address = listener.local_addr().map_err(cannot_listen)?;
        let web_url = settings.web_url.as_deref().map_or_else(
            || format!("http://{address}"),
            |url| url.trim_end_matches('/').to_owned(),
        );

        let mut state = State::new(Rules {
            web_url: web_url.clone(),
            image_proxy: settings
                .image_proxy
                .then(|| ImageProxy::new(format!("{web_url}/camo"), rand::random())),
            edit_window: SignedDuration::try_from(settings.edit_window).unwrap_or(SignedDuration::MAX),
            connect_timeout: settings.connect_timeout,
            rate_limit: settings.rate_limit,
            rate_window: settings.rate_window,
        });
        let token = state.plant(true_time(), &settings.seed)?;
        let server = Arc::new(Server::new(state));
        let service = rest::router(server.clone()).into_make_service_with_connect_info::<ResetHandle>();
        let stopping = server.stopping.clone().cancelled_owned();
        let serving = axum::serve(listener, service).with_graceful_shutdown(stopping);
        Ok(Self {
            web_url,
            address,
            token,
            server,
            serving: tokio::spawn(serving.into_future()),
        })
    }

    /// The base of the REST API, `http://.../api/v1`.
    pub fn api_url(&self) -> String {
        format!("{}/api/v1", self.web_url)
    }

    /// The Bayeux endpoint, `http://.../bayeux`; a WebSocket there is `ws://` with the same rest.
    pub fn realtime_url(&self) -> String {
        format!("{}/bayeux", self.web_url)
    }

    /// The web site, where permalinks point.
    pub fn web_url(&self) -> &str {
        &self.web_url
    }

    /// The address listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first token of the seed whose client may use virtual users: the one for a bridge.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The controls, which can be cloned into other tasks.
    pub fn control(&self) -> Control {
        Control::new(self.server.clone())
    }

    /// Stops: sockets are closed, requests under way are answered.
    ///
    /// # Errors
    /// When serving had failed before or panicked, or when a request is still under way after 10 seconds.
    pub async fn stop(self) -> io::Result<()> {
        self.server.stopping.cancel();
        self.server.tasks.close();
        let all = async {
            self.serving.await.map_err(io::Error::other)??;
            self.server.tasks.wait().await;
            Ok(())
        };
        timeout(STOP_WITHIN, all).await.map_err(io::Error::other)?
    }
}
