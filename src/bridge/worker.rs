//! Works one claimed lane: its items, one after another, until none is due.

use std::time::Duration;

use tracing::{Instrument as _, error, info_span, warn};

use super::{Bridge, BridgeError, deliver::Delivery, life::portal_of, now};
use crate::{
    store::{Item, Lane, attempt, inbox, lane, life, portal},
    telemetry,
};

/// How long a lane waits after an error that is not its item's.
const AFTER_ERROR: i64 = 1_000;

/// How many steps a lane may go before others have their turn.
const TURN: u32 = 50;

/// What became of the item at a lane's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It moved on; look at the lane again.
    Next,
    /// It waits until then.
    Wait { until: i64 },
    /// There is no item.
    Empty,
    /// The lane may be another's, or the item has its outcome by now: claim and look again.
    Lost,
}

/// Works a lane, and gives it back.
pub(super) async fn work(bridge: &Bridge, lane: &Lane) {
    let mut steps = 0;
    let not_before = loop {
        if steps == TURN {
            break now();
        }
        steps += 1;
        if bridge.stop.is_cancelled() || !bridge.lease.holds() {
            break 0;
        }
        match step(bridge, lane).await {
            Ok(Step::Next) => {}
            Ok(Step::Wait { until }) => break until,
            // A lost lane is given back all the same: that does nothing if it is another's by now.
            Ok(Step::Empty | Step::Lost) => break 0,
            Err(error) => {
                error!(portal.room = lane.key.room, lane.direction = lane.key.direction.as_str(), error = %error,
                    "A lane stops for a moment");
                break now() + AFTER_ERROR;
            }
        }
    };
    give_back(bridge, lane, not_before).await;
}

async fn step(bridge: &Bridge, lane: &Lane) -> Result<Step, BridgeError> {
    let mut tx = bridge.db.read().await?;
    let Some(item) = inbox::head(&mut tx, &lane.key).await? else {
        return Ok(Step::Empty);
    };
    if item.next_attempt_at > now() {
        return Ok(Step::Wait {
            until: item.next_attempt_at,
        });
    }
    let Ok(room) = lane.key.room.parse() else {
        return Ok(Step::Empty);
    };
    let Some(portal) = portal::portal_by_gitter_room(&mut tx, &room).await? else {
        return Ok(Step::Empty);
    };
    // It may have stopped since the lane was claimed.
    let since = bridge.confirmed_since(now());
    if !life::is_open(&mut tx, &room, lane.key.direction, since).await? {
        return Ok(Step::Wait { until: now() });
    }
    let portal = portal_of(&mut tx, portal, &item).await?;
    let attempts = attempt::attempts_of(&mut tx, &lane.key, item.number).await?;
    drop(tx);
    let delivery = Delivery {
        bridge,
        lane,
        portal: &portal,
        item: &item,
    };
    let id = item.place().id().to_string();
    // Whatever is logged about an item names it, so that its lines are found by the id that `item list` shows.
    let span = info_span!(
        "item",
        item.id = id,
        item.source = item.source_id,
        portal.room = lane.key.room,
        lane.direction = lane.key.direction.as_str(),
    );
    let stepped = async {
        if attempts.is_empty() {
            delivery.begin().await
        } else {
            delivery.go_on(&attempts).await
        }
    };
    let traced = traced_step(&item, &id, attempts.is_empty());
    let step = traced.run(stepped.instrument(span)).await;
    match &step {
        Ok(Step::Next | Step::Empty) => {}
        Ok(Step::Wait { .. }) => traced.note("step.result", "waits"),
        Ok(Step::Lost) => traced.note("step.result", "lost"),
        Err(_) => traced.fail("stopped"),
    }
    step
}

/// The step in the trace of its item, which begins with how long that has waited for its first.
fn traced_step(item: &Item, id: &str, is_new: bool) -> telemetry::Step {
    let traced = telemetry::Item {
        direction: item.lane.direction.as_str(),
        source_key: &item.source_key,
        id,
        source: &item.source_id,
        room: &item.lane.room,
    };
    if is_new && item.next_attempt_at == 0 {
        traced.waited(item.created_at);
    }
    traced.step(if is_new { "translate" } else { "deliver" })
}

/// Gives the lane back. Our claim would be renewed for ever, so it is tried until it works or we stop.
async fn give_back(bridge: &Bridge, lane: &Lane, not_before: i64) {
    loop {
        let released = async {
            let mut tx = bridge.db.write().await?;
            lane::release_lane(&mut tx, lane, not_before).await?;
            tx.commit().await
        };
        match released.await {
            Ok(()) => return,
            Err(error) => warn!(error = %error, "A lane could not be given back yet"),
        }
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
