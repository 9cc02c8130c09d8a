//! Looks whether an attempt had its effect on Matrix, by the marker of its event (DESIGN 3.1, "To Matrix").

use ruma::{EventId, OwnedEventId, UserId};
use serde_json::{Value, value::RawValue};

use super::{Delivery, to_matrix::MESSAGE};
use crate::{
    bridge::{BridgeError, accept, failure, now, worker::Step},
    ids::GitterMessageId,
    matrix::{PastEvent, SourceMarker, marker::SourceOperation},
    store::{Attempt, AttemptState, inbox, lane, ledger, message},
    translate::MatrixAction,
};

/// How many events one page of the look for a marker holds.
const PAGE: u32 = 50;

/// The most pages of one look.
const PAGES: usize = 40;

impl Delivery<'_> {
    /// Looks for what a backup may not know of, and sends it if it is not there.
    pub(super) async fn look_on_matrix(self, attempt: &Attempt, last: bool) -> Result<Step, BridgeError> {
        let action: MatrixAction = self.action(attempt)?;
        match self.find_effect(attempt, &action).await {
            Ok(Some(event_id)) => {
                self.found_again(event_id.as_str());
                let mut arrival = self.arrival(&action, event_id);
                if self.queue_later_edit(&action, &arrival.result_id).await? {
                    // That edit is then newer than what the map knows.
                    for pair in &mut arrival.pairs {
                        pair.edited_at = 0;
                    }
                }
                self.arrived(attempt, last, &arrival).await
            }
            Ok(None) => self.send_to_matrix(attempt, last).await,
            Err(BridgeError::Matrix(error)) => {
                let decision = failure::matrix_send(&error, self.item.attempts + 1, now());
                let decision = failure::of_reading(decision, self.item.attempts + 1, now());
                self.failed(attempt, AttemptState::Planned, decision, &error.to_string())
                    .await
            }
            Err(error) => Err(error),
        }
    }

    /// Queues the edit of a message that was found as it was before: it was edited while nobody knew of it. One that
    /// crossed as well is found in its turn. Whether there is one.
    async fn queue_later_edit(self, action: &MatrixAction, event_id: &str) -> Result<bool, BridgeError> {
        let MatrixAction::Send { content, .. } = action else {
            return Ok(false);
        };
        let (Some(_), Ok(event_id)) = (self.edited_at(), <&EventId>::try_from(event_id)) else {
            return Ok(false);
        };
        let room = &self.portal.matrix_room_id;
        let event = self.bridge.matrix.event(room, event_id).await?;
        let found: Option<Value> = event.and_then(|event| serde_json::from_str(event.get()).ok());
        let body = found.as_ref().and_then(|event| event.pointer("/content/body"));
        if body.is_none() || body == content.get("body") {
            return Ok(false);
        }
        let Ok(model) = serde_json::from_str::<Box<RawValue>>(&self.item.body) else {
            return Ok(false);
        };
        let edit = accept::gitter_item(&self.portal.gitter_room_id, "update", &model, false);
        let mut tx = self.bridge.db.write().await?;
        if !lane::verify_lease(&mut tx, self.lane).await? {
            return Ok(false);
        }
        inbox::enqueue(&mut tx, &[edit], now()).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Looks whether an attempt had its effect. A redaction's is seen on its target, and is that event then.
    pub(super) async fn find_effect(
        self,
        attempt: &Attempt,
        action: &MatrixAction,
    ) -> Result<Option<OwnedEventId>, BridgeError> {
        let (part, op) = match action {
            MatrixAction::Send { part, .. } => (*part, SourceOperation::Create),
            MatrixAction::Edit { .. } => (0, SourceOperation::Edit),
            MatrixAction::Ban { .. } | MatrixAction::Unban { .. } => return Ok(None),
            MatrixAction::Redact { event_id, .. } => {
                let room = &self.portal.matrix_room_id;
                let event = self.bridge.matrix.event(room, event_id).await?;
                let past = event.as_deref().and_then(PastEvent::read);
                return Ok(past.filter(|past| past.redacted).map(|past| past.event_id));
            }
        };
        let Ok(message) = self.item.source_id.parse::<GitterMessageId>() else {
            return Ok(None);
        };
        let is_edit = op == SourceOperation::Edit;
        let wanted = SourceMarker {
            room: self.portal.gitter_room_id.clone(),
            message,
            op,
            part,
            edited_at: self.edited_at().filter(|_| is_edit),
        };
        self.find_sent(attempt, action.sender(), &wanted).await
    }

    /// Looks for the attempt's event among the sender's latest, back to the last one in the map that an item before
    /// this one became; a retried item has later ones behind it. An event of the sender that is redacted and not
    /// in the map is taken for it: it arrived and was removed.
    async fn find_sent(
        self,
        attempt: &Attempt,
        sender: &UserId,
        wanted: &SourceMarker,
    ) -> Result<Option<OwnedEventId>, BridgeError> {
        // Since a backup was made more than this one may have arrived and been removed.
        let is_its_own = !self.may_be_forgotten(attempt);
        let mut from = None;
        for _ in 0..PAGES {
            let room = &self.portal.matrix_room_id;
            let page = self
                .bridge
                .matrix
                .messages_by(room, sender, &[MESSAGE], from, PAGE)
                .await?;
            let mut tx = self.bridge.db.read().await?;
            for event in page.events {
                if event.marker.as_ref() == Some(wanted) {
                    return Ok(Some(event.event_id));
                }
                let id = event.event_id.as_str();
                if !message::by_event(&mut tx, room, id).await?.is_empty() {
                    let made_by = ledger::number_of_result(&mut tx, &self.lane.key, id).await?;
                    if made_by.is_some_and(|number| number > self.item.number) {
                        continue;
                    }
                    return Ok(None);
                }
                if event.redacted && is_its_own {
                    return Ok(Some(event.event_id));
                }
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        Ok(None)
    }
}
