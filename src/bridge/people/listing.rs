//! Lists everybody who is in a Gitter room, and notes who is new there and who is gone.

use std::collections::BTreeSet;

use tracing::info;

use super::note_all;
use crate::{
    bridge::{Bridge, BridgeError},
    gitter::PEOPLE_PAGE,
    ids::{GitterRoomId, GitterUserId},
    store::{Portal, person},
};

/// The most pages of a list.
const PAGES: usize = 1_000;

/// Lists a room. Pages have no order that lasts, so whoever is missing in one list may only have changed places: who is gone
/// is missing in two.
pub(super) async fn list(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
    let room = &portal.gitter_room_id;
    let mut tx = bridge.db.read().await?;
    let before = person::members(&mut tx, room).await?;
    drop(tx);
    let (seen, mut news) = read(bridge, room).await?;
    let mut missing: BTreeSet<GitterUserId> = before.difference(&seen).cloned().collect();
    if !missing.is_empty() {
        let (seen, more) = read(bridge, room).await?;
        missing.retain(|user| !seen.contains(user));
        news += more + note_all(bridge, room, &[], &missing).await?;
    }
    info!(
        portal.uri = portal.gitter_uri,
        people = seen.len(),
        changes = news,
        "Listed who is in a Gitter room"
    );
    bridge.crowd.wake.notify_one();
    Ok(())
}

/// Reads a whole list and notes who is in it, page by page; gives them, and how many are new.
async fn read(bridge: &Bridge, room: &GitterRoomId) -> Result<(BTreeSet<GitterUserId>, usize), BridgeError> {
    let (mut seen, mut news) = (BTreeSet::new(), 0);
    for page in 0..PAGES {
        let Some(people) = bridge.gitter.members(room, page * PEOPLE_PAGE).await? else {
            break;
        };
        news += note_all(bridge, room, &people, &BTreeSet::new()).await?;
        let present = people.iter().filter(|user| !user.is_gone());
        seen.extend(present.filter_map(crate::model::User::account_id));
        if people.len() < PEOPLE_PAGE {
            break;
        }
    }
    Ok((seen, news))
}
