//! Delivers an item: freezes what translation decided, sends it, and records what became of it.
//!
//! The only place that writes messages to either side, and the only one that decides between retrying and
//! rejecting (by the table in `failure`). Every request is preceded by a committed attempt, and everything
//! an answer changes is committed together (DESIGN 3.1).

mod gitter_changes;
mod media;
mod to_gitter;
mod to_matrix;

use std::collections::BTreeSet;

use ruma::OwnedEventId;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::{info, warn};

pub(super) use self::to_gitter::settle_echo;
use super::{Bridge, BridgeError, failure::Decision, now, portal, worker::Step};
use crate::{
    ids::{GitterMessageId, MediaId},
    model,
    outcome::{Outcome, Reason},
    store::{
        self, Attempt, AttemptState, Direction, Item, Lane, MappedMessage, NewAttempt, Portal, PortalState,
        StoreError, Tx, attempt, deleted, inbox, lane, message, portal as portals,
    },
};

/// How long an item waits for the other lane's attempt before it looks again, in milliseconds.
const OTHER_LANE: i64 = 250;

/// What an attempt became on the other side.
#[derive(Debug, Default)]
struct Arrival {
    /// The id there.
    result_id: String,
    /// The line of the map.
    pair: Option<MappedMessage>,
    /// The events and messages whose texts are to be forgotten, since they are deleted.
    forgotten: Vec<String>,
}

/// One item, at the head of a lane that this process holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery<'a> {
    pub(super) bridge: &'a Bridge,
    pub(super) lane: &'a Lane,
    pub(super) portal: &'a Portal,
    pub(super) item: &'a Item,
}

impl Delivery<'_> {
    /// Translates an item that has not been attempted, and freezes the actions.
    pub(super) async fn begin(self) -> Result<Step, BridgeError> {
        match self.lane.key.direction {
            Direction::ToGitter => self.begin_to_gitter(false).await,
            Direction::ToMatrix => self.begin_to_matrix().await,
        }
    }

    /// Goes on with an item whose actions are frozen.
    pub(super) async fn go_on(self, attempts: &[Attempt]) -> Result<Step, BridgeError> {
        let unsettled = attempts
            .iter()
            .enumerate()
            .find(|(_, attempt)| attempt.state != AttemptState::Done);
        let Some((position, attempt)) = unsettled else {
            return self.settle(&Outcome::Bridged).await;
        };
        let last = position + 1 == attempts.len();
        let step = match (self.lane.key.direction, attempt.state) {
            (Direction::ToGitter, _) => self.go_on_to_gitter(attempt, last).await,
            (Direction::ToMatrix, AttemptState::Planned) => self.send_to_matrix(attempt, last).await,
            (Direction::ToMatrix, _) => self.repeat_to_matrix(attempt, last).await,
        };
        match step {
            // Nothing but a person can mend what is stored.
            Err(error @ BridgeError::StoredAction { .. }) => {
                self.settle(&Outcome::Failed(Reason::BadEvent, error.to_string()))
                    .await
            }
            step => step,
        }
    }

    /// Writes the actions down, all at once, in place of what is planned. The worker then finds them.
    async fn freeze<A: Serialize>(
        self,
        actions: &[A],
        author: impl Fn(&A) -> String,
    ) -> Result<Step, BridgeError> {
        let tx = self.bridge.db.write().await?;
        self.freeze_in(tx, actions, author).await
    }

    /// [`Self::freeze`], together with what was written before in the same transaction.
    async fn freeze_in<A: Serialize>(
        self,
        mut tx: Tx,
        actions: &[A],
        author: impl Fn(&A) -> String,
    ) -> Result<Step, BridgeError> {
        let attempts = actions
            .iter()
            .map(|action| {
                let json = serde_json::to_string(action).map_err(|source| self.unreadable(source))?;
                Ok(NewAttempt {
                    action: json,
                    author: author(action),
                })
            })
            .collect::<Result<Vec<_>, BridgeError>>()?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        attempt::thaw(&mut tx, self.item).await?;
        attempt::freeze(&mut tx, self.item, &attempts).await?;
        self.note_removal(&mut tx).await?;
        tx.commit().await?;
        Ok(Step::Next)
    }

    /// Commits that an attempt's request is about to leave; `false` if it may not: the lane is no longer ours,
    /// the attempt is done, or the item has its outcome.
    async fn open(self, attempt: &Attempt) -> Result<bool, BridgeError> {
        let now = now();
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await?
            || !attempt::open_attempt(&mut tx, attempt, now).await?
        {
            return Ok(false);
        }
        if !inbox::count_try(&mut tx, self.item, now).await? {
            return Ok(false);
        }
        tx.commit().await?;
        // The claim is checked once more, just before the request, by a clock that counts suspension.
        Ok(self.bridge.lease.holds())
    }

    /// Records that an attempt arrived: its result, the map, what is to be forgotten and, for the last one,
    /// the item's outcome.
    async fn arrived(self, attempt: &Attempt, last: bool, arrival: &Arrival) -> Result<Step, BridgeError> {
        let now = now();
        let mut tx = self.bridge.db.write().await?;
        // No check of the claim: what has happened is recorded whoever holds the lane by now.
        attempt::settle_attempt(&mut tx, attempt, &arrival.result_id, now).await?;
        if let Some(pair) = &arrival.pair {
            message::insert_message(&mut tx, self.portal, pair).await?;
        }
        if last {
            inbox::settle_item(&mut tx, self.item, &Outcome::Bridged, now).await?;
            inbox::note(&mut tx, self.item, &media::note_of(attempt)).await?;
        }
        let mut forgotten: BTreeSet<String> = arrival.forgotten.iter().cloned().collect();
        if last {
            forgotten.extend(self.targets());
        }
        let ended = self.forget(&mut tx, &forgotten).await?;
        portals::touch_portal(&mut tx, &self.lane.key.room, now).await?;
        tx.commit().await?;
        self.bridge.cache.remove(&ended).await;
        self.bridge.sides.succeeded(self.lane.key.direction);
        Ok(Step::Next)
    }

    async fn skip(self, reason: Reason, detail: String) -> Result<Step, BridgeError> {
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        if self.lane.key.direction == Direction::ToGitter {
            portal::note_member(&mut tx, self.portal, self.item).await?;
        }
        // An event that cannot be read has failed: somebody should look at it.
        let outcome = if reason == Reason::BadEvent {
            Outcome::Failed(reason, detail)
        } else {
            Outcome::Skipped(reason, detail)
        };
        inbox::settle_item(&mut tx, self.item, &outcome, now()).await?;
        self.note_removal(&mut tx).await?;
        let mut ended = Vec::new();
        if reason != Reason::NotAllowed {
            ended = self.forget(&mut tx, &self.targets()).await?;
        }
        tx.commit().await?;
        self.bridge.cache.remove(&ended).await;
        Ok(Step::Next)
    }

    /// Skips a change of something that is not on the other side: for the reason why that did not cross,
    /// where it is known.
    async fn skip_change(
        self,
        targets: &[String],
        reason: Reason,
        detail: String,
    ) -> Result<Step, BridgeError> {
        let mut tx = self.bridge.db.read().await?;
        for target in targets {
            if let Some(known) = inbox::why_not(&mut tx, self.lane.key.direction, target).await? {
                drop(tx);
                return self
                    .skip(known, "what it changes did not cross, for this reason".to_owned())
                    .await;
            }
        }
        drop(tx);
        self.skip(reason, detail).await
    }

    /// The Gitter message that the item says is deleted.
    fn removed(self) -> Option<GitterMessageId> {
        let message: model::Message = serde_json::from_str(&self.item.body).ok()?;
        let is_removal = self.item.operation == "remove" || message.is_tombstone();
        (self.lane.key.direction == Direction::ToMatrix && is_removal).then_some(message.id)
    }

    /// Notes that a Gitter message is gone: nothing of it that comes later crosses.
    async fn note_removal(self, tx: &mut Tx) -> Result<(), StoreError> {
        if let Some(id) = self.removed() {
            deleted::record_deleted(tx, &self.portal.gitter_room_id, &id, false, now()).await?;
        }
        Ok(())
    }

    /// The events and Gitter messages that the item deletes. What came of them in this lane is settled by now.
    fn targets(self) -> BTreeSet<String> {
        let mut ids: BTreeSet<String> = self.removed().iter().map(ToString::to_string).collect();
        if self.item.operation == "m.room.redaction" {
            let event: Value = serde_json::from_str(&self.item.body).unwrap_or(Value::Null);
            let targets = [event.pointer("/redacts"), event.pointer("/content/redacts")];
            let targets = targets.into_iter().flatten().filter_map(Value::as_str);
            ids.extend(targets.map(str::to_owned));
        }
        ids
    }

    /// Forgets what events and Gitter messages said; links to their files end for good. In one order everywhere, so that
    /// no two lanes wait for each other. Gives the links, whose copies are to go after the commit.
    async fn forget(self, tx: &mut Tx, ids: &BTreeSet<String>) -> Result<Vec<MediaId>, StoreError> {
        let mut ended = Vec::new();
        for id in ids {
            ended.extend(store::media::revoke_by_event(tx, &self.portal.matrix_room_id, id).await?);
            deleted::forget(tx, id).await?;
        }
        Ok(ended)
    }

    async fn settle(self, outcome: &Outcome) -> Result<Step, BridgeError> {
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        inbox::settle_item(&mut tx, self.item, outcome, now()).await?;
        tx.commit().await?;
        Ok(Step::Next)
    }

    async fn wait_for_other_lane(self) -> Result<Step, BridgeError> {
        self.postpone(
            now() + OTHER_LANE,
            "waits for what the other direction is sending",
        )
        .await
    }

    async fn postpone(self, until: i64, why: &str) -> Result<Step, BridgeError> {
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        inbox::postpone(&mut tx, self.item, until, why).await?;
        tx.commit().await?;
        Ok(Step::Wait { until })
    }

    /// Acts on a failed request: the one place where retry and reject part.
    async fn failed(
        self,
        attempt: &Attempt,
        state: AttemptState,
        decision: Decision,
        why: &str,
    ) -> Result<Step, BridgeError> {
        let now = now();
        let decision = self.unless_given_up(decision, now);
        // Nothing waits any more for an attempt whose item has failed.
        let state = if matches!(decision, Decision::Reject(_) | Decision::Skip(_)) {
            AttemptState::Planned
        } else {
            state
        };
        let mut tx = self.bridge.db.write().await?;
        // Whoever holds the lane by now may be sending this very attempt.
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        attempt::set_attempt_state(&mut tx, attempt, state, why).await?;
        let step = match decision {
            Decision::Retry { after } => {
                self.tell(why, "An item is tried again");
                let until = now + after;
                inbox::postpone(&mut tx, self.item, until, why).await?;
                Step::Wait { until }
            }
            Decision::PauseSide { until } => Step::Wait {
                until: self.bridge.sides.pause(self.lane.key.direction, until, why, now),
            },
            Decision::BreakPortal => {
                self.tell(
                    why,
                    "A portal stops: one of its rooms refuses the bridge; mend it and restart the bridge",
                );
                for from in [PortalState::Active, PortalState::CatchingUp] {
                    let room = &self.portal.gitter_room_id;
                    portals::set_portal_state(&mut tx, room, from, PortalState::Broken).await?;
                }
                Step::Wait { until: now }
            }
            Decision::Skip(reason) => {
                let outcome = Outcome::Skipped(reason, why.to_owned());
                inbox::settle_item(&mut tx, self.item, &outcome, now).await?;
                Step::Next
            }
            Decision::Reject(reason) => {
                self.tell(why, "An item has failed");
                let outcome = Outcome::Failed(reason, why.to_owned());
                inbox::settle_item(&mut tx, self.item, &outcome, now).await?;
                Step::Next
            }
        };
        tx.commit().await?;
        if decision == Decision::BreakPortal {
            self.bridge.portals_changed();
        }
        Ok(step)
    }

    fn tell(self, why: &str, what: &str) {
        warn!(
            portal.room = self.lane.key.room,
            portal.uri = self.portal.gitter_uri,
            item.source = self.item.source_id,
            lane.direction = self.lane.key.direction.as_str(),
            why,
            "{what}"
        );
    }

    /// A retry, as long as the item has not been retried for `bridge.give_up_after`.
    fn unless_given_up(self, decision: Decision, now: i64) -> Decision {
        let begun = self.item.first_attempt_at;
        match decision {
            Decision::Retry { .. } if begun > 0 && now - begun > self.bridge.settings.give_up_after => {
                Decision::Reject(Reason::GaveUp)
            }
            decision => decision,
        }
    }

    /// Reads a frozen action.
    fn action<A: DeserializeOwned>(self, attempt: &Attempt) -> Result<A, BridgeError> {
        serde_json::from_str(&attempt.action).map_err(|source| self.unreadable(source))
    }

    /// The root of the Matrix thread that a content puts its event into.
    fn thread_root(content: Option<&Value>) -> Option<OwnedEventId> {
        let relation = content?.get("m.relates_to")?;
        let is_thread = relation.get("rel_type").and_then(Value::as_str) == Some("m.thread");
        is_thread.then(|| relation.get("event_id")?.as_str()?.try_into().ok())?
    }

    fn unreadable(self, source: serde_json::Error) -> BridgeError {
        BridgeError::StoredAction {
            item: format!(
                "{} {} {}",
                self.lane.key.room,
                self.lane.key.direction.as_str(),
                self.item.number
            ),
            source,
        }
    }

    /// Notes, once, that an item was found on the other side instead of being sent again.
    fn found_again(self, result_id: &str) {
        info!(
            portal.room = self.lane.key.room,
            item.source = self.item.source_id,
            result.id = result_id,
            "A message whose sending was interrupted had arrived; it is not sent again"
        );
    }
}
