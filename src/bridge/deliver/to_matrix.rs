//! Sends events to Matrix. The transaction id makes repeats safe, as long as the homeserver remembers it;
//! beyond that the event is looked for by its marker first (DESIGN 3.1, "To Matrix").

use jiff::Timestamp;
use ruma::OwnedEventId;
use serde_json::Value;

use super::Delivery;
use crate::{
    bridge::{
        BridgeError, echo,
        failure::{self, Decision},
        ghost, now,
        portal::{self, Loaded},
        worker::Step,
    },
    ids::{GitterMessageId, transaction_id},
    matrix::{MatrixError, SendEvent, SourceMarker, marker::SourceOperation},
    model,
    store::{Attempt, AttemptState, MappedMessage, MessageKind, Origin, ghost as ghosts, message},
    translate::{Context, MatrixAction, to_matrix::Operation},
};

/// How long the homeserver's memory of transaction ids is relied on, in milliseconds. Synapse keeps it a day.
const MEMORY: i64 = 12 * 3_600_000;

/// How many events one page of the look for a marker holds.
const PAGE: u32 = 50;

/// The most pages of one look.
const PAGES: usize = 40;

const MESSAGE: &str = "m.room.message";

impl Delivery<'_> {
    /// The item as translation takes it.
    pub(super) fn operation(self) -> Operation {
        let model = serde_json::from_str(&self.item.body).unwrap_or(Value::Null);
        Operation {
            operation: self.item.operation.clone(),
            model,
        }
    }

    /// The context of an item that is not settled by being our own message come back; `None` where it
    /// has to wait until that is known.
    pub(super) async fn judge_echo(self) -> Result<Option<Context>, BridgeError> {
        if let Ok(message) = serde_json::from_str::<model::Message>(&self.item.body)
            && self.item.operation == "create"
            && !echo::settled(self.bridge, self.portal, &message).await?
        {
            return Ok(None);
        }
        match portal::for_operation(self.bridge, self.portal, self.item).await? {
            Loaded::Ready(context) => Ok(Some(context)),
            Loaded::Wait => Ok(None),
        }
    }

    /// Who an action's event will be of.
    pub(super) fn matrix_author(action: &MatrixAction) -> String {
        let MatrixAction::Send { sender, .. } = action;
        sender.to_string()
    }

    /// Sends an event.
    pub(super) async fn send_to_matrix(self, attempt: &Attempt, last: bool) -> Result<Step, BridgeError> {
        let action: MatrixAction = self.action(attempt)?;
        let MatrixAction::Send { sender, .. } = &action;
        let author = serde_json::from_str::<model::Message>(&self.item.body)
            .ok()
            .and_then(|model| model.from_user);
        let device = match ghost::prepare(self.bridge, self.portal, sender, author.as_ref()).await {
            Ok(device) => device,
            Err(BridgeError::Matrix(error)) => return self.not_sent(attempt, &error).await,
            Err(error) => return Err(error),
        };
        if !self.open(attempt).await? {
            return Ok(Step::Lost);
        }
        match self.send_event(&action, device.as_deref()).await {
            Ok(event_id) => self.sent(attempt, last, &action, event_id).await,
            Err(error) if error.is("M_FORBIDDEN") => {
                // Perhaps the ghost was removed from the room: let it in again, once.
                let again = match ghost::join(self.bridge, self.portal, sender).await {
                    Ok(()) => self.send_event(&action, device.as_deref()).await,
                    Err(BridgeError::Matrix(error)) => Err(error),
                    Err(error) => return Err(error),
                };
                match again {
                    Ok(event_id) => self.sent(attempt, last, &action, event_id).await,
                    Err(error) => self.send_failed(attempt, &error).await,
                }
            }
            Err(error) => self.send_failed(attempt, &error).await,
        }
    }

    /// Goes on with an attempt that may have arrived.
    pub(super) async fn repeat_to_matrix(self, attempt: &Attempt, last: bool) -> Result<Step, BridgeError> {
        let action: MatrixAction = self.action(attempt)?;
        let MatrixAction::Send { sender, .. } = &action;
        let mut tx = self.bridge.db.read().await?;
        // A device that was made since remembers nothing of the attempt.
        let device = ghosts::device(&mut tx, sender).await?;
        let had_device = device.is_some_and(|device| device.created_at <= attempt.opened_at);
        drop(tx);
        let remembered = self.bridge.has_device_memory() && had_device && attempt.opened_at > now() - MEMORY;
        if remembered {
            return self.send_to_matrix(attempt, last).await;
        }
        match self.find_sent(attempt, &action).await {
            Ok(Some(event_id)) => {
                self.found_again(event_id.as_str());
                self.sent(attempt, last, &action, event_id).await
            }
            Ok(None) => self.send_to_matrix(attempt, last).await,
            Err(BridgeError::Matrix(error)) => {
                let decision = match failure::matrix_send(&error, attempt.tries, now()) {
                    Decision::Reject(_) => Decision::Retry { after: 15_000 },
                    decision => decision,
                };
                self.failed(attempt, AttemptState::Unknown, decision, &error.to_string())
                    .await
            }
            Err(error) => Err(error),
        }
    }

    async fn send_event(
        self,
        action: &MatrixAction,
        device: Option<&str>,
    ) -> Result<OwnedEventId, MatrixError> {
        let MatrixAction::Send {
            part,
            sender,
            content,
            ..
        } = action;
        let message = &self.item.source_id;
        // A message is created once, whatever version of it is seen: its counters stay out of the id.
        let id = transaction_id(&[&self.lane.key.room, message, "create", "", "", &part.to_string()]);
        let sent = self.item.source_time.min(now());
        let device: Option<&ruma::DeviceId> = device.map(Into::into);
        let event = SendEvent {
            room: &self.portal.matrix_room_id,
            sender,
            device,
            transaction_id: &id,
            event_type: MESSAGE,
            content,
            timestamp: Timestamp::from_millisecond(sent).ok(),
        };
        self.bridge.matrix.send(&event).await
    }

    async fn sent(
        self,
        attempt: &Attempt,
        last: bool,
        action: &MatrixAction,
        event_id: OwnedEventId,
    ) -> Result<Step, BridgeError> {
        let pair = self.matrix_pair(action, event_id.clone());
        self.arrived(attempt, last, pair.as_ref(), event_id.as_str())
            .await
    }

    /// The sender could not be made ready, so this try sent nothing; an earlier one may have.
    async fn not_sent(self, attempt: &Attempt, error: &MatrixError) -> Result<Step, BridgeError> {
        let decision = failure::matrix_send(error, attempt.tries + 1, now());
        let state = if attempt.state == AttemptState::Planned {
            AttemptState::Planned
        } else {
            AttemptState::Unknown
        };
        self.failed(attempt, state, decision, &error.to_string()).await
    }

    async fn send_failed(self, attempt: &Attempt, error: &MatrixError) -> Result<Step, BridgeError> {
        let decision = failure::matrix_send(error, attempt.tries + 1, now());
        if error.is("M_UNKNOWN_DEVICE") {
            let MatrixAction::Send { sender, .. } = self.action(attempt)?;
            let mut tx = self.bridge.db.write().await?;
            ghosts::forget_device(&mut tx, &sender).await?;
            tx.commit().await?;
        }
        // Whatever an earlier try may have done is not undone by this one's refusal.
        let refused = matches!(
            error,
            MatrixError::Unreachable { .. } | MatrixError::Unwritable { .. }
        ) || error.status().is_some_and(|status| !status.is_server_error());
        let state = if refused && attempt.state == AttemptState::Planned {
            AttemptState::Planned
        } else {
            AttemptState::Unknown
        };
        self.failed(attempt, state, decision, &error.to_string()).await
    }

    /// Looks for the attempt's event among the sender's latest, back to the last one in the map. An event
    /// of the sender that is redacted and not in the map is taken for it: it arrived and was removed.
    async fn find_sent(
        self,
        attempt: &Attempt,
        action: &MatrixAction,
    ) -> Result<Option<OwnedEventId>, BridgeError> {
        let MatrixAction::Send { part, sender, .. } = action;
        let Ok(message) = self.item.source_id.parse::<GitterMessageId>() else {
            return Ok(None);
        };
        let wanted = SourceMarker {
            room: self.portal.gitter_room_id.clone(),
            message,
            op: SourceOperation::Create,
            part: *part,
            edited_at: None,
        };
        debug_assert!(attempt.tries > 0, "only what was tried can have arrived");
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
                if event.marker.as_ref() == Some(&wanted) {
                    return Ok(Some(event.event_id));
                }
                if !message::by_event(&mut tx, room, event.event_id.as_str())
                    .await?
                    .is_empty()
                {
                    return Ok(None);
                }
                if event.redacted {
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

    /// The line of the map for an event that arrived.
    fn matrix_pair(self, action: &MatrixAction, event_id: OwnedEventId) -> Option<MappedMessage> {
        let MatrixAction::Send {
            part,
            sender,
            content,
            ..
        } = action;
        let model: model::Message = serde_json::from_str(&self.item.body).ok()?;
        let thread_root = Self::thread_root(Some(content));
        Some(MappedMessage {
            gitter_message_id: model.id,
            event_id,
            part: i64::from(*part),
            kind: MessageKind::Create,
            revision: 0,
            origin: Origin::Gitter,
            sender: sender.clone(),
            author: model.from_user.map(|user| user.id).unwrap_or_default(),
            account_id: String::new(),
            gitter_parent_id: model.parent_id,
            thread_root,
            status: model.status,
            sent: self.item.source_time,
            v: model.v.unwrap_or(0),
            edited_at: model.edited_at.map_or(0, Timestamp::as_millisecond),
        })
    }
}
