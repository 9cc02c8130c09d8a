//! Accepts what either side says: everything becomes an item, committed before it is acknowledged.
//!
//! Nothing is refused for its content and nothing is looked at beyond what its place needs: one odd event
//! becomes one failed item, and the rest goes on.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::{
    Recovery, command,
    deliver::changed_event,
    kill_point::{self, KillPoint},
    now,
};
use crate::{
    ids::{GitterMessageId, GitterRoomId},
    matrix::{marker, redacted_by},
    model,
    outcome::{Outcome, Reason},
    store::{Db, Direction, LaneKey, NewItem, StoreError, Tx, held, inbox, lane, life, media, portal},
};

/// The most of an unreadable transaction that is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// Takes transactions from the homeserver.
#[derive(Debug, Clone)]
pub struct Acceptor {
    db: Db,
    recovery: Arc<Recovery>,
    wake: Arc<Notify>,
    asked: Arc<Notify>,
}

#[derive(Deserialize)]
struct Transaction {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
}

/// The little that an event's place needs.
#[derive(Deserialize)]
struct EventHead {
    event_id: String,
    #[serde(rename = "type")]
    event_type: String,
    room_id: OwnedRoomId,
    origin_server_ts: Option<Value>,
}

impl Acceptor {
    /// Takes transactions into this database; `wake` is notified when there is something to do, and `asked` when
    /// somebody asks the bot for something.
    pub const fn new(db: Db, recovery: Arc<Recovery>, wake: Arc<Notify>, asked: Arc<Notify>) -> Self {
        Self {
            db,
            recovery,
            wake,
            asked,
        }
    }

    /// Commits the events of a transaction. Event ids decide what is a repeat; the transaction's id does
    /// not, since homeservers may start counting anew.
    ///
    /// # Errors
    /// When the database fails: then nothing of it was taken, and the homeserver has to send it again.
    pub async fn transaction(&self, transaction_id: &str, body: &[u8]) -> Result<(), StoreError> {
        if kill_point::answers_first() {
            let (this, transaction_id, body) = (self.clone(), transaction_id.to_owned(), body.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                this.take(&transaction_id, &body).await
            });
            return Ok(());
        }
        let taken = self.take(transaction_id, body).await;
        if taken.is_err() {
            self.recovery.refused(now());
        }
        taken
    }

    async fn take(&self, transaction_id: &str, body: &[u8]) -> Result<(), StoreError> {
        let events = match serde_json::from_slice::<Transaction>(body) {
            Ok(transaction) => transaction.events,
            Err(error) => return self.unreadable(transaction_id, body, &error).await,
        };
        let heads: Vec<Result<EventHead, _>> = events
            .iter()
            .map(|event| serde_json::from_str(event.get()))
            .collect();
        let now = now();
        for (event, head) in events.iter().zip(&heads) {
            self.note_lateness(event, head.as_ref().ok(), now);
        }
        let mut tx = self.db.write().await?;
        let lanes = lanes_of(&mut tx, heads.iter().flatten()).await?;
        for (event, head) in events.iter().zip(&heads) {
            end_links(&mut tx, event, head.as_ref().ok()).await?;
        }
        let asked = note_commands(&mut tx, &events, &heads, &lanes.present, now).await?;
        let mut items: Vec<NewItem> = events
            .iter()
            .zip(heads)
            .map(|(event, head)| event_item(event, head, &lanes))
            .collect();
        let held = self.hold(&mut tx, lanes.all(), &mut items, now).await?;
        let added = inbox::enqueue(&mut tx, &items, now).await?;
        KillPoint::Taken.reached(Direction::ToGitter);
        tx.commit().await?;
        KillPoint::Accepted.reached(Direction::ToGitter);
        if held {
            self.recovery.held.notify_one();
        }
        debug!(
            transaction.id = transaction_id,
            events = events.len(),
            added,
            "Accepted a transaction"
        );
        if added > 0 {
            self.wake.notify_one();
        }
        if asked {
            self.asked.notify_one();
        }
        Ok(())
    }

    /// An event that comes late says that the homeserver is catching up. Not those of ghosts, which bear the time
    /// of the Gitter message.
    fn note_lateness(&self, event: &RawValue, head: Option<&EventHead>, now: i64) {
        let made_at = head
            .and_then(|head| head.origin_server_ts.as_ref())
            .and_then(Value::as_i64);
        if let Some(made_at) = made_at
            && !event.get().contains(marker::SOURCE_KEY)
        {
            self.recovery.pushed(now, made_at);
        }
    }

    /// Holds back the items of lanes that are to be looked at first: all while the homeserver may be catching
    /// up, and else those in which something is held already. Whether any is held.
    async fn hold(
        &self,
        tx: &mut Tx,
        lanes: impl Iterator<Item = &LaneKey>,
        items: &mut [NewItem],
        now: i64,
    ) -> Result<bool, StoreError> {
        let mut any = false;
        for lane in lanes {
            let holds = self.recovery.is_on(now) || !held::held_events(tx, lane).await?.is_empty();
            for item in items.iter_mut().filter(|item| holds && item.lane == *lane) {
                item.held = true;
                any = true;
            }
        }
        Ok(any)
    }

    /// A body that is no transaction at all: one failed item holds it.
    async fn unreadable(
        &self,
        transaction_id: &str,
        body: &[u8],
        error: &serde_json::Error,
    ) -> Result<(), StoreError> {
        warn!(transaction.id = transaction_id, error = %error, "A transaction cannot be read");
        let kept = body.get(..body.len().min(KEPT)).unwrap_or_default();
        let item = NewItem {
            operation: "transaction".to_owned(),
            source_id: transaction_id.to_owned(),
            body: Value::String(String::from_utf8_lossy(kept).into_owned()).to_string(),
            ..bad_item(&hash(body), format!("the transaction cannot be read: {error}"))
        };
        let mut tx = self.db.write().await?;
        inbox::enqueue(&mut tx, &[item], now()).await?;
        tx.commit().await
    }
}

/// The lanes that events go into, by their rooms.
#[derive(Debug, Default)]
struct Lanes {
    /// Of rooms that portals are in.
    present: HashMap<OwnedRoomId, LaneKey>,
    /// Of rooms that portals have left since they were upgraded: only what is deleted there still crosses.
    former: HashMap<OwnedRoomId, LaneKey>,
}

impl Lanes {
    /// The lane of an event, if it goes into one.
    fn of(&self, head: &EventHead) -> Option<&LaneKey> {
        let former = self.former.get(&head.room_id);
        let deletes = head.event_type == "m.room.redaction";
        let present = self.present.get(&head.room_id);
        present.or_else(|| former.filter(|_| deletes))
    }

    fn all(&self) -> impl Iterator<Item = &LaneKey> {
        self.present.values().chain(self.former.values())
    }
}

/// The lanes of the portals that events belong to, locked: a portal that is unlinked meanwhile is unlinked before
/// or after this transaction. Always in one order, so that no two transactions wait for each other.
async fn lanes_of(tx: &mut Tx, heads: impl Iterator<Item = &EventHead>) -> Result<Lanes, StoreError> {
    let rooms: BTreeSet<&RoomId> = heads.map(|head| &*head.room_id).collect();
    let (mut found, mut left) = (BTreeSet::new(), Vec::new());
    for room in rooms {
        if let Some(portal) = portal::portal_by_matrix_room(tx, room).await? {
            found.insert(portal.gitter_room_id);
        } else if let Some(portal) = life::portal_of_former(tx, room).await? {
            left.push((room, portal.clone()));
            found.insert(portal);
        }
    }
    let mut lanes = Lanes::default();
    for room in found {
        let key = LaneKey::live(Some(&room), Direction::ToGitter);
        lane::lock_lane(tx, &key).await?;
        let Some(portal) = portal::portal_by_gitter_room(tx, &room).await? else {
            continue;
        };
        let former = left.iter().filter(|(_, portal)| *portal == room);
        let former = former.map(|(former, _)| ((*former).to_owned(), key.clone()));
        lanes.former.extend(former);
        lanes.present.insert(portal.matrix_room_id, key);
    }
    Ok(lanes)
}

/// Links to what an event redacts end as soon as that is known, linked or not, and whatever Gitter makes of it: a
/// homeserver passes on only redactions that count (Matrix specification, "Redactions").
async fn end_links(tx: &mut Tx, event: &RawValue, head: Option<&EventHead>) -> Result<(), StoreError> {
    let Some(head) = head else {
        return Ok(());
    };
    let body = serde_json::from_str(event.get()).unwrap_or(Value::Null);
    for target in redacted_by(&head.event_type, &body) {
        media::revoke_by_event(tx, &head.room_id, target).await?;
    }
    Ok(())
}

/// Notes what people ask the bot for, beside the items of their events. Whether anybody does.
async fn note_commands(
    tx: &mut Tx,
    events: &[Box<RawValue>],
    heads: &[Result<EventHead, serde_json::Error>],
    lanes: &HashMap<OwnedRoomId, LaneKey>,
    now: i64,
) -> Result<bool, StoreError> {
    let mut any = false;
    for (place, (event, head)) in events.iter().zip(heads).enumerate() {
        if let Ok(head) = head {
            let is_linked = lanes.contains_key(&head.room_id);
            any |= command::note(tx, (place, event), &head.room_id, is_linked, now).await?;
        }
    }
    Ok(any)
}

/// The item of an event: in its portal's lane, or with its outcome where there is no portal.
fn event_item(event: &RawValue, head: Result<EventHead, serde_json::Error>, lanes: &Lanes) -> NewItem {
    let head = match head {
        Ok(head) => head,
        Err(error) => {
            let id = serde_json::from_str::<Value>(event.get())
                .ok()
                .and_then(|event| event.get("event_id")?.as_str().map(str::to_owned));
            return NewItem {
                source_id: id.unwrap_or_default(),
                body: event.get().to_owned(),
                ..bad_item(
                    &hash(event.get().as_bytes()),
                    format!("the event cannot be read: {error}"),
                )
            };
        }
    };
    let lane = lanes.of(&head);
    let target = target_of(event, &head);
    NewItem {
        lane: lane
            .cloned()
            .unwrap_or_else(|| LaneKey::live(None, Direction::ToGitter)),
        source_key: head.event_id.clone(),
        source_id: head.event_id,
        operation: head.event_type,
        body: event.get().to_owned(),
        source_time: head
            .origin_server_ts
            .as_ref()
            .and_then(Value::as_i64)
            .unwrap_or(0),
        target,
        held: false,
        outcome: lane.is_none().then(|| unknown_room(&head.room_id)),
    }
}

/// The event that an event edits or redacts; empty for others.
fn target_of(event: &RawValue, head: &EventHead) -> String {
    let body = serde_json::from_str(event.get()).unwrap_or(Value::Null);
    let redacted = redacted_by(&head.event_type, &body).next().map(str::to_owned);
    let edited = || changed_event(&body).map(|event| event.to_string());
    redacted.or_else(edited).unwrap_or_default()
}

/// The item of an event that the homeserver left out, held back. Its room is known from where it was read.
pub(super) fn missed_event(event: &RawValue, room: &RoomId, lane: &LaneKey) -> NewItem {
    let lanes = Lanes {
        present: HashMap::from([(room.to_owned(), lane.clone())]),
        former: HashMap::new(),
    };
    NewItem {
        held: true,
        ..event_item(event, serde_json::from_str(event.get()), &lanes)
    }
}

fn unknown_room(room: &RoomId) -> Outcome {
    Outcome::Skipped(Reason::NotFound, format!("the room {room} is not linked"))
}

fn bad_item(key: &str, why: String) -> NewItem {
    NewItem {
        lane: LaneKey::live(None, Direction::ToGitter),
        source_key: format!("bad:{key}"),
        source_id: String::new(),
        operation: "event".to_owned(),
        body: String::new(),
        source_time: 0,
        target: String::new(),
        held: false,
        outcome: Some(Outcome::Failed(Reason::BadEvent, why)),
    }
}

fn hash(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// The item of what happened to a Gitter message (DESIGN 3, "Accept", says what its key is made of).
pub(super) fn gitter_item(room: &GitterRoomId, operation: &str, model: &RawValue, held: bool) -> NewItem {
    let lane = LaneKey::live(Some(room), Direction::ToMatrix);
    let message: model::Message = match serde_json::from_str(model.get()) {
        Ok(message) => message,
        Err(error) => {
            return NewItem {
                lane,
                body: model.get().to_owned(),
                operation: operation.to_owned(),
                ..bad_item(
                    &hash(model.get().as_bytes()),
                    format!("the Gitter message cannot be read: {error}"),
                )
            };
        }
    };
    let milliseconds = |time: Timestamp| time.as_millisecond();
    let edited_at = message.edited_at.map_or(0, milliseconds);
    let tombstone = operation != "remove" && message.is_tombstone();
    let (id, v) = (&message.id, message.v.unwrap_or(0));
    NewItem {
        lane,
        source_key: format!("{room} {id} {operation} {v} {edited_at} {tombstone}"),
        source_id: id.to_string(),
        operation: operation.to_owned(),
        body: model.get().to_owned(),
        source_time: message.sent.or_else(|| message.id.time()).map_or(0, milliseconds),
        target: String::new(),
        held,
        // Counts of readers: frequent, and nothing that people see.
        outcome: (operation == "patch").then(|| Outcome::Skipped(Reason::NotAnEdit, String::new())),
    }
}

/// Whether a message is newer than what its portal starts with.
pub(super) fn is_newer(id: &GitterMessageId, since: Option<&GitterMessageId>) -> bool {
    since.is_none_or(|since| id > since)
}
