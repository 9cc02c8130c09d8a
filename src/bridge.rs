//! The flow (DESIGN 3): what was accepted is claimed, put in context, translated and delivered.
//!
//! `accept` fills the inbox, `dispatcher` claims lanes, `worker` takes the items of one lane in order,
//! `portal` loads what translation needs, `deliver` sends and decides what a failure means. `catch_up` and
//! `provision` stand beside the flow: what was missed, and which rooms are joined. `command` does what people of Matrix
//! ask the bot for.

mod absences;
pub mod accept;
pub mod account;
pub mod alias;
mod ban_bug;
mod ban_triggers;
mod catch_up;
pub mod command;
mod deliver;
mod dispatcher;
mod echo;
mod error;
mod failure;
mod fold;
pub mod forget;
mod ghost;
mod instance;
mod keyed;
mod kill_point;
mod lease;
mod leave;
pub mod ledger;
mod life;
mod look_back;
mod measure;
pub mod media;
mod moderation;
mod notices;
pub mod overview;
mod people;
mod pictures;
mod portal;
pub mod provision;
mod recovery;
mod retention;
mod revoke;
pub mod room_settings;
mod room_state;
mod say;
pub mod settings;
mod sides;
mod silent_ban;
mod space;
mod subscriptions;
mod sweep;
pub mod third_party;
mod token;
mod worker;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

pub use self::{accept::Acceptor, error::BridgeError, recovery::Recovery, settings::Settings};
use self::{
    alias::Aliases,
    ban_bug::BanBugs,
    ban_triggers::Nearness,
    deliver::RestoredListings,
    keyed::KeyedLocks,
    lease::LeaseClock,
    moderation::{Floods, Looks, Policies},
    people::Crowd,
    pictures::AbsentPictures,
    sides::Sides,
};
use crate::{
    cache::Cache,
    gitter::{FileClient, GitterClient, PictureClient, Realtime, RealtimeEvent},
    ids::GitterRoomId,
    matrix::{DeviceMemory, MatrixClient},
    store::{Db, account::Account, restored::Restored},
};

/// What a bridge is made of.
#[derive(Debug)]
pub struct Parts {
    /// The database, claimed for this homeserver.
    pub db: Db,
    /// The homeserver.
    pub matrix: MatrixClient,
    /// Whether the homeserver remembers transaction ids beyond its restart, as the probe at the start said.
    pub device_memory: DeviceMemory,
    /// Gitter, with the account's token.
    pub gitter: GitterClient,
    /// The Gitter account.
    pub account: Account,
    /// Pictures of Gitter users.
    pub pictures: PictureClient,
    /// Files of Gitter.
    pub files: FileClient,
    /// Makes links to Matrix media; `None` without `appservice.public_url`.
    pub links: Option<media::Links>,
    /// Copies of what links lead to, which go when the links end.
    pub cache: Arc<Cache>,
    /// Subscriptions to Gitter rooms.
    pub realtime: Realtime,
    /// What the flow needs to know of the configuration.
    pub settings: Settings,
    /// Whether the homeserver may be catching up, shared with what takes its transactions.
    pub recovery: Arc<Recovery>,
    /// What may have happened since a backup that was restored.
    pub restored: Restored,
    /// Tells the dispatcher that something may be due.
    pub wake: Arc<Notify>,
    /// Tells that somebody asks the bot for something.
    pub asked: Arc<Notify>,
    /// Ends everything.
    pub stop: CancellationToken,
    /// Counts the tasks that are to end in order.
    pub tracker: TaskTracker,
}

/// The running bridge.
#[derive(Debug)]
pub struct Bridge {
    parts: Parts,
    lease: LeaseClock,
    sides: Sides,
    absent_pictures: AbsentPictures,
    ban_bugs: BanBugs,
    aliases: Aliases,
    /// Of aliases, rooms, groups and pictures that something is done with. Whoever needs two takes them in this
    /// order: `alias`, `room`, `state`, `group`, `picture`.
    locks: KeyedLocks,
    command_allowance: command::Allowance,
    ban_looks: Looks,
    floods: Floods,
    policies: Policies,
    crowd: Crowd,
    nearness: Nearness,
    restored_listings: RestoredListings,
    /// Whether the homeserver remembers transaction ids beyond its restart.
    device_memory: AtomicBool,
    catch_ups: Mutex<HashMap<GitterRoomId, catch_up::Running>>,
    /// The Gitter rooms that this process follows.
    followed: std::sync::Mutex<BTreeSet<GitterRoomId>>,
    life: life::Life,
    /// A portal has ended, and what is left of it is nobody's yet.
    something_left: Notify,
    /// Raised whenever a portal's state may have changed.
    portals_changed: watch::Sender<u64>,
}

impl std::ops::Deref for Bridge {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Bridge {
    /// Puts a bridge together; it does nothing yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let device_memory = AtomicBool::new(parts.device_memory == DeviceMemory::Durable);
        Arc::new(Self {
            device_memory,
            lease: LeaseClock::new(),
            sides: Sides::new(parts.gitter.token().clone()),
            parts,
            absent_pictures: AbsentPictures::default(),
            ban_bugs: BanBugs::default(),
            aliases: Aliases::default(),
            locks: KeyedLocks::default(),
            command_allowance: command::Allowance::default(),
            ban_looks: Looks::default(),
            floods: Floods::default(),
            policies: Policies::default(),
            crowd: Crowd::default(),
            nearness: Nearness::default(),
            restored_listings: RestoredListings::default(),
            catch_ups: Mutex::default(),
            followed: std::sync::Mutex::default(),
            life: life::Life::default(),
            something_left: Notify::new(),
            portals_changed: watch::Sender::new(0),
        })
    }

    /// Starts the flow and follows all portals' Gitter rooms.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(
        self: &Arc<Self>,
        events: tokio::sync::mpsc::Receiver<RealtimeEvent>,
    ) -> Result<(), BridgeError> {
        self.tracker.spawn(catch_up::follow(Arc::clone(self), events));
        catch_up::subscribe_all(self).await?;
        if self.db.is_shared() {
            self.tracker.spawn(subscriptions::keep(Arc::clone(self)));
        }
        self.tracker.spawn(media::drop_ended_copies(Arc::clone(self)));
        self.tracker.spawn(look_back::run(Arc::clone(self)));
        self.tracker.spawn(retention::run(Arc::clone(self)));
        self.tracker.spawn(silent_ban::run(Arc::clone(self)));
        self.tracker.spawn(token::run(Arc::clone(self)));
        self.tracker.spawn(instance::run(Arc::clone(self)));
        self.tracker.spawn(notices::run(Arc::clone(self)));
        self.tracker.spawn(command::run(Arc::clone(self)));
        self.tracker.spawn(room_state::keep_admins(Arc::clone(self)));
        self.tracker.spawn(life::run(Arc::clone(self)));
        self.tracker.spawn(leave::run(Arc::clone(self)));
        self.tracker.spawn(moderation::run(Arc::clone(self)));
        self.tracker.spawn(people::run(Arc::clone(self)));
        self.tracker.spawn(dispatcher::run(Arc::clone(self)));
        if self.settings.sweep > 0 {
            self.tracker.spawn(sweep::run(Arc::clone(self)));
        }
        Ok(())
    }

    /// Whether the homeserver remembers transaction ids beyond its restart; otherwise events are looked for
    /// before a repeat.
    fn has_device_memory(&self) -> bool {
        self.device_memory.load(Ordering::Relaxed)
    }

    /// Notes, for the rest of this process, that the homeserver has no devices for users of ours.
    fn forget_device_memory(&self) {
        if self.device_memory.swap(false, Ordering::Relaxed) {
            info!("The homeserver makes no devices for ghosts; events are looked for before a repeat");
        }
    }

    fn portals_changed(&self) {
        self.portals_changed
            .send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}

/// The time, in milliseconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
