//! Notices that Gitter throws away what the account posts, though it answers as always (DESIGN 3.1, "Accepted is not
//! stored"), and pauses the account then.
//!
//! A message of which nothing is heard for a while is asked for. It is written down when it was posted, so a restart
//! forgets none. Nothing is posted here.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tracing::{error, warn};

use super::{Bridge, BridgeError, ban_triggers, now};
use crate::store::{
    Direction, LaneKey, Portal, PortalState, StoreError, Tx, account,
    awaited::{self, AwaitedEcho},
    deleted, lane, ledger, portal,
};

/// Why an item fails that Gitter did not store.
pub(super) const NOT_STORED: &str = "Gitter answered 200 but did not store the message (silent ban)";

/// How long the echo of a message may take, in milliseconds.
const PATIENCE: i64 = 30_000;

/// How much longer while its room is being caught up, which shows it.
const CATCHING_UP: i64 = 300_000;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);

/// Looks until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    let mut triggers = ban_triggers::Watch::default();
    loop {
        let round = async {
            look(&bridge).await?;
            triggers.look(&bridge).await
        };
        match bridge.stop.run_until_cancelled(round).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                warn!(error = %error, "Whether Gitter stores the account's messages cannot be looked for now");
            }
        }
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Asks Gitter for what it should have told of.
async fn look(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.write().await?;
    awaited::forget_heard(&mut tx).await?;
    tx.commit().await?;
    let mut tx = bridge.db.read().await?;
    let due = awaited::due(&mut tx, now() - PATIENCE).await?;
    drop(tx);
    for awaited in due {
        let mut tx = bridge.db.read().await?;
        let portal = portal::portal_by_gitter_room(&mut tx, &awaited.room).await?;
        let is_deleted = deleted::is_deleted(&mut tx, &awaited.room, &awaited.message).await?;
        drop(tx);
        match portal {
            Some(portal) if !is_deleted => match look_for(bridge, &portal, &awaited).await {
                // Of one message nothing can be said; the next may be another matter.
                Err(BridgeError::Gitter(error)) if error.status().is_some() => {
                    warn!(portal.room = %awaited.room, error = %error, "A message cannot be looked for now");
                }
                looked => looked?,
            },
            // Nobody can be told of it any more, or it is gone by our own doing.
            _ => forget(bridge, &awaited).await?,
        }
    }
    Ok(())
}

async fn look_for(bridge: &Bridge, portal: &Portal, awaited: &AwaitedEcho) -> Result<(), BridgeError> {
    let is_listed_soon = portal.state == PortalState::CatchingUp;
    if is_listed_soon && now() - awaited.posted_at < CATCHING_UP {
        return Ok(());
    }
    let found = bridge.gitter.message(&awaited.room, &awaited.message).await;
    match found {
        Ok(None) if reads_room(bridge, portal).await? => not_stored(bridge, portal, awaited).await,
        Ok(_) => Ok(forget(bridge, awaited).await?),
        // Of a room that cannot be read nothing can be said.
        Err(error) if is_refusal(error.status()) => Ok(forget(bridge, awaited).await?),
        Err(error) => Err(error.into()),
    }
}

/// Whether the account may read a room: in one that it may not, no message is found.
async fn reads_room(bridge: &Bridge, portal: &Portal) -> Result<bool, BridgeError> {
    match bridge.gitter.room(&portal.gitter_room_id).await {
        Ok(_) => Ok(true),
        Err(error) if is_refusal(error.status()) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn is_refusal(status: Option<StatusCode>) -> bool {
    status.is_some_and(|status| status.is_client_error())
}

async fn forget(bridge: &Bridge, awaited: &AwaitedEcho) -> Result<(), StoreError> {
    let mut tx = bridge.db.write().await?;
    awaited::forget(&mut tx, awaited).await?;
    tx.commit().await
}

/// The message was thrown away: its item has failed after all, and no other is to follow it.
async fn not_stored(bridge: &Bridge, portal: &Portal, awaited: &AwaitedEcho) -> Result<(), BridgeError> {
    let why = format!("{NOT_STORED}; it was not told of, and it is not there");
    let mut tx = bridge.db.write().await?;
    lane::lock_lane(&mut tx, &LaneKey::live(Some(&awaited.room), Direction::ToGitter)).await?;
    lane::lock_lane(&mut tx, &LaneKey::live(Some(&awaited.room), Direction::ToMatrix)).await?;
    // It may have been deleted, or told of, while it was looked for.
    awaited::forget_heard(&mut tx).await?;
    let is_deleted = deleted::is_deleted(&mut tx, &awaited.room, &awaited.message).await?;
    if is_deleted || !awaited::is_awaited(&mut tx, awaited).await? {
        awaited::forget(&mut tx, awaited).await?;
        return Ok(tx.commit().await?);
    }
    let made_by = ledger::of_result(&mut tx, awaited.message.as_str()).await?;
    for entry in made_by {
        let place = entry.place;
        if place.lane.direction != Direction::ToGitter || place.lane.room != awaited.room.as_str() {
            continue;
        }
        lane::lock_lane(&mut tx, &place.lane).await?;
        awaited::take_back(&mut tx, &place, awaited, &why).await?;
        error!(
            portal.uri = portal.gitter_uri,
            item.id = %place.id(),
            item.source = entry.source_id,
            "A message that Gitter accepted is not there"
        );
    }
    awaited::forget(&mut tx, awaited).await?;
    pause(bridge, &mut tx, now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Pauses the account, and says so once.
pub(super) async fn pause(bridge: &Bridge, tx: &mut Tx, now: i64) -> Result<(), StoreError> {
    if account::pause(tx, &bridge.account.user_id, NOT_STORED, now).await? {
        error!(
            account.name = bridge.account.username,
            "Gitter accepts the account's messages without storing them: it is banned silently, and nothing is sent \
             any more. Ask the Gitter server's operator to lift the ban, then `item retry` what has \
             failed, and after it `gitter-matrix-bridge account resume`"
        );
    }
    Ok(())
}
