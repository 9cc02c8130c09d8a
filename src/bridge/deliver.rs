//! Delivers an item: freezes what translation decided, sends it, and records what became of it.
//!
//! The only place that writes messages to either side, and the only one that decides between retrying and
//! rejecting (in `ending`, by the table in `failure`). Every request is preceded by a committed attempt, and
//! everything an answer changes is committed together (DESIGN 3.1).

mod ban_bug;
mod bans;
mod ending;
mod flood;
mod folding;
mod gitter_changes;
mod look_on_gitter;
mod look_on_matrix;
mod media;
mod room_refusal;
mod to_gitter;
mod to_matrix;

use std::collections::BTreeSet;

use ruma::OwnedEventId;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::info;

pub(super) use self::look_on_gitter::RestoredListings;
use self::to_gitter::Again;
pub(super) use self::to_gitter::{RECOVERY_WAIT, changed_event, settle_echo};
use super::{Bridge, BridgeError, kill_point::KillPoint, life, now, portal, worker::Step};
use crate::{
    metrics,
    outcome::{Outcome, Reason},
    store::{
        Attempt, AttemptState, Direction, Item, Lane, MappedMessage, NewAttempt, Portal, Tx, account,
        attempt,
        awaited::{self, AwaitedEcho},
        inbox, lane, message, portal as portals,
    },
};

/// What an attempt became on the other side.
#[derive(Debug, Default)]
struct Arrival {
    /// The id there.
    result_id: String,
    /// The lines of the map.
    pairs: Vec<MappedMessage>,
    /// The message whose echo has to come, or else it was not stored.
    awaited: Option<AwaitedEcho>,
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
        let begun = match self.lane.key.direction {
            Direction::ToGitter => match life::heed(self.bridge, self.portal, self.item).await {
                Ok(()) => self.begin_to_gitter(Again::default()).await,
                Err(error) => Err(error),
            },
            Direction::ToMatrix => self.begin_to_matrix().await,
        };
        match begun {
            Err(error) => self.not_read(error).await,
            begun => begun,
        }
    }

    /// Goes on with an item whose actions are frozen.
    pub(super) async fn go_on(self, attempts: &[Attempt]) -> Result<Step, BridgeError> {
        let unsettled = attempts
            .iter()
            .enumerate()
            .find(|(_, attempt)| !attempt.state.is_settled());
        let Some((position, attempt)) = unsettled else {
            return self.settle(&outcome_of(attempts)).await;
        };
        let last = position + 1 == attempts.len();
        let step = match (self.lane.key.direction, attempt.state) {
            (Direction::ToGitter, _) => self.go_on_to_gitter(attempt, last).await,
            (Direction::ToMatrix, _) if self.is_ban() => match self.action(attempt) {
                Ok(action) => self.change_membership(attempt, last, &action).await,
                Err(error) => Err(error),
            },
            (Direction::ToMatrix, AttemptState::Planned) if self.may_be_forgotten(attempt) => {
                self.look_on_matrix(attempt, last).await
            }
            (Direction::ToMatrix, AttemptState::Planned) => self.send_to_matrix(attempt, last).await,
            (Direction::ToMatrix, _) => self.repeat_to_matrix(attempt, last).await,
        };
        match step {
            // Nothing but a person can mend what is stored.
            Err(error @ BridgeError::StoredAction { .. }) => {
                self.settle(&Outcome::Failed(Reason::BadEvent, error.to_string()))
                    .await
            }
            // An item that is translated once more reads again.
            Err(error) => self.not_read(error).await,
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
        if self.lane.key.direction == Direction::ToGitter {
            portal::note_member(&mut tx, self.portal, self.item).await?;
        }
        KillPoint::Translated.reached(self.lane.key.direction);
        tx.commit().await?;
        KillPoint::Frozen.reached(self.lane.key.direction);
        Ok(Step::Next)
    }

    /// Commits that an attempt's request is about to leave; `false` if it may not: the lane is no longer ours,
    /// the attempt is done, the account is paused, or the item has its outcome.
    async fn open(self, attempt: &Attempt) -> Result<bool, BridgeError> {
        let now = now();
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await?
            || !attempt::open_attempt(&mut tx, attempt, now).await?
        {
            return Ok(false);
        }
        if self.lane.key.direction == Direction::ToGitter
            && account::is_paused(&mut tx, &self.bridge.account.user_id).await?
        {
            return Ok(false);
        }
        if !inbox::count_try(&mut tx, self.item, now).await? {
            return Ok(false);
        }
        tx.commit().await?;
        KillPoint::Opened.reached(self.lane.key.direction);
        // The claim is checked once more, just before the request, by a clock that counts suspension.
        Ok(self.bridge.lease.holds())
    }

    /// Records that an attempt arrived: its result, the map, what is to be forgotten and, for the last one,
    /// the item's outcome.
    async fn arrived(self, attempt: &Attempt, last: bool, arrival: &Arrival) -> Result<Step, BridgeError> {
        KillPoint::Answered.reached(self.lane.key.direction);
        let now = now();
        let mut tx = self.bridge.db.write().await?;
        // No check of the claim: what has happened is recorded whoever holds the lane by now.
        attempt::settle_attempt(&mut tx, attempt, &arrival.result_id, now).await?;
        for pair in &arrival.pairs {
            message::insert_message(&mut tx, self.portal, pair).await?;
        }
        if let Some(awaited) = &arrival.awaited {
            awaited::await_echo(&mut tx, awaited).await?;
        }
        if last {
            let attempts = attempt::attempts_of(&mut tx, &self.lane.key, self.item.number).await?;
            inbox::settle_item(&mut tx, self.item, &outcome_of(&attempts), now).await?;
            inbox::note(&mut tx, self.item, &media::note_of(attempt)).await?;
        }
        let mut forgotten: BTreeSet<String> = arrival.forgotten.iter().cloned().collect();
        if last {
            forgotten.extend(self.targets());
        }
        let ended = self.forget(&mut tx, &forgotten).await?;
        portals::touch_portal(&mut tx, &self.lane.key.room, now).await?;
        KillPoint::Settled.reached(self.lane.key.direction);
        tx.commit().await?;
        KillPoint::Arrived.reached(self.lane.key.direction);
        self.bridge.cache.remove(&ended).await;
        self.bridge.sides.succeeded(self.lane.key.direction);
        Ok(Step::Next)
    }

    /// Whether an attempt may have been made though the database, a backup, does not know.
    fn may_be_forgotten(self, attempt: &Attempt) -> bool {
        let restored = self.bridge.restored;
        restored.may_hold(self.item.source_time) && attempt.opened_at <= restored.restored_at
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
        metrics::recovered(self.lane.key.direction.as_str(), true);
        info!(
            portal.room = self.lane.key.room,
            item.source = self.item.source_id,
            result.id = result_id,
            "A message whose sending was interrupted had arrived; it is not sent again"
        );
    }
}

/// What became of an item whose actions are all settled: it failed if one of them was refused.
fn outcome_of(attempts: &[Attempt]) -> Outcome {
    let refused = attempts
        .iter()
        .find(|attempt| attempt.state == AttemptState::Refused);
    refused.map_or(Outcome::Bridged, |attempt| {
        Outcome::Failed(Reason::Forbidden, attempt.error.clone())
    })
}
