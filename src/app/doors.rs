//! The two listeners: open from the start on, so that what the bridge waits for can be asked.

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::{
    config::Config,
    health::Health,
    http::{self, Exchange, Limits, health},
};

/// What each listener serves now.
pub(super) struct Doors {
    /// `appservice.listen`
    pub(super) appservice: Exchange,
    /// `admin.listen`
    pub(super) admin: Exchange,
}

impl Doors {
    /// Opens both; until they serve more they tell of the bridge's health.
    pub(super) async fn open(
        config: &Config,
        health: &Health,
        stop: &CancellationToken,
        tracker: &TaskTracker,
    ) -> anyhow::Result<Self> {
        let waiting = |health| Exchange::new(health::waiting_router(health));
        let doors = Self {
            appservice: waiting(health::appservice_router(health.clone())),
            admin: waiting(health::admin_router(health.clone())),
        };
        for (key, address, exchange, limits) in [
            (
                "appservice.listen",
                config.appservice.listen,
                &doors.appservice,
                Limits::APPSERVICE,
            ),
            ("admin.listen", config.admin.listen, &doors.admin, Limits::ADMIN),
        ] {
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("{key}: cannot listen on {address}; is another bridge running?"))?;
            info!(listener = key, %address, "Listening");
            tracker.spawn(http::serve(listener, exchange.router(), limits, stop.clone()));
        }
        Ok(doors)
    }
}
