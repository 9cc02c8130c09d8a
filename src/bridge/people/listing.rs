//! Lists everybody who is in a Gitter room, and notes who is new there and who is gone.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use tracing::{debug, info};

use super::{LOOK, mirrors, note_all};
use crate::{
    bridge::{Bridge, BridgeError},
    gitter::PEOPLE_PAGE,
    ids::{GitterRoomId, GitterUserId},
    store::{Portal, PortalState, person, portal},
};

/// How often it is looked whether a room's people are to be mirrored.
const ASKED: Duration = Duration::from_secs(15);

/// How often a room's people are listed at most, since they may have changed unseen.
const AT_MOST: Duration = Duration::from_mins(10);

/// How often they are listed at least: not every join is told (gitter-api 7.3).
const AT_LEAST: Duration = Duration::from_hours(6);

/// The most pages of a list.
const PAGES: usize = 1_000;

/// When a room was last looked at.
struct Turn {
    asked: Instant,
    /// `None` where its people are not mirrored, or were not listed yet.
    listed: Option<Instant>,
}

/// Lists the rooms whose people are mirrored until the bridge stops. It waits for the request budget behind all else, so
/// nothing waits for it.
pub(super) async fn run(bridge: Arc<Bridge>) {
    let mut turns = HashMap::new();
    loop {
        let round = bridge.stop.run_until_cancelled(go_round(&bridge, &mut turns));
        match round.await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => debug!(error = %error, "Whose people are mirrored is not known now"),
        }
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn go_round(bridge: &Bridge, turns: &mut HashMap<GitterRoomId, Turn>) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let mut due: Vec<Portal> = Vec::new();
    for portal in portal::portals(&mut tx).await? {
        let room = &portal.gitter_room_id;
        let turn = turns.get(room);
        if portal.state != PortalState::Active || turn.is_some_and(|turn| !is_due(bridge, room, turn)) {
            continue;
        }
        let mirrored = mirrors(bridge, &mut tx, room).await?;
        let asked = Instant::now();
        let listed = mirrored.then_some(asked);
        turns.insert(room.clone(), Turn { asked, listed });
        if mirrored {
            due.push(portal);
        }
    }
    drop(tx);
    for portal in due {
        bridge.crowd.listed(&portal.gitter_room_id);
        if let Err(error) = list(bridge, &portal).await {
            debug!(error = %error, portal.uri = portal.gitter_uri, "The people of a Gitter room cannot be listed now");
            bridge.crowd.may_have_changed(&portal.gitter_room_id);
        }
    }
    Ok(())
}

fn is_due(bridge: &Bridge, room: &GitterRoomId, turn: &Turn) -> bool {
    match turn.listed {
        None => turn.asked.elapsed() >= ASKED,
        Some(listed) if bridge.crowd.is_unlisted(room) => listed.elapsed() >= AT_MOST,
        Some(listed) => listed.elapsed() >= AT_LEAST,
    }
}

/// Lists a room. Pages have no order that lasts, so whoever is missing in one list may only have changed places: who is gone
/// is missing in two.
async fn list(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
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
