//! Finds Gitter messages that crossed and are gone since, by their absence from listings (DESIGN 3.4).
//!
//! Absence is a suspicion, never a deletion: a Gitter server in trouble lists nothing. Only what is missing between
//! messages that are there is suspected, each suspicion is asked for by its id, and many at once are nobody's
//! deletions.

use std::{collections::BTreeSet, iter};

use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use tracing::{error, info};

use super::{Bridge, BridgeError, accept, catch_up, now};
use crate::{
    ids::GitterMessageId,
    model,
    store::{Portal, PortalState, inbox, message, portal as portals},
};

/// The most suspicions of one look that are followed.
const MOST_SUSPICIONS: usize = 20;

/// Messages that Gitter listed one after another, without a gap.
#[derive(Debug, Default)]
pub(super) struct Listing {
    ids: BTreeSet<GitterMessageId>,
    /// When the oldest and the newest were sent, in milliseconds.
    range: Option<(i64, i64)>,
    /// Whether it begins where the room does.
    whole: bool,
    /// Whether something in it could not be read, so that what is missing may be just that.
    odd: bool,
}

impl Listing {
    /// Notes that nothing older is in the room than what was added.
    pub(super) fn begins_with_room(&mut self) {
        self.whole = true;
    }

    /// Adds a page that follows on those before, in either direction.
    pub(super) fn add(&mut self, page: &[Box<RawValue>]) {
        for raw in page {
            let message: Option<model::Message> = serde_json::from_str(raw.get()).ok();
            let known = message.and_then(|message| Some((message.sent.or(message.id.time())?, message.id)));
            let Some((sent, id)) = known else {
                self.odd = true;
                continue;
            };
            let sent = sent.as_millisecond();
            let (oldest, newest) = self.range.unwrap_or((sent, sent));
            self.range = Some((oldest.min(sent), newest.max(sent)));
            self.ids.insert(id);
        }
    }

    /// Whether a message that is there would have to be listed: what is listed is older, and newer.
    fn misses(&self, id: &GitterMessageId) -> bool {
        let is_between = (self.whole || self.ids.first() < Some(id)) && self.ids.last() > Some(id);
        is_between && !self.ids.contains(id)
    }
}

/// Queues the removal of what crossed and is gone; gives how much that is.
///
/// # Errors
/// When the database fails, or Gitter cannot be asked: then nothing is known.
pub(super) async fn look(bridge: &Bridge, portal: &Portal, listing: &Listing) -> Result<usize, BridgeError> {
    let Some((oldest, newest)) = listing.range.filter(|_| !listing.odd) else {
        return Ok(0);
    };
    let mut tx = bridge.db.read().await?;
    let oldest = if listing.whole { 0 } else { oldest };
    let mut suspected = message::crossed_between(&mut tx, portal, oldest, newest).await?;
    drop(tx);
    suspected.retain(|id| listing.misses(id));
    if suspected.len() > MOST_SUSPICIONS {
        error!(
            portal.uri = portal.gitter_uri,
            messages = suspected.len(),
            "Gitter does not list many messages that crossed; none is taken for deleted. Look at the room, and \
             delete on Matrix by hand what is gone there"
        );
        return Ok(0);
    }
    let mut gone = Vec::new();
    for id in suspected {
        if bridge
            .gitter
            .message(&portal.gitter_room_id, &id)
            .await?
            .is_none()
        {
            gone.push(id);
        }
    }
    if gone.is_empty() {
        return Ok(0);
    }
    // A room that does not answer says nothing of its messages.
    bridge.gitter.room(&portal.gitter_room_id).await?;
    remove(bridge, portal, &gone).await
}

/// Queues removals, as if Gitter had told of them when they happened.
async fn remove(bridge: &Bridge, portal: &Portal, gone: &[GitterMessageId]) -> Result<usize, BridgeError> {
    let room = &portal.gitter_room_id;
    let mut tx = bridge.db.write().await?;
    catch_up::lock(&mut tx, iter::once(room)).await?;
    let Some(portal) = portals::portal_by_gitter_room(&mut tx, room).await? else {
        return Ok(0);
    };
    let held = portal.state != PortalState::Active;
    let items: Vec<_> = gone
        .iter()
        .filter_map(|id| to_raw_value(&json!({ "id": id.as_str() })).ok())
        .map(|model| accept::gitter_item(room, "remove", &model, held))
        .collect();
    let found = inbox::enqueue(&mut tx, &items, now()).await?;
    tx.commit().await?;
    if found > 0 {
        info!(
            portal.uri = portal.gitter_uri,
            messages = found,
            "Messages were deleted on Gitter unseen"
        );
        bridge.wake.notify_one();
    }
    Ok(found)
}
