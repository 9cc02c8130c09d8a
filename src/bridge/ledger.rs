//! The ledger for operators (DESIGN 6.3): which items wait or have failed, what became of any id, and taking
//! items back or out.
//!
//! It sends nothing: a retried item goes its usual way, at its old place.

mod view;

use serde::Deserialize;
use tracing::info;

pub use self::view::{ExplainedItem, Explanation, ItemPage, ItemView};
use super::{
    Bridge, BridgeError,
    deliver::{RECOVERY_WAIT, changed_event},
    now,
};
use crate::{
    ids::{GitterRoomId, ItemId},
    store::{
        Attempt, AttemptState, Direction, Portal, StoreError, Tx, attempt,
        inbox::ItemState,
        lane,
        ledger::{self, Entry, Listed, Place},
        message, portal,
    },
};

/// The most items of one answer.
const PAGE: usize = 100;

/// Which items to list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemQuery {
    /// `waiting` or `failed`; both if absent.
    pub state: Option<String>,
    /// Only those of this room, by either side's id.
    pub room: Option<String>,
    /// Only those behind this item, as `next` of an answer said.
    pub after: Option<String>,
}

/// Why the ledger does not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The request cannot be understood.
    #[error("{error}")]
    Invalid {
        /// What is wrong.
        error: String,
        /// What to do.
        mend: &'static str,
    },
    /// Nothing has this id.
    #[error("{error}")]
    NotFound {
        /// What is not there.
        error: String,
        /// What to do.
        mend: &'static str,
    },
    /// An item cannot be retried.
    #[error("the item cannot be retried: {error}")]
    NotRetried {
        /// Why.
        error: &'static str,
        /// What to do.
        mend: &'static str,
    },
    /// An item cannot be dropped.
    #[error("the item cannot be dropped: {error}")]
    NotDropped {
        /// Why.
        error: &'static str,
        /// What to do.
        mend: &'static str,
    },
    /// The database failed.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Bridge(error.into())
    }
}

/// What keeps an item from being retried: why, and what to do.
type Obstacle = (&'static str, &'static str);

const NO_PORTAL: Obstacle = (
    "its rooms are not linked with each other any more, or not as they were",
    "drop it: gitter-matrix-bridge item drop",
);

impl Bridge {
    /// Items that have not crossed, a page at a time.
    pub async fn items(&self, query: &ItemQuery) -> Result<ItemPage, LedgerError> {
        let lists: &[Listed] = match query.state.as_deref() {
            None => &[Listed::Open, Listed::Failed],
            Some("waiting") => &[Listed::Open],
            Some("failed") => &[Listed::Failed],
            Some(other) => {
                return Err(LedgerError::Invalid {
                    error: format!("{other:?} is no state that can be listed"),
                    mend: "ask for state=waiting or state=failed",
                });
            }
        };
        let after = query.after.as_deref().map(place_of).transpose()?;
        let mut tx = self.db.read().await?;
        let room = match &query.room {
            Some(room) => Some(gitter_room(&mut tx, room).await?),
            None => None,
        };
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX).saturating_add(1);
        let mut found = Vec::new();
        for which in lists {
            found.extend(ledger::list(&mut tx, *which, room.as_deref(), after.as_ref(), limit).await?);
        }
        found.sort_by(|one, other| key(one).cmp(&key(other)));
        Ok(ItemPage::new(&found, PAGE))
    }

    /// Lets a failed item be tried again, at its old place and with what was frozen for it; an item that waits is
    /// tried at once.
    pub async fn retry_item(&self, id: &str) -> Result<(), LedgerError> {
        let place = place_of(id)?;
        let mut tx = self.db.write().await?;
        // The lane before all else, as everywhere; whoever unlinks the rooms holds it too.
        lane::lock_lane(&mut tx, &place.lane).await?;
        let entry = known(&mut tx, &place, id).await?;
        if let Some((error, mend)) = obstacle(&mut tx, &entry).await? {
            return Err(LedgerError::NotRetried { error, mend });
        }
        let attempts = attempt::attempts_of(&mut tx, &place.lane, place.number).await?;
        let now = now();
        let not_before = lookable_at(&attempts).max(now);
        let retried = if entry.has_failed() {
            ledger::revive(&mut tx, &place, not_before, now).await?
        } else {
            ledger::hurry(&mut tx, &place, not_before).await?
        };
        debug_assert!(retried, "the lane is locked, so the item is as it was read");
        lane::touch_lane(&mut tx, &place.lane, not_before).await?;
        tx.commit().await?;
        info!(
            item.id = id,
            item.source = entry.source_id,
            "An operator retries an item"
        );
        self.wake.notify_one();
        Ok(())
    }

    /// Takes an item out that waits or has failed: it is not tried any more.
    pub async fn drop_item(&self, id: &str) -> Result<(), LedgerError> {
        let place = place_of(id)?;
        let now = now();
        let mut tx = self.db.write().await?;
        lane::lock_lane(&mut tx, &place.lane).await?;
        let entry = known(&mut tx, &place, id).await?;
        let attempts = attempt::attempts_of(&mut tx, &place.lane, place.number).await?;
        let refuse = |error, mend| Err(LedgerError::NotDropped { error, mend });
        match entry.state {
            ItemState::Held => {
                return refuse(
                    "it has no place yet, since its room is still being caught up",
                    "try again in a minute; it has another id then",
                );
            }
            ItemState::Settled if !entry.has_failed() => {
                return refuse("it has its outcome", "see what became of it with `explain`");
            }
            _ => {}
        }
        let is_under_way = attempts.iter().any(|attempt| attempt.state == AttemptState::Open);
        if is_under_way && ledger::is_worked(&mut tx, &place.lane, now).await? {
            return refuse("it is being sent in this moment", "try again in a minute");
        }
        ledger::drop_item(&mut tx, &place, &dropped_detail(&entry, &attempts), now).await?;
        lane::touch_lane(&mut tx, &place.lane, now).await?;
        tx.commit().await?;
        info!(
            item.id = id,
            item.source = entry.source_id,
            "An operator drops an item"
        );
        self.wake.notify_one();
        Ok(())
    }

    /// All that is known of an item, an event or a Gitter message.
    pub async fn explain(&self, id: &str) -> Result<Explanation, LedgerError> {
        let mut tx = self.db.read().await?;
        let pairs = ledger::pairs(&mut tx, id).await?;
        let mut found = match id.parse::<ItemId>().ok().as_ref().and_then(Place::of) {
            Some(place) => Vec::from_iter(ledger::entry(&mut tx, &place).await?),
            None if id.is_empty() => Vec::new(),
            None => {
                let mut found = ledger::of_source(&mut tx, id).await?;
                found.extend(ledger::of_result(&mut tx, id).await?);
                found
            }
        };
        // What an id of the other side was made from, where the attempts are no longer kept.
        for pair in &pairs {
            let (source, direction) = match pair.origin.as_str() {
                "gitter" => (&pair.gitter_message_id, Direction::ToMatrix),
                _ => (&pair.event_id, Direction::ToGitter),
            };
            if source != id {
                let made_from = ledger::of_source(&mut tx, source).await?;
                found.extend(made_from.into_iter().filter(|entry| {
                    entry.place.lane.direction == direction && entry.place.lane.room == pair.gitter_room_id
                }));
            }
        }
        found.sort_by(|one, other| (one.created_at, key(one)).cmp(&(other.created_at, key(other))));
        found.dedup_by(|one, other| one.place == other.place);
        if found.is_empty() && pairs.is_empty() {
            return Err(LedgerError::NotFound {
                error: format!("nothing is known of {id:?}"),
                mend: "give the id of an item, of a Matrix event or of a Gitter message; what was settled long ago \
                       is kept for bridge.ledger_days only",
            });
        }
        let mut explained = Vec::with_capacity(found.len());
        for entry in found {
            let attempts = attempt::attempts_of(&mut tx, &entry.place.lane, entry.place.number).await?;
            let pairs = ledger::pairs(&mut tx, &entry.source_id).await?;
            explained.push(view::explained(&entry, &attempts, &pairs));
        }
        Ok(Explanation::new(explained, pairs))
    }
}

/// What items are sorted by: their places.
fn key(entry: &Entry) -> (&str, &'static str, &'static str, i64) {
    let Place { lane, number } = &entry.place;
    (
        &lane.room,
        lane.direction.as_str(),
        lane.purpose.as_str(),
        *number,
    )
}

fn place_of(id: &str) -> Result<Place, LedgerError> {
    let place = id.parse::<ItemId>().ok().as_ref().and_then(Place::of);
    place.ok_or_else(|| LedgerError::Invalid {
        error: format!("{id:?} is no id of an item"),
        mend: "item ids are listed by `gitter-matrix-bridge item list`, and by `explain` for the id of an event or \
               of a Gitter message",
    })
}

async fn known(tx: &mut Tx, place: &Place, id: &str) -> Result<Entry, LedgerError> {
    let found = ledger::entry(tx, place).await?;
    found.ok_or_else(|| LedgerError::NotFound {
        error: format!("there is no item {id}"),
        mend: "list the items: gitter-matrix-bridge item list",
    })
}

/// The Gitter room of a room's id of either side, or of its URI. A Gitter room by its id need not be linked any more.
async fn gitter_room(tx: &mut Tx, room: &str) -> Result<String, LedgerError> {
    let linked = match room.parse::<GitterRoomId>() {
        Ok(room) => Some(room.into()),
        Err(_) => portal::portal_named(tx, room)
            .await?
            .map(|portal| portal.gitter_room_id.into()),
    };
    linked.ok_or_else(|| LedgerError::NotFound {
        error: format!("no linked room is called {room}"),
        mend: "list the linked rooms: gitter-matrix-bridge room list",
    })
}

/// What keeps an item from being retried.
async fn obstacle(tx: &mut Tx, entry: &Entry) -> Result<Option<Obstacle>, StoreError> {
    match entry.state {
        ItemState::Waiting => return Ok(None),
        ItemState::Held => return Ok(Some(("its room is still being caught up", "wait a minute"))),
        ItemState::Settled if !entry.has_failed() => {
            return Ok(Some((
                "it has not failed",
                "see what became of it with `gitter-matrix-bridge explain`",
            )));
        }
        ItemState::Settled => {}
    }
    let room = entry.place.lane.room.parse::<GitterRoomId>();
    let portal = match room {
        Ok(room) => portal::portal_by_gitter_room(tx, &room).await?,
        Err(_) => None,
    };
    let Some(portal) = portal.filter(|portal| portal.created_at <= entry.created_at) else {
        return Ok(Some(NO_PORTAL));
    };
    if entry.forgotten {
        return Ok(Some((
            "what it said was redacted, and is not kept",
            "there is nothing left to send; drop it: gitter-matrix-bridge item drop",
        )));
    }
    if is_overtaken(tx, entry, &portal).await? {
        return Ok(Some((
            "a later edit or deletion of the same message has crossed",
            "it would bring an older text back; drop it: gitter-matrix-bridge item drop",
        )));
    }
    Ok(None)
}

/// Whether something later about the same message has crossed: an older text must not replace a newer one.
async fn is_overtaken(tx: &mut Tx, entry: &Entry, portal: &Portal) -> Result<bool, StoreError> {
    let place = &entry.place;
    if ledger::has_later_bridged(tx, place, &entry.source_id).await? {
        return Ok(true);
    }
    if place.lane.direction == Direction::ToMatrix {
        return Ok(false);
    }
    let event = ledger::body(tx, place).await?.unwrap_or_default();
    let Some(changed) = changed_event(&serde_json::from_str(&event).unwrap_or_default()) else {
        return Ok(false);
    };
    for edit in message::by_changed(tx, &portal.matrix_room_id, changed.as_str()).await? {
        if ledger::has_later_bridged(tx, place, edit.event_id.as_str()).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// When it may be looked whether attempts arrived whose outcome is not known: what is under way has arrived by then.
fn lookable_at(attempts: &[Attempt]) -> i64 {
    let unknown = attempts
        .iter()
        .filter(|attempt| matches!(attempt.state, AttemptState::Open | AttemptState::Unknown));
    unknown
        .map(|attempt| attempt.opened_at + RECOVERY_WAIT)
        .max()
        .unwrap_or(0)
}

/// What an operator's drop leaves behind in the ledger.
fn dropped_detail(entry: &Entry, attempts: &[Attempt]) -> String {
    let before = if entry.has_failed() {
        format!("it had failed ({})", entry.reason)
    } else {
        "it was waiting".to_owned()
    };
    let why = if entry.detail.is_empty() {
        String::new()
    } else {
        format!(": {}", entry.detail)
    };
    let count = |states: &[AttemptState]| {
        let counted = attempts.iter().filter(|attempt| states.contains(&attempt.state));
        counted.count()
    };
    let done = match count(&[AttemptState::Done]) {
        0 => String::new(),
        done => format!("; {done} of its {} messages had arrived", attempts.len()),
    };
    let unknown = match count(&[AttemptState::Open, AttemptState::Unknown]) {
        0 => "",
        _ => "; one that was sent may have arrived all the same",
    };
    format!("{before}{why}{done}{unknown}")
}
