//! How an item ends, or why it does not yet: skipped, failed, put off; and what is forgotten with it.
//!
//! The one place where retry and reject part. It sends nothing.

use std::collections::BTreeSet;

use serde_json::Value;
use tracing::warn;

use super::Delivery;
use crate::{
    bridge::{
        BridgeError,
        failure::{self, Decision},
        now, portal, silent_ban,
        worker::Step,
    },
    ids::{GitterMessageId, MediaId},
    matrix::redacted_by,
    model,
    outcome::{Outcome, Reason},
    store::{
        self, Attempt, AttemptState, Direction, PortalState, StoreError, Tx, attempt, deleted, inbox, lane,
        message, portal as portals,
    },
    translate::GitterAction,
};

/// How long an item waits for the other lane's attempt before it looks again, in milliseconds.
const OTHER_LANE: i64 = 250;

impl Delivery<'_> {
    /// Gives an item its outcome: nothing is to be sent for it.
    pub(super) async fn skip(self, reason: Reason, detail: String) -> Result<Step, BridgeError> {
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
        let ended = self.end(&mut tx, &outcome, now()).await?;
        tx.commit().await?;
        self.bridge.cache.remove(&ended).await;
        Ok(Step::Next)
    }

    /// Skips a change of something that is not on the other side: for the reason why that did not cross,
    /// where it is known.
    pub(super) async fn skip_change(
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

    /// Gives an item its outcome.
    pub(super) async fn settle(self, outcome: &Outcome) -> Result<Step, BridgeError> {
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        let ended = self.end(&mut tx, outcome, now()).await?;
        tx.commit().await?;
        self.bridge.cache.remove(&ended).await;
        Ok(Step::Next)
    }

    /// The item's outcome, and all that goes with it: what it deletes is forgotten, whatever became of that on the
    /// other side. Gives the links that end so, whose copies are to go after the commit.
    pub(super) async fn end(
        self,
        tx: &mut Tx,
        outcome: &Outcome,
        now: i64,
    ) -> Result<Vec<MediaId>, StoreError> {
        inbox::settle_item(tx, self.item, outcome, now).await?;
        self.note_removal(tx).await?;
        if matches!(outcome, Outcome::Skipped(Reason::NotAllowed, _)) {
            return Ok(Vec::new());
        }
        let mut ids = self.targets();
        for id in self.targets() {
            let pairs = message::by_event(tx, &self.portal.matrix_room_id, &id).await?;
            ids.extend(pairs.iter().map(|pair| pair.gitter_message_id.to_string()));
        }
        self.forget(tx, &ids).await
    }

    /// The Gitter message that the item says is deleted.
    fn removed(self) -> Option<GitterMessageId> {
        let message: model::Message = serde_json::from_str(&self.item.body).ok()?;
        let is_removal = self.item.operation == "remove" || message.is_tombstone();
        (self.lane.key.direction == Direction::ToMatrix && is_removal).then_some(message.id)
    }

    /// Notes that a Gitter message is gone: nothing of it that comes later crosses.
    pub(super) async fn note_removal(self, tx: &mut Tx) -> Result<(), StoreError> {
        if let Some(id) = self.removed() {
            deleted::record_deleted(tx, &self.portal.gitter_room_id, &id, false, now()).await?;
        }
        Ok(())
    }

    /// The events and Gitter messages that the item deletes. What came of them in this lane is settled by now.
    pub(super) fn targets(self) -> BTreeSet<String> {
        let mut ids: BTreeSet<String> = self.removed().iter().map(ToString::to_string).collect();
        let event: Value = serde_json::from_str(&self.item.body).unwrap_or(Value::Null);
        ids.extend(redacted_by(&self.item.operation, &event).map(str::to_owned));
        ids
    }

    /// Forgets what events and Gitter messages said; links to their files end for good. In one order everywhere, so
    /// that no two lanes wait for each other. Gives the links, whose copies are to go after the commit.
    pub(super) async fn forget(
        self,
        tx: &mut Tx,
        ids: &BTreeSet<String>,
    ) -> Result<Vec<MediaId>, StoreError> {
        let mut ended = Vec::new();
        for id in ids {
            ended.extend(store::media::revoke_by_event(tx, &self.portal.matrix_room_id, id).await?);
        }
        deleted::forget(tx, ids).await?;
        Ok(ended)
    }

    pub(super) async fn wait_for_other_lane(self) -> Result<Step, BridgeError> {
        self.postpone(
            now() + OTHER_LANE,
            "waits for what the other direction is sending",
        )
        .await
    }

    pub(super) async fn postpone(self, until: i64, why: &str) -> Result<Step, BridgeError> {
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        inbox::postpone(&mut tx, self.item, until, why).await?;
        tx.commit().await?;
        Ok(Step::Wait { until })
    }

    /// Acts on a failed request of an attempt.
    pub(super) async fn failed(
        self,
        attempt: &Attempt,
        state: AttemptState,
        decision: Decision,
        why: &str,
    ) -> Result<Step, BridgeError> {
        let decision = self.unless_given_up(decision, now());
        let mut tx = self.bridge.db.write().await?;
        // Whoever holds the lane by now may be sending this very attempt.
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        attempt::set_attempt_state(&mut tx, attempt, state, why).await?;
        if matches!(decision, Decision::Reject(_)) {
            self.note_refusal(&mut tx, attempt).await?;
        }
        self.conclude(tx, decision, why).await
    }

    /// Acts on what stood in the way before an item had an attempt: what translation needs could not be read, or a
    /// file could not be put on Matrix.
    pub(super) async fn not_begun(self, decision: Decision, why: &str) -> Result<Step, BridgeError> {
        let now = now();
        let decision = self.unless_given_up(decision, now);
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        if matches!(decision, Decision::Retry { .. }) {
            inbox::count_try(&mut tx, self.item, now).await?;
        }
        self.conclude(tx, decision, why).await
    }

    /// One of several removals is refused for good: the others are made all the same, and the item fails at its
    /// end.
    pub(super) async fn refused(self, attempt: &Attempt, last: bool, why: &str) -> Result<Step, BridgeError> {
        self.tell(why, "A removal is refused");
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(Step::Lost);
        }
        attempt::set_attempt_state(&mut tx, attempt, AttemptState::Refused, why).await?;
        self.note_refusal(&mut tx, attempt).await?;
        let mut ended = Vec::new();
        if last {
            let outcome = Outcome::Failed(Reason::Forbidden, why.to_owned());
            ended = self.end(&mut tx, &outcome, now()).await?;
        }
        tx.commit().await?;
        self.bridge.cache.remove(&ended).await;
        Ok(Step::Next)
    }

    /// What the bridge could not delete on Gitter is still there: its removal by somebody else is news.
    async fn note_refusal(self, tx: &mut Tx, attempt: &Attempt) -> Result<(), StoreError> {
        if self.lane.key.direction == Direction::ToGitter
            && let Ok(GitterAction::Delete { message_id }) = self.action(attempt)
        {
            deleted::deletion_refused(tx, &self.portal.gitter_room_id, &message_id).await?;
        }
        Ok(())
    }

    /// Does what was decided, and commits.
    async fn conclude(self, mut tx: Tx, decision: Decision, why: &str) -> Result<Step, BridgeError> {
        let now = now();
        let mut ended = Vec::new();
        let step = match decision {
            Decision::Retry { after } => {
                self.tell(why, "An item is tried again");
                let until = now + after;
                inbox::postpone(&mut tx, self.item, until, why).await?;
                Step::Wait { until }
            }
            Decision::PauseSide { until } => {
                let until = self.bridge.sides.pause(self.lane.key.direction, until, why, now);
                if self.lane.key.direction == Direction::ToMatrix {
                    // A homeserver that is started again after a crash may have lost what it was about to push.
                    self.bridge.recovery.refused(until);
                }
                Step::Wait { until }
            }
            Decision::AwaitToken => Step::Wait { until: now },
            Decision::BreakPortal => {
                self.tell(
                    why,
                    "A portal stops: one of its rooms refuses the bridge; mend it, then `room sync`",
                );
                for from in [PortalState::Active, PortalState::CatchingUp] {
                    let room = &self.portal.gitter_room_id;
                    portals::set_portal_state(&mut tx, room, from, PortalState::Broken).await?;
                }
                Step::Wait { until: now }
            }
            Decision::Skip(reason) => {
                ended = self
                    .end(&mut tx, &Outcome::Skipped(reason, why.to_owned()), now)
                    .await?;
                Step::Next
            }
            Decision::Reject(reason) => {
                self.tell(why, "An item has failed");
                ended = self
                    .end(&mut tx, &Outcome::Failed(reason, why.to_owned()), now)
                    .await?;
                Step::Next
            }
            Decision::PauseAccount => {
                silent_ban::pause(self.bridge, &mut tx, now).await?;
                let outcome = Outcome::Failed(Reason::SilentBan, why.to_owned());
                ended = self.end(&mut tx, &outcome, now).await?;
                Step::Next
            }
        };
        tx.commit().await?;
        self.bridge.cache.remove(&ended).await;
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

    /// What to do where the item's context, or what it is about, could not be read; an error that is no
    /// side's is passed on.
    pub(super) async fn not_read(self, error: BridgeError) -> Result<Step, BridgeError> {
        let (tries, now) = (self.item.attempts + 1, now());
        let decision = match &error {
            BridgeError::Matrix(error) => failure::matrix_send(error, tries, now),
            BridgeError::Gitter(error) => failure::gitter_create(error, tries),
            _ => return Err(error),
        };
        self.not_begun(failure::of_reading(decision, tries, now), &error.to_string())
            .await
    }
}
