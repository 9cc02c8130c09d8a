//! Goes back into the rooms that the bot was removed from and is invited to again.
//!
//! The invitation waits in the portal's lane like any other event, so it is not lost. A join may hang, as where a far
//! server is down, and may be refused: every room has a task and a wait of its own.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{
    StopCause, gitter_room, lock,
    matrix_room::{get_in, look},
};
use crate::{
    bridge::{Bridge, BridgeError, failure},
    ids::GitterRoomId,
    store::{Portal, StoreError, Tx, life, portal},
};

/// The longest wait between two tries, in milliseconds.
const LONGEST_WAIT: i64 = 600_000;

/// What this process does about an invitation.
#[derive(Debug)]
pub(super) struct Invitation {
    /// The place of its event in the lane: another is tried at once.
    number: i64,
    /// How often it was tried in vain.
    failures: u32,
    /// When it is tried next; `None` while it is.
    next: Option<Instant>,
}

/// Tries the invitations whose turn it is, and waits for none of them.
pub(super) async fn take_up(bridge: &Arc<Bridge>) -> Result<(), StoreError> {
    let bot = bridge.matrix.bot().as_str();
    let mut tx = bridge.db.read().await?;
    let mut invited = Vec::new();
    for room in life::stopped_by(&mut tx, StopCause::Kicked).await? {
        if let Some(number) = invitation(&mut tx, &room, bot).await?
            && let Some(portal) = portal::portal_by_gitter_room(&mut tx, &room).await?
        {
            invited.push((portal, number));
        }
    }
    drop(tx);
    let now = Instant::now();
    let mut invitations = lock(&bridge.life.invitations);
    invitations.retain(|room, _| invited.iter().any(|(portal, _)| portal.gitter_room_id == *room));
    for (portal, number) in invited {
        let new = || Invitation {
            number,
            failures: 0,
            next: Some(now),
        };
        let known = invitations
            .entry(portal.gitter_room_id.clone())
            .or_insert_with(new);
        if known.next.is_some() && known.number != number {
            *known = new();
        }
        if known.next.is_some_and(|next| next <= now) {
            known.next = None;
            bridge.tracker.spawn(try_one(Arc::clone(bridge), portal));
        }
    }
    Ok(())
}

/// The place of the bot's newest invitation to a portal's room, if the bot was not removed since.
async fn invitation(tx: &mut Tx, room: &GitterRoomId, bot: &str) -> Result<Option<i64>, StoreError> {
    let waiting = life::waiting_memberships(tx, room, bot).await?;
    let newest = waiting.into_iter().find_map(|(number, body)| {
        let event: Value = serde_json::from_str(&body).ok()?;
        let is_of_bot = event.get("state_key").is_some_and(|key| key == bot);
        is_of_bot.then_some((number, event))
    });
    Ok(newest.and_then(|(number, event)| {
        let membership = event.pointer("/content/membership")?.as_str()?;
        matches!(membership, "invite" | "join").then_some(number)
    }))
}

async fn try_one(bridge: Arc<Bridge>, portal: Portal) {
    match bridge
        .stop
        .run_until_cancelled(Box::pin(enter(&bridge, &portal)))
        .await
    {
        None => return,
        Some(Ok(())) => {}
        Some(Err(error)) => {
            warn!(portal.uri = portal.gitter_uri, error = %error, "The bot is invited and cannot join now; waiting");
        }
    }
    let mut invitations = lock(&bridge.life.invitations);
    if let Some(known) = invitations.get_mut(&portal.gitter_room_id) {
        known.failures += 1;
        let wait = u64::try_from(failure::back_off(known.failures, LONGEST_WAIT)).unwrap_or(0);
        known.next = Some(Instant::now() + Duration::from_millis(wait));
    }
}

async fn enter(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
    let obstacle = get_in(bridge, portal).await?;
    if obstacle
        .as_ref()
        .is_some_and(|stop| stop.cause == StopCause::Kicked)
    {
        debug!(
            portal.uri = portal.gitter_uri,
            "The bot is invited and may not join yet"
        );
        return Ok(());
    }
    // It may have turned private since the last look.
    if !gitter_room::ask(bridge, &portal.gitter_room_id).await? {
        return Ok(());
    }
    if obstacle.is_some() {
        look(bridge, portal).await?;
    } else if bridge.go_on(portal).await? {
        info!(
            portal.uri = portal.gitter_uri,
            "The bot is in a Matrix room again"
        );
    }
    Ok(())
}
