//! Everything at a glance, for the status page: rooms, what waits and failed, what became of items lately, and how both
//! sides and Gitter's budget are. It asks the database a handful of questions, however many rooms there are, and
//! neither side anything.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

use super::{
    Bridge, BridgeError,
    account::AccountView,
    now,
    provision::{PortalView, ProvisionError},
};
use crate::store::{
    Direction, Portal, Tx, account,
    ledger::{self, Entry},
    overview, portal,
};

/// How many stretches of time the outcomes are counted in.
pub const SLOTS: usize = 12;

/// How long such a stretch is, in milliseconds.
const SLOT: i64 = 300_000;

/// How many failed items are shown.
const FAILED_SHOWN: i64 = 50;

/// Everything at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// Rooms, by their names.
    pub rooms: Vec<RoomOverview>,
    /// All items of either direction, of rooms that were unlinked too.
    pub ways: PerWay<Way>,
    /// When the first of the stretches of time began.
    pub since: Timestamp,
    /// What failed last, the newest first; not all where there is much.
    pub failed: Vec<FailedItem>,
    /// Until when either side takes nothing, as far as this process knows; `None` where it takes messages.
    pub closed_until: PerWay<Option<Timestamp>>,
    /// The Gitter accounts.
    pub accounts: Vec<AccountView>,
    /// Gitter's budget, once known.
    pub budget: Option<BudgetOverview>,
    /// How many connections to Gitter's realtime channel this process has.
    pub sockets: usize,
    /// How many rooms this process follows on Gitter.
    pub followed: usize,
    /// `SQLite` or `PostgreSQL`.
    pub database: &'static str,
}

/// One thing for each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerWay<T> {
    /// From Matrix to Gitter.
    pub to_gitter: T,
    /// From Gitter to Matrix.
    pub to_matrix: T,
}

/// A room with its items.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomOverview {
    /// The portal, as the admin API shows it.
    pub portal: PortalView,
    /// Where people find the Gitter room.
    pub gitter_address: String,
    /// Where people find the Matrix room.
    pub matrix_address: String,
    /// Its items.
    pub ways: PerWay<Way>,
}

/// The items of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Way {
    /// Those without an outcome.
    pub waiting: i64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
    /// Those that have failed.
    pub failed: i64,
    /// What became of items lately, by stretches of time.
    pub lately: [Outcomes; SLOTS],
}

/// What became of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// On the other side.
    pub bridged: i64,
    /// Nothing to do on the other side.
    pub skipped: i64,
    /// They failed, and nobody did anything about it yet.
    pub failed: i64,
}

/// An item that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedItem {
    /// Its id.
    pub id: String,
    /// Where it goes.
    pub direction: Direction,
    /// Its room's name, or id where it is not linked any more.
    pub room: String,
    /// The event or Gitter message that it came from.
    pub source_id: String,
    /// The event's type, or `create`, `update`, `patch`, `remove`.
    pub operation: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people; may be empty.
    pub detail: String,
    /// How often something was sent for it.
    pub attempts: i64,
    /// When it failed.
    pub failed_at: Timestamp,
}

/// Gitter's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetOverview {
    /// Requests in a window.
    pub limit: u32,
    /// Requests left in this one.
    pub remaining: u32,
    /// When the next window begins; `None` if none is open.
    pub resets_at: Option<Timestamp>,
    /// How long the next message has to wait where no other does.
    pub wait: Duration,
    /// How long it has to wait behind all that waits to cross.
    pub backlog_wait: Duration,
}

impl<T> PerWay<T> {
    /// That of a direction.
    pub const fn of(&self, direction: Direction) -> &T {
        match direction {
            Direction::ToGitter => &self.to_gitter,
            Direction::ToMatrix => &self.to_matrix,
        }
    }

    const fn of_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::ToGitter => &mut self.to_gitter,
            Direction::ToMatrix => &mut self.to_matrix,
        }
    }
}

impl Way {
    /// All that became of items lately.
    pub fn sum(&self) -> Outcomes {
        self.lately
            .iter()
            .fold(Outcomes::default(), |sum, slot| Outcomes {
                bridged: sum.bridged + slot.bridged,
                skipped: sum.skipped + slot.skipped,
                failed: sum.failed + slot.failed,
            })
    }

    fn add_open(&mut self, count: i64, oldest: i64) {
        self.waiting += count;
        self.oldest = self.oldest.into_iter().chain(time(oldest)).min();
    }

    fn add_settled(&mut self, slot: i64, outcome: &str, count: i64) {
        let slot = usize::try_from(slot).ok();
        // What was settled while this was read is of the next stretch.
        let Some(outcomes) = slot.and_then(|slot| self.lately.get_mut(slot)) else {
            return;
        };
        match outcome {
            "bridged" => outcomes.bridged += count,
            "failed" => outcomes.failed += count,
            _ => outcomes.skipped += count,
        }
    }
}

impl Bridge {
    /// All linked rooms.
    pub async fn portals(&self) -> Result<Vec<PortalView>, ProvisionError> {
        let mut tx = self.db.read().await?;
        let ways = open_items(&mut tx).await?;
        Ok(portals(&mut tx, &ways).await?)
    }

    /// Everything at a glance.
    pub async fn overview(&self) -> Result<Overview, BridgeError> {
        let now = now();
        let slots = i64::try_from(SLOTS).unwrap_or_default();
        let since = (now / SLOT - slots + 1) * SLOT;
        let mut tx = self.db.read().await?;
        let mut ways = open_items(&mut tx).await?;
        for settled in overview::settled(&mut tx, since, SLOT).await? {
            let of_room = ways.entry(settled.room).or_default();
            let way = of_room.of_mut(settled.direction);
            way.add_settled(settled.slot, &settled.outcome, settled.count);
        }
        let total = total(&ways);
        let portals = portals(&mut tx, &ways).await?;
        let rooms: Vec<RoomOverview> = portals
            .into_iter()
            .map(|portal| self.room_overview(portal, &mut ways))
            .collect();
        let failed = ledger::failed_last(&mut tx, FAILED_SHOWN).await?;
        let accounts = account::accounts(&mut tx).await?;
        Ok(Overview {
            failed: failed
                .into_iter()
                .map(|entry| failed_item(entry, &rooms))
                .collect(),
            closed_until: PerWay {
                to_gitter: self.sides.closed_until(Direction::ToGitter, now).and_then(time),
                to_matrix: self.sides.closed_until(Direction::ToMatrix, now).and_then(time),
            },
            accounts: accounts
                .into_iter()
                .map(|found| self.account_view(found))
                .collect(),
            budget: self.budget_overview(total.to_gitter.waiting),
            sockets: *self.realtime.open_sockets().borrow(),
            followed: self.followed_rooms(),
            database: if self.db.is_shared() {
                "PostgreSQL"
            } else {
                "SQLite"
            },
            since: time(since).unwrap_or_default(),
            ways: total,
            rooms,
        })
    }

    fn room_overview(&self, portal: PortalView, ways: &mut HashMap<String, PerWay<Way>>) -> RoomOverview {
        let mut address = self.settings.web_url.clone();
        // Never an error of an http address.
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().extend(portal.gitter_uri.split('/'));
        }
        RoomOverview {
            gitter_address: address.into(),
            matrix_address: portal.matrix_room_id.matrix_to_uri().to_string(),
            ways: ways.remove(portal.gitter_room_id.as_str()).unwrap_or_default(),
            portal,
        }
    }

    fn budget_overview(&self, waiting: i64) -> Option<BudgetOverview> {
        let budget = self.gitter.budget()?;
        let behind = self
            .gitter
            .wait_behind(u32::try_from(waiting).unwrap_or(u32::MAX));
        Some(BudgetOverview {
            limit: budget.limit,
            remaining: budget.remaining,
            resets_at: budget.resets_at,
            wait: budget.live_wait,
            backlog_wait: behind.max(budget.live_wait),
        })
    }

    fn followed_rooms(&self) -> usize {
        let followed = self.followed.lock();
        followed.unwrap_or_else(std::sync::PoisonError::into_inner).len()
    }
}

/// What waits and has failed, by Gitter room.
async fn open_items(tx: &mut Tx) -> Result<HashMap<String, PerWay<Way>>, BridgeError> {
    let mut ways: HashMap<String, PerWay<Way>> = HashMap::new();
    for open in overview::open(tx).await? {
        let way = ways.entry(open.room).or_default();
        way.of_mut(open.direction).add_open(open.count, open.oldest);
    }
    for failed in overview::failed(tx).await? {
        let way = ways.entry(failed.room).or_default();
        way.of_mut(failed.direction).failed += failed.count;
    }
    Ok(ways)
}

async fn portals(tx: &mut Tx, ways: &HashMap<String, PerWay<Way>>) -> Result<Vec<PortalView>, BridgeError> {
    let mut details: HashMap<String, String> = overview::details(tx).await?.into_iter().collect();
    let views = portal::portals(tx).await?.into_iter().map(|portal: Portal| {
        let room = portal.gitter_room_id.as_str();
        let detail = details.remove(room).unwrap_or_default();
        let count = |of: fn(&Way) -> i64| {
            ways.get(room)
                .map_or(0, |ways| of(&ways.to_gitter) + of(&ways.to_matrix))
        };
        let (waiting, failed) = (count(|way| way.waiting), count(|way| way.failed));
        PortalView::new(portal, waiting, failed, detail)
    });
    Ok(views.collect())
}

fn total(ways: &HashMap<String, PerWay<Way>>) -> PerWay<Way> {
    let mut total = PerWay::<Way>::default();
    for direction in [Direction::ToGitter, Direction::ToMatrix] {
        let total = total.of_mut(direction);
        for way in ways.values().map(|ways| ways.of(direction)) {
            total.waiting += way.waiting;
            total.failed += way.failed;
            total.oldest = total.oldest.into_iter().chain(way.oldest).min();
            for (sum, slot) in total.lately.iter_mut().zip(&way.lately) {
                sum.bridged += slot.bridged;
                sum.skipped += slot.skipped;
                sum.failed += slot.failed;
            }
        }
    }
    total
}

fn failed_item(entry: Entry, rooms: &[RoomOverview]) -> FailedItem {
    let lane = &entry.place.lane;
    let named = rooms
        .iter()
        .find(|room| room.portal.gitter_room_id.as_str() == lane.room);
    FailedItem {
        id: entry.place.id().to_string(),
        direction: lane.direction,
        room: named.map_or_else(|| lane.room.clone(), |room| room.portal.gitter_uri.clone()),
        source_id: entry.source_id,
        operation: entry.operation,
        reason: entry.reason,
        detail: entry.detail,
        attempts: entry.attempts,
        failed_at: time(entry.settled_at).unwrap_or_default(),
    }
}

fn time(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok()
}
