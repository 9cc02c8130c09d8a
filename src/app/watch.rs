//! Looks, while the bridge runs, whether it is ready: the database, the homeserver, and the realtime channel.
//!
//! It looks by itself, however often somebody asks.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

use crate::{
    bridge::Bridge,
    health::{Health, Part},
    metrics,
    store::{PortalState, StoreError, installation, portal},
};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long there may be no socket: each is lost now and then, and comes back.
const GRACE: Duration = Duration::from_secs(15);

struct Watch {
    bridge: Arc<Bridge>,
    health: Health,
    sockets: watch::Receiver<usize>,
    loss: Loss,
}

/// That there is no socket where a room is to be followed.
#[derive(Debug, Default)]
struct Loss {
    since: Option<Instant>,
    /// Whether it is known how it was before.
    has_looked: bool,
}

impl Loss {
    /// There is a socket, or no room.
    const fn ends(&mut self) {
        (self.since, self.has_looked) = (None, true);
    }

    /// There is none; whether that counts. At the start it does at once.
    fn counts(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        is_first || now.duration_since(since) >= GRACE
    }
}

/// Looks until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>, health: Health) {
    let stop = bridge.stop.clone();
    let mut watch = Watch {
        sockets: bridge.realtime.open_sockets(),
        bridge,
        health,
        loss: Loss::default(),
    };
    let watching = async {
        loop {
            let next = Instant::now() + LOOK;
            watch.account();
            tokio::join!(watch.homeserver(), watch.database());
            watch.realtime().await;
            loop {
                tokio::select! {
                    () = sleep_until(next) => break,
                    Ok(()) = watch.sockets.changed() => watch.realtime().await,
                }
            }
        }
    };
    Box::pin(stop.run_until_cancelled(watching)).await;
}

impl Watch {
    fn account(&self) {
        if self.bridge.gitter.token().is_refused() {
            self.health.lacks(
                Part::Account,
                "Gitter refuses the account's token: put a valid one into gitter.token_file",
            );
        } else {
            self.health.works(Part::Account);
        }
    }

    async fn homeserver(&self) {
        let matrix = &self.bridge.matrix;
        let why = match timeout(PATIENCE, matrix.whoami(matrix.bot())).await {
            Ok(Ok(_)) => return self.health.works(Part::Homeserver),
            Ok(Err(error)) => {
                let why = match error.status() {
                    Some(status) => format!("the homeserver answers {status}: see the log"),
                    None => "the homeserver is not reached at homeserver.url".to_owned(),
                };
                let is_told = self
                    .health
                    .view()
                    .parts()
                    .iter()
                    .any(|part| part.lack() == Some(&why));
                if !is_told {
                    warn!(error = %error, "The homeserver does not answer as it should");
                }
                why
            }
            Err(_) => format!("the homeserver does not answer within {} s", PATIENCE.as_secs()),
        };
        self.health.lacks(Part::Homeserver, why);
    }

    async fn database(&self) {
        let now = Timestamp::now().as_millisecond();
        let read = async {
            let mut tx = self.bridge.db.read().await?;
            installation::other_seen(&mut tx, now).await
        };
        let Some(other) = answer(read).await else {
            let detail = "the database of database.url does not answer";
            return self.health.lacks(Part::Database, detail);
        };
        self.health.works(Part::Database);
        metrics::other_instance(other.is_some());
        let seen = other.and_then(|seen| Timestamp::from_millisecond(seen).ok());
        self.health.warn(seen.map(|seen| {
            format!("another bridge with another database uses the same tokens, seen at {seen:.0}: stop one of the two")
        }));
    }

    /// Whether there is a room to be followed; `None` if the database does not say.
    async fn has_portals(&self) -> Option<bool> {
        let read = async {
            let mut tx = self.bridge.db.read().await?;
            portal::count_states(&mut tx).await
        };
        let states = answer(read).await?;
        Some(states.iter().any(|(state, portals)| {
            let is_followed = matches!(
                state,
                PortalState::Active | PortalState::CatchingUp | PortalState::Paused
            );
            is_followed && *portals > 0
        }))
    }

    async fn realtime(&mut self) {
        if *self.sockets.borrow_and_update() > 0 {
            self.loss.ends();
            return self.health.works(Part::Realtime);
        }
        match self.has_portals().await {
            Some(true) => {}
            Some(false) => {
                self.loss.ends();
                return self.health.works(Part::Realtime);
            }
            None => return,
        }
        if self.loss.counts(Instant::now()) {
            self.health.lacks(
                Part::Realtime,
                "no connection to Gitter's realtime channel at gitter.realtime_url is up",
            );
        }
    }
}

/// What the database says, if it does in time.
async fn answer<T>(read: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match timeout(PATIENCE, read).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            debug!(error = %error, "The database does not answer as it should");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_counts_at_the_start_and_after_its_grace() {
        let start = Instant::now();
        let mut loss = Loss::default();
        assert!(loss.counts(start), "nothing was up yet");
        loss.ends();
        assert!(!loss.counts(start));
        assert!(!loss.counts(start + GRACE / 2));
        assert!(loss.counts(start + GRACE));
        loss.ends();
        assert!(!loss.counts(start + GRACE), "it is another one");
    }

    #[test]
    fn the_first_room_has_the_time_to_connect() {
        let mut loss = Loss::default();
        // No room is linked.
        loss.ends();
        assert!(!loss.counts(Instant::now()));
    }
}
