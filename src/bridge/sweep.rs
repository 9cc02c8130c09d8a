//! Looks slowly through the last days of each room for messages that were deleted on Gitter while nobody told the
//! bridge (DESIGN 3.4). It only reads, and never hurries: what people say now comes first.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::value::RawValue;
use tracing::warn;

use super::{
    Bridge, BridgeError,
    absences::{self, Listing},
    now,
};
use crate::{
    gitter::{Class, MessagePage},
    ids::GitterMessageId,
    model,
    store::{Portal, PortalState, portal},
};

/// How long after its start, and after each round, the bridge looks.
const REST: Duration = Duration::from_hours(1);

/// Between two requests of a round.
const PAUSE: Duration = Duration::from_secs(10);

/// The most messages of a page (gitter-api 5.5).
const PAGE: usize = 100;

/// How many messages two pages share, so that nothing can be missing between them.
const SHARED: usize = 2;

/// Goes round the rooms until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    loop {
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(REST) => {}
        }
        let round = bridge.stop.run_until_cancelled(go_round(&bridge));
        if let Some(Err(error)) = round.await {
            warn!(error = %error, "What was deleted on Gitter cannot be looked for now");
        }
    }
}

async fn go_round(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let portals = portal::portals(&mut tx).await?;
    drop(tx);
    for portal in portals {
        // Of several processes, the one that follows a room looks through it.
        if portal.state == PortalState::Active && bridge.follows(&portal.gitter_room_id) {
            room(bridge, &portal, PAUSE).await?;
        }
    }
    Ok(())
}

/// Looks through the last `bridge.sweep_days` of a room, with a pause before each request; gives how many messages
/// are gone.
///
/// # Errors
/// When the database fails, or Gitter cannot be asked.
pub(super) async fn room(bridge: &Bridge, portal: &Portal, pause: Duration) -> Result<usize, BridgeError> {
    let horizon = Timestamp::from_millisecond(now().saturating_sub(bridge.settings.sweep))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let (mut found, mut before) = (0, None);
    loop {
        tokio::time::sleep(pause).await;
        let query = MessagePage {
            after: None,
            before: before.clone(),
            limit: u32::try_from(PAGE).unwrap_or(u32::MAX),
            class: Class::History,
        };
        let page = bridge.gitter.messages(&portal.gitter_room_id, &query).await?;
        let mut listing = Listing::default();
        listing.add(&page);
        if page.len() < PAGE {
            listing.begins_with_room();
        }
        found += absences::look(bridge, portal, &listing).await?;
        let ids = ids_of(&page);
        let is_past = ids
            .first()
            .and_then(GitterMessageId::time)
            .is_none_or(|oldest| oldest < horizon);
        let next = ids.get(SHARED).cloned();
        if page.len() < PAGE || is_past || next.is_none() || next == before {
            return Ok(found);
        }
        before = next;
    }
}

/// The ids of a page, oldest first.
fn ids_of(page: &[Box<RawValue>]) -> Vec<GitterMessageId> {
    let read = |raw: &RawValue| serde_json::from_str::<model::Message>(raw.get()).ok();
    let messages = page.iter().filter_map(|raw| read(raw));
    let mut ids: Vec<GitterMessageId> = messages.map(|message| message.id).collect();
    ids.sort();
    ids
}
