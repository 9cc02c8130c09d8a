//! Claims lanes that have something due, and keeps the claims (DESIGN 3, "Dispatch").
//!
//! A wake-up is a hint; the table is the truth, and is also polled. The dispatcher looks at no item.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use boot_time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use super::{Bridge, kill_point::KillPoint, lease, now, worker};
use crate::store::{
    Direction, Lane, StoreError,
    lane::{self, ClaimRequest},
};

/// How many lanes of each direction are worked at once. Toward Gitter most of them only wait for its budget: many, so
/// that what is to go first is among them.
const CONCURRENCY: [usize; 2] = [64, 16];

/// The longest time between two looks at the table.
const POLL: Duration = Duration::from_secs(1);

/// The shortest: what is due and cannot be claimed now must not keep the dispatcher busy.
const SHORTEST_POLL: Duration = Duration::from_millis(50);

const DIRECTIONS: [Direction; 2] = [Direction::ToGitter, Direction::ToMatrix];

/// What the dispatcher and its tasks share.
#[derive(Debug, Clone)]
struct Dispatcher {
    bridge: Arc<Bridge>,
    /// This process, in the table.
    owner: String,
    /// By direction, as in [`DIRECTIONS`].
    slots: [Arc<Semaphore>; 2],
    /// The lanes that are being worked: only their claims are renewed.
    worked: Arc<Mutex<Vec<Lane>>>,
}

/// Runs until the bridge stops; then waits for the lanes that are being worked.
pub(super) async fn run(bridge: Arc<Bridge>) {
    let dispatcher = Dispatcher {
        bridge: Arc::clone(&bridge),
        owner: format!("{:032x}", rand::random::<u128>()),
        slots: CONCURRENCY.map(|lanes| Arc::new(Semaphore::new(lanes))),
        worked: Arc::default(),
    };
    let renewal = bridge.tracker.spawn(dispatcher.clone().renew());
    while !bridge.stop.is_cancelled() {
        // Armed before the look, so that what is committed after it is not missed.
        let woken = bridge.wake.notified();
        match dispatcher.dispatch().await {
            Ok(0) => {
                let pause = dispatcher.until_due().await;
                tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep(pause) => {}
                    () = bridge.stop.cancelled() => {}
                }
            }
            Ok(_) => {}
            Err(error) => {
                warn!(error = %error, "The database does not answer; lanes wait");
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = bridge.stop.cancelled() => {}
                }
            }
        }
    }
    // All slots: every lane is done or has stopped at a safe place.
    for (slots, lanes) in dispatcher.slots.iter().zip(CONCURRENCY) {
        let all = u32::try_from(lanes).unwrap_or(u32::MAX);
        drop(slots.acquire_many(all).await);
    }
    renewal.abort();
}

impl Dispatcher {
    /// Claims what is due, and has it worked; gives the number of lanes.
    async fn dispatch(&self) -> Result<usize, StoreError> {
        let mut claimed = 0;
        for (direction, slots) in DIRECTIONS.into_iter().zip(&self.slots) {
            // A permit a lane, taken before the claim: a lane that is claimed is worked at once.
            let mut permits = Vec::new();
            while let Ok(permit) = Arc::clone(slots).try_acquire_owned() {
                permits.push(permit);
            }
            for (lane, permit) in self
                .claim(direction, permits.len())
                .await?
                .into_iter()
                .zip(permits)
            {
                claimed += 1;
                self.work(lane, permit);
            }
        }
        Ok(claimed)
    }

    async fn claim(&self, direction: Direction, limit: usize) -> Result<Vec<Lane>, StoreError> {
        let now = now();
        if limit == 0 || !self.bridge.lease.holds() || !self.bridge.sides.is_open(direction, now) {
            return Ok(Vec::new());
        }
        let mut claimed = Vec::new();
        // One in a transaction: PostgreSQL locks several in an order of its own, and whoever locks them in another
        // order would wait for us while we wait for them.
        while claimed.len() < limit {
            match self.claim_one(direction, now).await {
                Ok(Some(lane)) => claimed.push(lane),
                Err(error) if claimed.is_empty() => return Err(error),
                // What is claimed already is to be worked, even if the database has failed since.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(claimed)
    }

    async fn claim_one(&self, direction: Direction, now: i64) -> Result<Option<Lane>, StoreError> {
        let request = ClaimRequest {
            owner: &self.owner,
            now,
            lease_until: now + milliseconds(lease::LEASE),
            direction,
            limit: 1,
            confirmed_since: self.bridge.confirmed_since(now),
        };
        let mut tx = self.bridge.db.write().await?;
        let lanes = lane::claim_lanes(&mut tx, request).await?;
        tx.commit().await?;
        if !lanes.is_empty() {
            KillPoint::Claimed.reached(direction);
        }
        Ok(lanes.into_iter().next())
    }

    /// Works a lane in a task of its own, and wakes the dispatcher when its slot is free again.
    fn work(&self, lane: Lane, slot: OwnedSemaphorePermit) {
        self.worked().push(lane.clone());
        let dispatcher = self.clone();
        self.bridge.tracker.spawn(async move {
            worker::work(&dispatcher.bridge, &lane).await;
            dispatcher.worked().retain(|other| *other != lane);
            drop(slot);
            dispatcher.bridge.wake.notify_one();
        });
    }

    fn worked(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.worked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long nothing can be claimed.
    async fn until_due(&self) -> Duration {
        let now = now();
        let open = DIRECTIONS.map(|direction| self.bridge.sides.is_open(direction, now));
        let due = async {
            let mut tx = self.bridge.db.read().await?;
            lane::next_due(&mut tx, open[0], open[1], self.bridge.confirmed_since(now)).await
        };
        let wait = due.await.map_or(0, |due| due.saturating_sub(now));
        Duration::from_millis(u64::try_from(wait).unwrap_or(0)).clamp(SHORTEST_POLL, POLL)
    }

    async fn renew(self) {
        let mut ticks = tokio::time::interval(lease::RENEWAL);
        loop {
            ticks.tick().await;
            let asked = Instant::now();
            let worked = self.worked().clone();
            let renewed = async {
                let now = now();
                let mut tx = self.bridge.db.write().await?;
                lane::renew_leases(&mut tx, &worked, now + milliseconds(lease::LEASE)).await?;
                tx.commit().await?;
                let mut tx = self.bridge.db.write().await?;
                lane::give_back_lapsed(&mut tx, &self.owner, now).await?;
                tx.commit().await
            };
            match renewed.await {
                Ok(()) => self.bridge.lease.renewed(asked),
                Err(error) => warn!(error = %error, "The claims on lanes could not be renewed"),
            }
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
