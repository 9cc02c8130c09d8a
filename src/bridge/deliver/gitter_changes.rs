//! Changes and deletes messages on Gitter. Both may simply be repeated (DESIGN 3.1).

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    Arrival, Delivery, folding,
    to_gitter::{Again, changed_event},
};
use crate::{
    bridge::{
        BridgeError,
        failure::{self, Decision},
        kill_point::KillPoint,
        now,
        worker::Step,
    },
    gitter::GitterError,
    ids::GitterMessageId,
    model,
    outcome::Reason,
    store::{Attempt, AttemptState, MappedMessage, MessageKind, Origin, deleted, inbox, message},
};

/// A new text for a message.
pub(super) struct Change {
    pub(super) message_id: GitterMessageId,
    pub(super) text: String,
    pub(super) part: u32,
}

impl Delivery<'_> {
    /// Changes a message's text; past Gitter's edit window the item is translated again, as a correction.
    pub(super) async fn edit_on_gitter(
        self,
        attempt: &Attempt,
        last: bool,
        change: Change,
    ) -> Result<Step, BridgeError> {
        let Some(permit) = self.gitter_permit().await? else {
            return Ok(Step::Wait { until: now() });
        };
        let room = &self.portal.gitter_room_id;
        let (id, text) = (&change.message_id, &change.text);
        if self.is_removed(id).await? {
            let why = "the message was deleted on Gitter, and an edit would bring it back";
            return self.skip(Reason::Gone, why.to_owned()).await;
        }
        if self.is_overtaken(attempt).await? {
            return Ok(Step::Next);
        }
        if !self.open(attempt).await? {
            return Ok(Step::Lost);
        }
        match self.bridge.gitter.update(permit, room, id, text).await {
            Ok(message) => {
                let arrival = Arrival {
                    result_id: message.id.to_string(),
                    pairs: self.edited_pairs(attempt, &change, &message).await?,
                    awaited: None,
                    forgotten: Vec::new(),
                };
                self.arrived(attempt, last, &arrival).await
            }
            Err(error) if failure::is_past_window(&error) => {
                let before = match self.edited_before(&change).await {
                    Ok(before) => before,
                    // Not being able to look says nothing about the edit.
                    Err(error) => return self.change_failed(attempt, &error).await,
                };
                if let Some(message) = before {
                    self.found_again(message.id.as_str());
                    let arrival = Arrival {
                        result_id: message.id.to_string(),
                        pairs: self.edited_pairs(attempt, &change, &message).await?,
                        awaited: None,
                        forgotten: Vec::new(),
                    };
                    return self.arrived(attempt, last, &arrival).await;
                }
                let again = Again {
                    past_window: true,
                    ..Again::default()
                };
                self.begin_to_gitter(again).await
            }
            Err(error) => match self.despite_ban(attempt, &error).await? {
                Some(step) => Ok(step),
                None => self.change_failed(attempt, &error).await,
            },
        }
    }

    /// The message, if it has its new text since before the database was restored.
    async fn edited_before(self, change: &Change) -> Result<Option<model::Message>, GitterError> {
        if !self.bridge.restored.may_hold(self.item.source_time) {
            return Ok(None);
        }
        let room = &self.portal.gitter_room_id;
        let found = self.bridge.gitter.message(room, &change.message_id).await?;
        Ok(found.filter(|message| message.text == change.text))
    }

    /// Whether a message is deleted, or its removal waits to cross.
    async fn is_removed(self, id: &GitterMessageId) -> Result<bool, BridgeError> {
        let room = &self.portal.gitter_room_id;
        let mut tx = self.bridge.db.read().await?;
        Ok(deleted::is_deleted(&mut tx, room, id).await? || inbox::removal_waits(&mut tx, room, id).await?)
    }

    /// Deletes a message. That it was the bridge is noted before: it tells the echo.
    pub(super) async fn delete_on_gitter(
        self,
        attempt: &Attempt,
        last: bool,
        id: &GitterMessageId,
    ) -> Result<Step, BridgeError> {
        let Some(permit) = self.gitter_permit().await? else {
            return Ok(Step::Wait { until: now() });
        };
        let room = &self.portal.gitter_room_id;
        let mut tx = self.bridge.db.write().await?;
        deleted::record_deleted(&mut tx, room, id, true, now()).await?;
        tx.commit().await?;
        KillPoint::DeletionNoted.reached(self.lane.key.direction);
        if !self.open(attempt).await? {
            return Ok(Step::Lost);
        }
        match self.bridge.gitter.delete(permit, room, id).await {
            Ok(()) => self.deleted(attempt, last, id).await,
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                self.deleted(attempt, last, id).await
            }
            Err(error) => match failure::gitter_change(&error, attempt.tries + 1) {
                Decision::Reject(_) => self.refused(attempt, last, &error.to_string()).await,
                _ => self.change_failed(attempt, &error).await,
            },
        }
    }

    async fn deleted(self, attempt: &Attempt, last: bool, id: &GitterMessageId) -> Result<Step, BridgeError> {
        let arrival = Arrival {
            result_id: id.to_string(),
            pairs: Vec::new(),
            awaited: None,
            forgotten: self.redacted_with(id).await?,
        };
        self.arrived(attempt, last, &arrival).await
    }

    /// What a redaction takes along with a Gitter message: the events that it stood for. An edit that makes
    /// a message shorter deletes only a part of it, and nothing is forgotten.
    async fn redacted_with(self, id: &GitterMessageId) -> Result<Vec<String>, BridgeError> {
        if self.item.operation != "m.room.redaction" {
            return Ok(Vec::new());
        }
        let mut tx = self.bridge.db.read().await?;
        let pairs = message::by_gitter_id(&mut tx, self.portal, id).await?;
        let mut forgotten = vec![id.to_string()];
        forgotten.extend(pairs.into_iter().map(|pair| pair.event_id.to_string()));
        Ok(forgotten)
    }

    async fn change_failed(self, attempt: &Attempt, error: &GitterError) -> Result<Step, BridgeError> {
        let decision = failure::gitter_change(error, attempt.tries + 1);
        let why = error.to_string();
        self.failed(attempt, AttemptState::Unknown, decision, &why).await
    }

    /// The lines of the map for an edit that arrived; none for an event that edits nothing, as a redaction
    /// that brings the text before back.
    async fn edited_pairs(
        self,
        attempt: &Attempt,
        change: &Change,
        message: &model::Message,
    ) -> Result<Vec<MappedMessage>, BridgeError> {
        let event: Value = serde_json::from_str(&self.item.body).unwrap_or(Value::Null);
        let Some(changed) = changed_event(&event) else {
            return Ok(Vec::new());
        };
        let mut tx = self.bridge.db.read().await?;
        let pairs = message::by_gitter_id(&mut tx, self.portal, &change.message_id).await?;
        let original = pairs.into_iter().find(|pair| pair.kind != MessageKind::Edit);
        let (Some(original), Ok(event_id)) = (original, self.item.source_id.as_str().try_into()) else {
            return Ok(Vec::new());
        };
        let edited_at = message.edited_at.map_or_else(now, Timestamp::as_millisecond);
        let own = MappedMessage {
            event_id,
            kind: MessageKind::Edit,
            revision: edited_at,
            origin: Origin::Matrix,
            part: i64::from(change.part),
            v: message.v.unwrap_or(original.v),
            edited_at,
            text: change.text.clone(),
            changes: Some(changed),
            ..original
        };
        Ok(folding::lines(attempt, own))
    }
}
