//! Lets old items of the ledger go, slowly, so that nobody has to wait for it (`bridge.ledger_days`).
//!
//! What may go is the store's to say.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tracing::{debug, warn};

use super::{Bridge, now};
use crate::{
    metrics,
    store::{
        LaneKey, StoreError, opt_out,
        retention::{self, Horizons, OldItem},
    },
};

/// How long after one pass the next begins.
const PAUSE: Duration = Duration::from_hours(1);

/// How long between two batches of one pass.
const BREATH: Duration = Duration::from_millis(200);

/// The most items of one batch.
const BATCH: i64 = 200;

/// Goes through what is old, again and again, until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    loop {
        metrics::tidy();
        match bridge.stop.run_until_cancelled(pass(&bridge)).await {
            None => return,
            Some(Ok(0)) => {}
            Some(Ok(gone)) => debug!(items = gone, "Old items of the ledger have gone"),
            Some(Err(error)) => warn!(error = %error, "Old items of the ledger cannot be removed; later"),
        }
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn pass(bridge: &Bridge) -> Result<usize, StoreError> {
    let (ledger, sweep) = (bridge.settings.keep_ledger, bridge.settings.sweep);
    let now = now();
    let horizons = Horizons {
        forget: now - ledger,
        remove: now - ledger.max(sweep),
    };
    let mut tx = bridge.db.write().await?;
    opt_out::clear(&mut tx, horizons.remove).await?;
    tx.commit().await?;
    let (mut gone, mut last) = (0, None);
    loop {
        let mut tx = bridge.db.read().await?;
        let old = retention::old_items(&mut tx, horizons.forget, last.as_ref(), BATCH).await?;
        drop(tx);
        let Some(newest) = old.last() else {
            return Ok(gone);
        };
        last = Some(newest.clone());
        for (lane, items) in by_lane(old) {
            let mut tx = bridge.db.write().await?;
            gone += retention::clear(&mut tx, &lane, &items, horizons).await?;
            tx.commit().await?;
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Items by their lanes: each lane is a transaction of its own, so that no two are locked at once.
fn by_lane(items: Vec<OldItem>) -> Vec<(LaneKey, Vec<OldItem>)> {
    let mut lanes: BTreeMap<(String, &str, &str), (LaneKey, Vec<OldItem>)> = BTreeMap::new();
    for item in items {
        let lane = item.place.lane.clone();
        let key = (lane.room.clone(), lane.direction.as_str(), lane.purpose.as_str());
        lanes
            .entry(key)
            .or_insert_with(|| (lane, Vec::new()))
            .1
            .push(item);
    }
    lanes.into_values().collect()
}
