//! Who is banned on Gitter (DESIGN 4, "bans"): looked at now and then, since Gitter does not tell of every ban, and as
//! soon as something hints at one. What has changed becomes items of the lane to Matrix; nothing is done here.

mod flood;
mod policy;
mod tell;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::{sync::Notify, time::Instant};
use tracing::{debug, info};

pub(super) use self::{flood::Floods, policy::Policies, tell::tell};
use super::{Bridge, BridgeError, catch_up, now};
use crate::{
    gitter::Class,
    ids::GitterRoomId,
    model::Ban,
    store::{
        Direction, LaneKey, NewItem, Portal, PortalState, ban, inbox,
        portal::{self, set_gitter_admin},
    },
};

/// How often the bans of a room are looked at, if nothing hints at one.
const BETWEEN: Duration = Duration::from_mins(5);

/// The least between two looks at whatever rooms, in the long run: where there are many, each has its turn less often.
const SHARE: Duration = Duration::from_secs(10);

/// How often it is seen to whose turn it is.
const LOOK: Duration = Duration::from_secs(5);

/// Rooms in which something hints at a ban.
#[derive(Debug, Default)]
pub(super) struct Looks {
    asked: Mutex<BTreeSet<GitterRoomId>>,
    wake: Notify,
}

impl Looks {
    /// Has the bans of a room looked at soon.
    pub(super) fn ask(&self, room: &GitterRoomId) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(room.clone());
        self.wake.notify_one();
    }

    fn take(&self) -> BTreeSet<GitterRoomId> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Looks until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    let mut looked_at = HashMap::new();
    loop {
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = bridge.ban_looks.wake.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        match bridge
            .stop
            .run_until_cancelled(go_round(&bridge, &mut looked_at))
            .await
        {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => debug!(error = %error, "Who is banned on Gitter cannot be read now"),
        }
    }
}

/// Looks at the rooms whose turn it is. A room that was just linked, or a bridge that was just started, waits a whole
/// turn: nothing hints at a ban there.
async fn go_round(
    bridge: &Bridge,
    looked_at: &mut HashMap<GitterRoomId, Instant>,
) -> Result<(), BridgeError> {
    let asked = bridge.ban_looks.take();
    let mut tx = bridge.db.read().await?;
    let mut portals = portal::portals(&mut tx).await?;
    drop(tx);
    // Of several processes, the one that follows a room looks.
    portals.retain(|portal| bridge.follows(&portal.gitter_room_id));
    let between = BETWEEN.max(SHARE * u32::try_from(portals.len()).unwrap_or(u32::MAX));
    for portal in portals {
        let room = &portal.gitter_room_id;
        let last = *looked_at.entry(room.clone()).or_insert_with(Instant::now);
        let is_asked = asked.contains(room);
        if !is_asked && last.elapsed() < between {
            continue;
        }
        if portal.state != PortalState::Active {
            if is_asked {
                bridge.ban_looks.ask_later(room);
            }
            continue;
        }
        looked_at.insert(room.clone(), Instant::now());
        look(bridge, &portal).await?;
    }
    Ok(())
}

impl Looks {
    /// Keeps a wish until the next round.
    fn ask_later(&self, room: &GitterRoomId) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(room.clone());
    }
}

/// Reads who is banned in a room, and queues what has changed since the last time.
async fn look(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
    let room = &portal.gitter_room_id;
    let listed = bridge.gitter.bans(room, Class::Read).await?;
    let mut tx = bridge.db.write().await?;
    catch_up::lock(&mut tx, iter::once(room)).await?;
    let current = portal::portal_by_gitter_room(&mut tx, room).await?;
    if current.is_none_or(|current| current.state != PortalState::Active) {
        return Ok(());
    }
    let mut known: BTreeMap<String, String> = ban::bans(&mut tx, room).await?.into_iter().collect();
    let mut items = Vec::new();
    for listed in listed {
        let Some(who) = listed.who().map(str::to_owned) else {
            continue;
        };
        if known.remove(&who).is_some() {
            continue;
        }
        let body = serde_json::to_string(&listed).unwrap_or_default();
        ban::record_ban(&mut tx, room, &who, &kept(&listed)).await?;
        // Who was banned before the rooms were linked is no news.
        if made_at(bridge, &listed) >= portal.created_at {
            items.push(item(room, "ban", &who, body));
        }
    }
    for (who, body) in known {
        ban::remove_ban(&mut tx, room, &who).await?;
        items.push(item(room, "unban", &who, body));
    }
    let added = inbox::enqueue(&mut tx, &items, now()).await?;
    tx.commit().await?;
    if added > 0 {
        info!(
            portal.uri = portal.gitter_uri,
            changes = added,
            "Somebody was banned on Gitter, or is no more"
        );
        bridge.wake.notify_one();
    }
    Ok(())
}

/// What is kept of a ban until it is lifted: who, by what lasts, and since when. No names.
fn kept(ban: &Ban) -> String {
    let since = ban.date_banned;
    match (&ban.virtual_user, &ban.user) {
        (Some(user), _) => json!({
            "virtualUser": { "type": user.kind, "externalId": user.external_id },
            "dateBanned": since,
        }),
        (None, user) => json!({
            "user": user.as_ref().map(|user| json!({ "id": user.id })),
            "dateBanned": since,
        }),
    }
    .to_string()
}

/// When a ban was made, by our clock; of one that does not say, now.
fn made_at(bridge: &Bridge, ban: &Ban) -> i64 {
    let offset: SignedDuration = bridge.gitter.clock_offset().unwrap_or_default();
    let made = ban.date_banned.and_then(|date| date.checked_sub(offset).ok());
    // The clocks are known to a second, and Gitter may have the ban a moment before the portal was stored.
    made.map_or_else(now, |made| Timestamp::as_millisecond(made) + 1_000)
}

fn item(room: &GitterRoomId, operation: &str, who: &str, body: String) -> NewItem {
    let ban: Option<Ban> = serde_json::from_str(&body).ok();
    let since = ban
        .and_then(|ban| ban.date_banned)
        .map_or(0, Timestamp::as_millisecond);
    NewItem {
        lane: LaneKey::live(Some(room), Direction::ToMatrix),
        source_key: format!("{room} {operation} {who} {since}"),
        source_id: format!("member:{who}"),
        operation: operation.to_owned(),
        body,
        source_time: since,
        target: String::new(),
        held: false,
        outcome: None,
    }
}

impl Bridge {
    /// Whether `moderation` may be switched on for a portal: the account has to be an admin of its Gitter room now. That an
    /// admin of the Gitter room wants it, the caller has to know.
    pub(super) async fn may_moderate(&self, portal: &Portal) -> Result<bool, BridgeError> {
        let room = self.gitter.room(&portal.gitter_room_id).await?;
        let is_admin = room.permissions.admin;
        if is_admin != portal.gitter_admin {
            let mut tx = self.db.write().await?;
            set_gitter_admin(&mut tx, &portal.gitter_room_id, is_admin).await?;
            tx.commit().await?;
        }
        Ok(is_admin)
    }
}
