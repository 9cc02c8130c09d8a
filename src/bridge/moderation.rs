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

/// The least between two looks at a room because a post was refused there.
const BETWEEN_HINTS: Duration = Duration::from_secs(30);

/// How often it is seen to whose turn it is.
const LOOK: Duration = Duration::from_secs(5);

/// Rooms in which something hints at a ban.
#[derive(Debug, Default)]
pub(super) struct Looks {
    asked: Mutex<BTreeSet<GitterRoomId>>,
    /// Rooms in which a post was refused lately: since when, and whether that is to be looked into yet.
    hinted: Mutex<HashMap<GitterRoomId, (Instant, bool)>>,
    wake: Notify,
}

impl Looks {
    /// Has the bans of a room looked at soon.
    pub(super) fn ask(&self, room: &GitterRoomId) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(room.clone());
        self.wake.notify_one();
    }

    /// The same, because a post was refused there: whoever is banned can cause many of these.
    pub(super) fn hint(&self, room: &GitterRoomId) {
        let mut hinted = self.hinted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, waits)) = hinted.get_mut(room)
            && since.elapsed() < BETWEEN_HINTS
        {
            *waits = true;
            return;
        }
        hinted.insert(room.clone(), (Instant::now(), false));
        drop(hinted);
        self.ask(room);
    }

    fn take(&self) -> BTreeSet<GitterRoomId> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let mut hinted = self.hinted.lock().unwrap_or_else(PoisonError::into_inner);
        for (room, (since, waits)) in hinted.iter_mut() {
            if *waits && since.elapsed() >= BETWEEN_HINTS {
                (*since, *waits) = (Instant::now(), false);
                asked.insert(room.clone());
            }
        }
        hinted.retain(|_, (since, waits)| *waits || since.elapsed() < BETWEEN_HINTS);
        asked
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

/// Bans, each with what is kept of it, by who is banned.
type Bans = BTreeMap<String, String>;

/// What a list of bans says of somebody.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// They are banned, which was not known.
    Made(String),
    /// They are banned, as was known, and this is how.
    Told(String),
    /// They are not banned any more.
    Lifted(String),
    /// Nothing: this bridge banned them, or lifted their ban, while the list was on its way.
    Overtaken,
}

/// What a list says that was not known, given what was known before it was asked for, and what is now.
fn changes(before: &Bans, known: &Bans, listed: &Bans) -> Vec<(String, Change)> {
    let everybody: BTreeSet<&String> = before.keys().chain(known.keys()).chain(listed.keys()).collect();
    let change_of = |who: &String| {
        let now_known = known.get(who);
        if before.get(who) != now_known {
            return Some(Change::Overtaken);
        }
        match (now_known, listed.get(who)) {
            (None, Some(body)) => Some(Change::Made(body.clone())),
            (Some(body), None) => Some(Change::Lifted(body.clone())),
            (Some(old), Some(body)) if old != body => Some(Change::Told(body.clone())),
            _ => None,
        }
    };
    let changed = everybody
        .into_iter()
        .filter_map(|who| Some((who.clone(), change_of(who)?)));
    changed.collect()
}

/// Reads who is banned in a room, and queues what has changed since the last time.
async fn look(bridge: &Bridge, portal: &Portal) -> Result<(), BridgeError> {
    let room = &portal.gitter_room_id;
    let mut tx = bridge.db.read().await?;
    let before: Bans = ban::bans(&mut tx, room).await?.into_iter().collect();
    drop(tx);
    let listed = bridge.gitter.bans(room, Class::Read).await?;
    let listed: BTreeMap<String, Ban> = listed
        .into_iter()
        .filter_map(|ban| Some((ban.who()?.to_owned(), ban)))
        .collect();
    let mut tx = bridge.db.write().await?;
    catch_up::lock(&mut tx, iter::once(room)).await?;
    let current = portal::portal_by_gitter_room(&mut tx, room).await?;
    if current.is_none_or(|current| current.state != PortalState::Active) {
        return Ok(());
    }
    let known: Bans = ban::bans(&mut tx, room).await?.into_iter().collect();
    let kept: Bans = listed.iter().map(|(who, ban)| (who.clone(), kept(ban))).collect();
    let mut items = Vec::new();
    for (who, change) in changes(&before, &known, &kept) {
        match change {
            Change::Lifted(kept) => {
                ban::remove_ban(&mut tx, room, &who).await?;
                items.push(item(room, "unban", &who, now(), kept));
            }
            Change::Made(kept) => {
                ban::record_ban(&mut tx, room, &who, &kept).await?;
                let Some(ban) = listed.get(&who) else { continue };
                // Who was banned before the rooms were linked is no news.
                if made_at(bridge, ban) >= portal.created_at {
                    let since = ban.date_banned.map_or_else(now, Timestamp::as_millisecond);
                    let body = serde_json::to_string(ban).unwrap_or_default();
                    items.push(item(room, "ban", &who, since, body));
                }
            }
            Change::Told(kept) => ban::record_ban(&mut tx, room, &who, &kept).await?,
            Change::Overtaken => bridge.ban_looks.ask_later(room),
        }
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

/// An item about somebody. The time tells a repeat of the same news from another ban, or the end of another.
fn item(room: &GitterRoomId, operation: &str, who: &str, time: i64, body: String) -> NewItem {
    NewItem {
        lane: LaneKey::live(Some(room), Direction::ToMatrix),
        source_key: format!("{room} {operation} {who} {time}"),
        source_id: format!("member:{who}"),
        operation: operation.to_owned(),
        body,
        source_time: time,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refused_posts_have_a_room_looked_at_seldom() {
        let looks = Looks::default();
        let room: GitterRoomId = "5f0000000000000000000a01".parse().unwrap();
        looks.hint(&room);
        assert!(looks.take().contains(&room));
        for _ in 0..100 {
            looks.hint(&room);
            assert!(looks.take().is_empty());
        }
        // The last of them is not forgotten.
        tokio::time::advance(BETWEEN_HINTS).await;
        assert!(looks.take().contains(&room));
        tokio::time::advance(BETWEEN_HINTS).await;
        assert!(looks.take().is_empty());
    }

    fn bans<const N: usize>(bans: [(&str, &str); N]) -> Bans {
        bans.map(|(who, body)| (who.to_owned(), body.to_owned())).into()
    }

    #[test]
    fn what_changed_while_a_list_was_on_its_way_is_left_out() {
        let before = bans([
            ("lifted", "1"),
            ("lifted here", "2"),
            ("stays", "3"),
            ("ours", ""),
        ]);
        let known = bans([("lifted", "1"), ("made here", "4"), ("stays", "3"), ("ours", "")]);
        let listed = bans([("lifted here", "2"), ("made", "5"), ("stays", "3"), ("ours", "6")]);
        let expected = [
            ("lifted", Change::Lifted("1".to_owned())),
            ("lifted here", Change::Overtaken),
            ("made", Change::Made("5".to_owned())),
            ("made here", Change::Overtaken),
            ("ours", Change::Told("6".to_owned())),
        ];
        let expected = expected.map(|(who, change)| (who.to_owned(), change));
        assert_eq!(changes(&before, &known, &listed), expected);
    }
}
