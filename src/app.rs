//! Puts the bridge together, runs it, and ends it in order. Every wait at the start says what it waits for.

mod credentials;
mod doors;
mod reach;
mod watch;

use std::{
    error::Error as _,
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context as _, bail};
use ruma::{OwnedUserId, UserId};
use tokio::{signal::unix::SignalKind, sync::Notify};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use self::doors::Doors;
use crate::{
    bridge::{Acceptor, Bridge, Parts, Recovery, Settings, media::Links},
    cache::Cache,
    config::{Config, DatabaseUrl, secret},
    gitter::{FileClient, PictureClient, Realtime, RealtimeSettings},
    health::{Health, Part},
    http::{
        self,
        admin::{self, AdminState},
        appservice::{self, AppserviceState},
        media::{self, MediaEndpoint},
    },
    matrix::{self, MatrixClient},
    media::Signer,
    registration::Registration,
    store::{self, Db, StoreError, restored::Restored},
    telemetry,
};

/// How long what is under way may take to finish once the bridge is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// The longest wait between two tries to reach a side at the start.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The wait before the second try to reach the database at the start.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Runs the bridge until a signal ends it: the first lets what is under way finish, the second does not.
///
/// # Errors
/// As [`run`].
pub async fn serve(config: Config, registration: &Path, restored: bool) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    Box::pin(run(config, registration, restored, stop)).await
}

/// Runs the bridge until the token is cancelled; `restored` says that the database is a backup. Tokens that are missing
/// are waited for: the Gitter token of the configuration, and the registration, a file.
///
/// # Errors
/// When it cannot start: the message names the key or the file, and the mend.
pub async fn run(
    config: Config,
    registration: &Path,
    restored: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let started_at = jiff::Timestamp::now();
    let _lock = lock_data_dir(&config)?;
    telemetry::start(&config.telemetry)?;
    let (health, tracker) = (Health::default(), TaskTracker::new());
    let doors = Doors::open(&config, &health, &stop, &tracker).await?;
    let gathered = credentials::gather(config, registration, &health);
    let Some(gathered) = stop.run_until_cancelled(gathered).await else {
        finish(&tracker).await;
        return Ok(());
    };
    let (config, registration) = gathered?;
    let reached = stop.run_until_cancelled(reach_database(&config, restored, &health));
    let Some(reached) = reached.await else {
        finish(&tracker).await;
        return Ok(());
    };
    let (db, restored) = reached.context("database.url")?;
    health.works(Part::Database);
    let process = Process {
        config: &config,
        registration: &registration,
        started_at,
        health,
        db,
        restored,
        cache: open_cache(&config).await?,
        recovery: Arc::new(Recovery::begin(
            jiff::Timestamp::now().as_millisecond(),
            restored.restored_at > 0,
        )),
        wake: Arc::default(),
        asked: Arc::default(),
        stop,
        tracker,
    };
    let bridge: Arc<OnceLock<Arc<Bridge>>> = Arc::default();
    let signer = process.signer()?;
    process.listen(&doors, &bridge, signer.as_ref())?;
    tokio::select! {
        running = process.start(signer) => {
            let running = running?;
            let watching = watch::run(Arc::clone(&running), process.health.clone());
            // Set once, here.
            bridge.set(running).ok();
            process.tracker.spawn(watching);
            info!("The bridge runs");
            process.stop.cancelled().await;
        }
        () = process.stop.cancelled() => {}
    }
    finish(&process.tracker).await;
    tokio::time::timeout(DRAIN, process.db.close()).await.ok();
    Ok(())
}

/// Lets what is under way finish.
async fn finish(tracker: &TaskTracker) {
    info!("The bridge stops; what is under way may finish");
    tracker.close();
    if tokio::time::timeout(DRAIN, tracker.wait()).await.is_err() {
        warn!("Something did not finish in time; it goes on when the bridge is started again");
    }
    telemetry::stop().await;
}

/// What all parts of the running program share.
struct Process<'a> {
    config: &'a Config,
    registration: &'a Registration,
    started_at: jiff::Timestamp,
    health: Health,
    db: Db,
    restored: Restored,
    cache: Arc<Cache>,
    recovery: Arc<Recovery>,
    wake: Arc<Notify>,
    asked: Arc<Notify>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

/// Cancels the token on the first SIGTERM or SIGINT; ends the process on the second.
fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let mut terminate =
        tokio::signal::unix::signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt =
        tokio::signal::unix::signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                stop.cancel();
            } else {
                error!("Stopped at once, on a second signal");
                std::process::exit(130);
            }
        }
    });
    Ok(())
}

/// A SQLite database belongs to one process: a second one on the same folder is refused.
fn lock_data_dir(config: &Config) -> anyhow::Result<Option<File>> {
    let DatabaseUrl::Sqlite(_) = &config.database.url else {
        return Ok(None);
    };
    lock(&config.data_dir).map(Some)
}

/// Makes the folder of `data_dir` this process's own until the file is dropped.
///
/// # Errors
/// When a bridge runs on it, or it cannot be written.
pub fn lock(folder: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("data_dir: the folder {} cannot be made", folder.display()))?;
    let path = folder.join("bridge.lock");
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("data_dir: {} cannot be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another bridge runs on the folder {}: stop it first, or use PostgreSQL for several",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("data_dir: {} cannot be locked", path.display()))
        }
    }
}

/// Opens the database as soon as it can be reached.
async fn reach_database(
    config: &Config,
    restored: bool,
    health: &Health,
) -> Result<(Db, Restored), StoreError> {
    let mut wait = FIRST_WAIT;
    loop {
        match open_database(config, restored).await {
            Err(error) if error.may_pass() => {
                health.lacks(Part::Database, "the database of database.url cannot be reached");
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                warn!(error = %error, cause, seconds = wait.as_secs(), "The database cannot be reached; waiting");
            }
            opened => return opened,
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn open_database(config: &Config, restored: bool) -> Result<(Db, Restored), StoreError> {
    let db = Db::open(&config.database.url).await?;
    let mut tx = db.write().await?;
    let now = jiff::Timestamp::now().as_millisecond();
    store::installation::claim_installation(&mut tx, &config.homeserver.server_name, now).await?;
    if !db.is_shared() {
        // We hold the lock on the folder, so whoever claimed lanes is gone.
        store::lane::clear_leases(&mut tx).await?;
    }
    if restored {
        store::restored::begin(&mut tx, now).await?;
        info!("The database was restored; what it does not know is looked for before anything is sent");
    }
    let restored = store::restored::read(&mut tx).await?;
    tx.commit().await?;
    Ok((db, restored))
}

async fn open_cache(config: &Config) -> anyhow::Result<Arc<Cache>> {
    let folder = config.data_dir.join("media-cache");
    let cache = Cache::open(&folder, config.media.cache_bytes).await;
    let cache = cache.with_context(|| format!("data_dir: {} cannot be used", folder.display()))?;
    Ok(Arc::new(cache))
}

impl Process<'_> {
    /// Lets both listeners serve. The homeserver may push from here on; what it pushes waits in the inbox.
    fn listen(
        &self,
        doors: &Doors,
        bridge: &Arc<OnceLock<Arc<Bridge>>>,
        signer: Option<&Arc<Signer>>,
    ) -> anyhow::Result<()> {
        let acceptor = Acceptor::new(
            self.db.clone(),
            Arc::clone(&self.recovery),
            Arc::clone(&self.wake),
            Arc::clone(&self.asked),
        );
        let appservice = AppserviceState {
            acceptor,
            hs_token: self.registration.hs_token.clone(),
            bridge: Arc::clone(bridge),
        };
        let appservice = appservice::router(appservice)
            .merge(self.media_router(signer)?)
            .merge(http::health::appservice_router(self.health.clone()));
        let token = secret::read_or_make(&self.config.admin.token_file).context("admin.token_file")?;
        let admin = AdminState {
            bridge: Arc::clone(bridge),
            token,
            config: Arc::new(self.config.clone()),
            health: self.health.clone(),
            started_at: self.started_at,
        };
        doors.appservice.replace(appservice);
        doors.admin.replace(admin::router(admin));
        Ok(())
    }

    /// What signs links; nothing without `appservice.public_url`.
    fn signer(&self) -> anyhow::Result<Option<Arc<Signer>>> {
        let Some(public_url) = &self.config.appservice.public_url else {
            return Ok(None);
        };
        let keys = secret::read_or_make_list(&self.config.media.key_file).context("media.key_file")?;
        let signer = Signer::new(&keys, public_url).context("media.key_file")?;
        Ok(Some(Arc::new(signer)))
    }

    /// What signed links lead to.
    fn media_router(&self, signer: Option<&Arc<Signer>>) -> anyhow::Result<axum::Router> {
        let (Some(signer), Some(public_url)) = (signer, &self.config.appservice.public_url) else {
            return Ok(axum::Router::new());
        };
        let largest = self.config.media.max_bytes;
        let matrix = self.matrix_client()?;
        let (signer, cache) = (Arc::clone(signer), Arc::clone(&self.cache));
        let endpoint = MediaEndpoint::new(self.db.clone(), matrix, signer, largest, cache);
        Ok(media::router(endpoint, public_url.path()))
    }

    fn bot(&self) -> anyhow::Result<OwnedUserId> {
        let (localpart, server) = (
            &self.registration.sender_localpart,
            &self.config.homeserver.server_name,
        );
        UserId::parse(format!("@{localpart}:{server}")).context("sender_localpart of the registration")
    }

    fn matrix_client(&self) -> anyhow::Result<MatrixClient> {
        Ok(MatrixClient::new(matrix::ClientSettings {
            homeserver_url: self.config.homeserver.url.clone(),
            as_token: self.registration.as_token.clone(),
            bot: self.bot()?,
            appservice_id: self.registration.id.clone(),
        })?)
    }

    /// Reaches both sides and starts the flow between them.
    async fn start(&self, signer: Option<Arc<Signer>>) -> anyhow::Result<Arc<Bridge>> {
        let config = self.config;
        let (matrix, device_memory) = self.reach_homeserver().await?;
        let (gitter, account) = self.reach_gitter().await?;
        let realtime = RealtimeSettings {
            url: config.gitter.realtime_url.clone(),
            token: gitter.token().clone(),
            rooms_per_socket: usize::try_from(config.gitter.rooms_per_socket)?,
        };
        let (realtime, events) = Realtime::start(realtime, self.stop.clone(), &self.tracker);
        let bridge = Bridge::new(Parts {
            db: self.db.clone(),
            matrix,
            device_memory,
            gitter,
            account,
            pictures: PictureClient::new(&[&config.gitter.api_url, &config.gitter.web_url])?,
            files: FileClient::new(&config.gitter.files_hosts, config.media.max_bytes)?,
            links: signer.map(|signer| Links {
                signer,
                expires: config.media.expires,
            }),
            cache: Arc::clone(&self.cache),
            realtime,
            settings: Settings::of(config),
            recovery: Arc::clone(&self.recovery),
            restored: self.restored,
            wake: Arc::clone(&self.wake),
            asked: Arc::clone(&self.asked),
            stop: self.stop.clone(),
            tracker: self.tracker.clone(),
        });
        bridge.start(events).await?;
        Ok(bridge)
    }
}
