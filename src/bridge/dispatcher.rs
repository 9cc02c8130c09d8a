//! Claims lanes that have something due, and keeps the claims (DESIGN 3, "Dispatch").
//!
//! A wake-up is a hint; the table is the truth, and is also polled. The dispatcher looks at no item.

use std::{sync::Arc, time::Duration};

use boot_time::Instant;
use tokio::sync::{Notify, Semaphore};
use tracing::warn;

use super::{Bridge, lease, now, worker};
use crate::store::{
    Direction, Lane, StoreError,
    lane::{self, ClaimRequest},
};

/// How many lanes are worked at once.
const CONCURRENCY: usize = 16;

/// The longest time between two looks at the table.
const POLL: Duration = Duration::from_secs(1);

/// Runs until the bridge stops; then waits for the lanes that are being worked.
pub(super) async fn run(bridge: Arc<Bridge>) {
    let owner = format!("{:032x}", rand::random::<u128>());
    let renewal = bridge.tracker.spawn(renew(Arc::clone(&bridge), owner.clone()));
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    while !bridge.stop.is_cancelled() {
        // Armed before the look, so that what is committed after it is not missed.
        let wake = Arc::clone(&bridge.wake);
        let woken = wake.notified();
        match claim(&bridge, &owner, slots.available_permits()).await {
            Ok(lanes) if lanes.is_empty() => {
                let pause = until_due(&bridge).await;
                tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep(pause) => {}
                    () = bridge.stop.cancelled() => {}
                }
            }
            Ok(lanes) => {
                for lane in lanes {
                    work(&bridge, &slots, lane, Arc::clone(&wake)).await;
                }
            }
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
    let all = u32::try_from(CONCURRENCY).unwrap_or(u32::MAX);
    drop(slots.acquire_many(all).await);
    renewal.abort();
}

/// Works a lane in a task of its own, and wakes the dispatcher when its slot is free again.
async fn work(bridge: &Arc<Bridge>, slots: &Arc<Semaphore>, lane: Lane, wake: Arc<Notify>) {
    let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
        return;
    };
    let bridge = Arc::clone(bridge);
    bridge.tracker.clone().spawn(async move {
        worker::work(&bridge, &lane).await;
        drop(slot);
        wake.notify_one();
    });
}

async fn claim(bridge: &Bridge, owner: &str, free: usize) -> Result<Vec<Lane>, StoreError> {
    let limit = i64::try_from(free).unwrap_or(0);
    if limit == 0 || !bridge.lease.holds() {
        return Ok(Vec::new());
    }
    let now = now();
    let mut tx = bridge.db.write().await?;
    let request = ClaimRequest {
        owner,
        now,
        lease_until: now + milliseconds(lease::LEASE),
        to_gitter: bridge.sides.is_open(Direction::ToGitter, now),
        to_matrix: bridge.sides.is_open(Direction::ToMatrix, now),
        limit,
    };
    let lanes = lane::claim_lanes(&mut tx, request).await?;
    tx.commit().await?;
    Ok(lanes)
}

/// How long nothing is due, at most [`POLL`]; not nothing, so that a due lane of a paused side does not spin.
async fn until_due(bridge: &Bridge) -> Duration {
    let due = async {
        let mut tx = bridge.db.read().await?;
        lane::next_due(&mut tx).await
    };
    let wait = due.await.map_or(0, |due| due.saturating_sub(now()));
    Duration::from_millis(u64::try_from(wait).unwrap_or(0)).clamp(Duration::from_millis(50), POLL)
}

async fn renew(bridge: Arc<Bridge>, owner: String) {
    let mut ticks = tokio::time::interval(lease::RENEWAL);
    loop {
        ticks.tick().await;
        let asked = Instant::now();
        let renewed = async {
            let mut tx = bridge.db.write().await?;
            lane::renew_leases(&mut tx, &owner, now() + milliseconds(lease::LEASE)).await?;
            tx.commit().await
        };
        match renewed.await {
            Ok(()) => bridge.lease.renewed(asked),
            Err(error) => warn!(error = %error, "The claims on lanes could not be renewed"),
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
