//! Items in the form in which the admin API shows them. No texts of messages: ids, states and reasons.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::store::{
    Attempt, AttemptState, Direction,
    inbox::ItemState,
    ledger::{Entry, Pair},
};

/// Some items, and where the next ones begin.
#[derive(Debug, Clone, Serialize)]
pub struct ItemPage {
    items: Vec<ItemView>,
    next: Option<String>,
}

/// An item as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct ItemView {
    id: String,
    direction: Direction,
    room: Option<String>,
    source_id: String,
    state: ItemState,
    outcome: Option<String>,
    reason: Option<String>,
    detail: Option<String>,
    attempts: i64,
    next_attempt_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
}

/// All that is known of an id.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    items: Vec<ExplainedItem>,
    messages: Vec<PairView>,
}

/// An item with its attempts, and what it is on either side.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedItem {
    id: String,
    direction: Direction,
    room: Option<String>,
    source_id: String,
    operation: String,
    state: ItemState,
    outcome: Option<String>,
    reason: Option<String>,
    detail: Option<String>,
    attempts: Vec<AttemptView>,
    next_attempt_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    settled_at: Option<Timestamp>,
    matrix_event_ids: BTreeSet<String>,
    gitter_message_ids: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize)]
struct AttemptView {
    position: i64,
    action: Option<String>,
    state: AttemptState,
    tries: i64,
    opened_at: Option<Timestamp>,
    result_id: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct PairView {
    gitter_room_id: String,
    matrix_room_id: String,
    gitter_message_id: String,
    matrix_event_id: String,
    part: i64,
    kind: String,
    origin: String,
}

impl ItemPage {
    /// A page of at most so many items; where there are more, the rest begins behind its last.
    pub(super) fn new(entries: &[Entry], most: usize) -> Self {
        let shown = entries.get(..most).unwrap_or(entries);
        let next = shown.last().filter(|_| entries.len() > most);
        Self {
            items: shown.iter().map(item).collect(),
            next: next.map(|entry| entry.place.id().to_string()),
        }
    }

    /// The items of the page.
    pub fn items(&self) -> &[ItemView] {
        &self.items
    }

    /// Whether there are more behind it.
    pub const fn has_more(&self) -> bool {
        self.next.is_some()
    }
}

impl ItemView {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it goes.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// The event or Gitter message that it came from.
    pub fn source_id(&self) -> &str {
        &self.source_id
    }

    /// Why it is as it is, for people.
    pub fn why(&self) -> &str {
        why(self.detail.as_ref(), self.reason.as_ref())
    }
}

/// The detail, or else the reason.
fn why<'a>(detail: Option<&'a String>, reason: Option<&'a String>) -> &'a str {
    detail.or(reason).map(String::as_str).unwrap_or_default()
}

impl ExplainedItem {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it goes.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// Its Gitter room.
    pub fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// The event's type, or `create`, `update`, `patch`, `remove`.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// How far it is.
    pub const fn state(&self) -> ItemState {
        self.state
    }

    /// `bridged`, `skipped` or `failed`.
    pub fn outcome(&self) -> Option<&str> {
        self.outcome.as_deref()
    }

    /// Why it is as it is, for people.
    pub fn why(&self) -> &str {
        why(self.detail.as_ref(), self.reason.as_ref())
    }

    /// When it is tried next.
    pub const fn next_attempt_at(&self) -> Option<Timestamp> {
        self.next_attempt_at
    }

    /// What it is in Matrix.
    pub const fn matrix_event_ids(&self) -> &BTreeSet<String> {
        &self.matrix_event_ids
    }

    /// What it is on Gitter.
    pub const fn gitter_message_ids(&self) -> &BTreeSet<String> {
        &self.gitter_message_ids
    }
}

impl Explanation {
    pub(super) fn new(items: Vec<ExplainedItem>, pairs: Vec<Pair>) -> Self {
        Self {
            items,
            messages: pairs.into_iter().map(pair).collect(),
        }
    }

    /// The items that an id belongs to, oldest first.
    pub fn items(&self) -> &[ExplainedItem] {
        &self.items
    }
}

fn item(entry: &Entry) -> ItemView {
    ItemView {
        id: entry.place.id().to_string(),
        direction: entry.place.lane.direction,
        room: text(&entry.place.lane.room),
        source_id: entry.source_id.clone(),
        state: entry.state,
        outcome: text(&entry.outcome),
        reason: text(&entry.reason),
        detail: text(&entry.detail),
        attempts: entry.attempts,
        next_attempt_at: next_attempt(entry),
        created_at: time(entry.created_at),
    }
}

/// An item with all that is known of it; the lines of the map are those of what it came from.
pub(super) fn explained(entry: &Entry, attempts: &[Attempt], pairs: &[Pair]) -> ExplainedItem {
    let (mut events, mut messages) = (BTreeSet::new(), BTreeSet::new());
    let results = attempts.iter().map(|attempt| attempt.result_id.clone());
    let (own, others) = match entry.place.lane.direction {
        Direction::ToGitter => (&mut events, &mut messages),
        Direction::ToMatrix => (&mut messages, &mut events),
    };
    own.insert(entry.source_id.clone());
    others.extend(results);
    for pair in pairs {
        events.insert(pair.event_id.clone());
        messages.insert(pair.gitter_message_id.clone());
    }
    events.remove("");
    messages.remove("");
    ExplainedItem {
        id: entry.place.id().to_string(),
        direction: entry.place.lane.direction,
        room: text(&entry.place.lane.room),
        source_id: entry.source_id.clone(),
        operation: entry.operation.clone(),
        state: entry.state,
        outcome: text(&entry.outcome),
        reason: text(&entry.reason),
        detail: text(&entry.detail),
        attempts: attempts.iter().map(attempt).collect(),
        next_attempt_at: next_attempt(entry),
        created_at: time(entry.created_at),
        settled_at: time(entry.settled_at),
        matrix_event_ids: events,
        gitter_message_ids: messages,
    }
}

/// The name of the action alone: its text is nobody's business.
fn attempt(attempt: &Attempt) -> AttemptView {
    let action: Value = serde_json::from_str(&attempt.action).unwrap_or_default();
    AttemptView {
        position: attempt.position,
        action: action.get("action").and_then(Value::as_str).map(str::to_owned),
        state: attempt.state,
        tries: attempt.tries,
        opened_at: time(attempt.opened_at),
        result_id: text(&attempt.result_id),
        error: text(&attempt.error),
    }
}

fn pair(pair: Pair) -> PairView {
    PairView {
        gitter_room_id: pair.gitter_room_id,
        matrix_room_id: pair.matrix_room_id,
        gitter_message_id: pair.gitter_message_id,
        matrix_event_id: pair.event_id,
        part: pair.part,
        kind: pair.kind,
        origin: pair.origin,
    }
}

fn next_attempt(entry: &Entry) -> Option<Timestamp> {
    let waits = entry.state == ItemState::Waiting;
    time(entry.next_attempt_at).filter(|_| waits)
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn time(milliseconds: i64) -> Option<Timestamp> {
    let known = milliseconds > 0;
    known
        .then(|| Timestamp::from_millisecond(milliseconds).ok())
        .flatten()
}
