//! Sends events to Matrix. The transaction id makes repeats safe, as long as the homeserver remembers it;
//! beyond that the event is looked for by its marker first (DESIGN 3.1, "To Matrix").

use jiff::Timestamp;
use ruma::{OwnedEventId, UserId};
use serde_json::Value;

use super::{
    Arrival, Delivery, bans,
    media::{Prepared, Uploads},
};
use crate::{
    bridge::{
        BridgeError, echo,
        failure::{self, Decision},
        ghost, now,
        portal::{self, Loaded},
        worker::Step,
    },
    ids::transaction_id,
    matrix::{Endpoint, MatrixError, Redact, SendEvent},
    metrics, model,
    outcome::Reason,
    store::{Attempt, AttemptState, MappedMessage, MessageKind, Origin, deleted, ghost as ghosts},
    telemetry,
    translate::{
        Context, MatrixAction, Translation,
        to_matrix::{self, Operation},
    },
};

/// How long the homeserver's memory of transaction ids is relied on, in milliseconds. Synapse keeps it a day.
const MEMORY: i64 = 12 * 3_600_000;

pub(super) const MESSAGE: &str = "m.room.message";

impl Delivery<'_> {
    /// Translates what happened to a Gitter message, and freezes the actions.
    pub(super) async fn begin_to_matrix(self) -> Result<Step, BridgeError> {
        if self.is_ban() {
            return self.begin_ban().await;
        }
        let Some(context) = self.judge_echo().await? else {
            return self.wait_for_other_lane().await;
        };
        if self.is_gone(&context).await? {
            let why = "it was deleted before it could cross";
            return self.skip(Reason::Gone, why.to_owned()).await;
        }
        match to_matrix::translate(&self.operation(), &context) {
            Translation::Actions { actions } => {
                let actions = match self.with_uploads(actions).await? {
                    Uploads::Made(actions) => actions,
                    Uploads::Wait { until, why } => return self.postpone(until, &why).await,
                    Uploads::Failed { decision, why } => return self.not_begun(decision, &why).await,
                };
                self.freeze(&actions, Prepared::sender).await
            }
            Translation::Skipped { skipped, detail } if skipped == Reason::NotFound => {
                self.skip_change(std::slice::from_ref(&self.item.source_id), skipped, detail)
                    .await
            }
            Translation::Skipped { skipped, detail } => self.skip(skipped, detail).await,
        }
    }

    /// Whether a message that has not crossed is known to be deleted: its removal may be seen first.
    async fn is_gone(self, context: &Context) -> Result<bool, BridgeError> {
        let Ok(id) = self.item.source_id.parse() else {
            return Ok(false);
        };
        if self.item.operation == "remove" || context.crossed_message(&id).is_some() {
            return Ok(false);
        }
        let mut tx = self.bridge.db.read().await?;
        Ok(deleted::is_deleted(&mut tx, &self.portal.gitter_room_id, &id).await?)
    }

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
            && (echo::may_turn_out_ours(self.bridge, self.portal, self.item, &message).await?
                || !echo::settled(self.bridge, self.portal, &message).await?)
        {
            return Ok(None);
        }
        match portal::for_operation(self.bridge, self.portal, self.item).await? {
            Loaded::Ready(context) => Ok(Some(context)),
            Loaded::Wait => Ok(None),
        }
    }

    /// Sends an event.
    pub(super) async fn send_to_matrix(self, attempt: &Attempt, last: bool) -> Result<Step, BridgeError> {
        let action: MatrixAction = self.action(attempt)?;
        let sender = action.sender();
        let prepared = telemetry::Step::part("prepare").run(self.prepare(&action)).await;
        let device = match prepared {
            Ok(device) => device,
            Err(BridgeError::Matrix(error)) => return self.not_sent(attempt, &error).await,
            Err(error) => return Err(error),
        };
        if !self.open(attempt).await? {
            return Ok(Step::Lost);
        }
        let device = device.as_deref();
        let sent = match self.send_event(&action, sender, device).await {
            Err(error) if error.is("M_FORBIDDEN") => match self.ask_again(&action, device, error).await {
                Ok(sent) => Ok(sent),
                Err(BridgeError::Matrix(error)) => Err(error),
                Err(error) => return Err(error),
            },
            sent => sent,
        };
        match sent {
            Ok(event_id) => self.sent(attempt, last, &action, event_id).await,
            Err(error) => self.send_failed(attempt, last, &action, &error).await,
        }
    }

    /// Makes the sender ready. To redact, nobody joins: what a ghost that was removed may not do, the bot does.
    async fn prepare(self, action: &MatrixAction) -> Result<Option<String>, BridgeError> {
        let sender = action.sender();
        if matches!(action, MatrixAction::Redact { .. }) {
            return ghost::device(self.bridge, sender).await;
        }
        let author = serde_json::from_str::<model::Message>(&self.item.body)
            .ok()
            .and_then(|model| model.from_user);
        ghost::prepare(self.bridge, self.portal, sender, author.as_ref()).await
    }

    /// Once more after a refusal: a ghost may have been removed from the room, so it is let in again; what it
    /// may not redact, perhaps the bot may.
    async fn ask_again(
        self,
        action: &MatrixAction,
        device: Option<&str>,
        refusal: MatrixError,
    ) -> Result<OwnedEventId, BridgeError> {
        let (sender, bot) = (action.sender(), self.bridge.matrix.bot());
        if !matches!(action, MatrixAction::Redact { .. }) {
            ghost::join(self.bridge, self.portal, sender).await?;
            return Ok(self.send_event(action, sender, device).await?);
        }
        if sender == bot {
            return Err(refusal.into());
        }
        Ok(self.send_event(action, bot, None).await?)
    }

    /// Goes on with an attempt that may have arrived.
    pub(super) async fn repeat_to_matrix(self, attempt: &Attempt, last: bool) -> Result<Step, BridgeError> {
        let action: MatrixAction = self.action(attempt)?;
        let sender = action.sender();
        let mut tx = self.bridge.db.read().await?;
        // A device that was made since remembers nothing of the attempt.
        let device = ghosts::device(&mut tx, sender).await?;
        let had_device = device.is_some_and(|device| device.created_at <= attempt.opened_at);
        drop(tx);
        let remembered = self.bridge.has_device_memory() && had_device && attempt.opened_at > now() - MEMORY;
        // Some homeservers do not remember redactions at all, and what is redacted shows on the event.
        if remembered && !matches!(action, MatrixAction::Redact { .. }) {
            metrics::recovered(self.lane.key.direction.as_str(), false);
            return self.send_to_matrix(attempt, last).await;
        }
        match self.find_effect(attempt, &action).await {
            Ok(Some(event_id)) => {
                self.found_again(event_id.as_str());
                self.sent(attempt, last, &action, event_id).await
            }
            Ok(None) => {
                metrics::recovered(self.lane.key.direction.as_str(), false);
                self.send_to_matrix(attempt, last).await
            }
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
        sender: &UserId,
        device: Option<&str>,
    ) -> Result<OwnedEventId, MatrixError> {
        let (lane, message) = (&self.lane.key.room, &self.item.source_id);
        let room = &self.portal.matrix_room_id;
        let device: Option<&ruma::DeviceId> = device.map(Into::into);
        let edited_at = self.edited_at().map_or(0, Timestamp::as_millisecond);
        // A message is created once, whatever version of it is seen: its counters stay out of the id.
        let (id, time) = match action {
            MatrixAction::Send { part, .. } => {
                let part = part.to_string();
                let id = transaction_id(&[lane, message, "create", "", "", &part]);
                (id, self.item.source_time)
            }
            MatrixAction::Edit { .. } => {
                let revision = edited_at.to_string();
                let id = transaction_id(&[lane, message, "edit", "", &revision, "0"]);
                (id, edited_at)
            }
            MatrixAction::Redact { event_id, .. } => {
                let id = transaction_id(&[lane, message, "redact", "", "", event_id.as_str()]);
                let redact = Redact {
                    room,
                    sender,
                    device,
                    transaction_id: &id,
                    event_id,
                    reason: None,
                };
                return self.bridge.matrix.redact(&redact).await;
            }
            // These are no events of their own: `deliver::bans` makes them.
            MatrixAction::Ban { .. } | MatrixAction::Unban { .. } => {
                return Err(MatrixError::Unwritable {
                    endpoint: Endpoint::Send,
                    source: "a ban is not sent as a message".into(),
                });
            }
        };
        let event = SendEvent {
            room,
            sender,
            device,
            transaction_id: &id,
            event_type: MESSAGE,
            content: action.content().unwrap_or(&Value::Null),
            timestamp: Timestamp::from_millisecond(time.min(now())).ok(),
        };
        self.bridge.matrix.send(&event).await
    }

    /// When the item's message was last changed.
    pub(super) fn edited_at(self) -> Option<Timestamp> {
        let message: model::Message = serde_json::from_str(&self.item.body).ok()?;
        message.edited_at
    }

    async fn sent(
        self,
        attempt: &Attempt,
        last: bool,
        action: &MatrixAction,
        event_id: OwnedEventId,
    ) -> Result<Step, BridgeError> {
        let arrival = self.arrival(action, event_id);
        self.arrived(attempt, last, &arrival).await
    }

    /// What an action became.
    pub(super) fn arrival(self, action: &MatrixAction, event_id: OwnedEventId) -> Arrival {
        let forgotten = match action {
            MatrixAction::Redact { event_id, .. } => {
                vec![event_id.to_string(), self.item.source_id.clone()]
            }
            _ => Vec::new(),
        };
        Arrival {
            result_id: event_id.to_string(),
            pairs: self.matrix_pair(action, event_id).into_iter().collect(),
            awaited: None,
            forgotten,
        }
    }

    /// The sender could not be made ready, so this try sent nothing; an earlier one may have.
    async fn not_sent(self, attempt: &Attempt, error: &MatrixError) -> Result<Step, BridgeError> {
        if self.is_shut_out(attempt, error).await {
            return self.skip(Reason::NotAllowed, bans::SHUT_OUT.to_owned()).await;
        }
        let decision = failure::matrix_send(error, attempt.tries + 1, now());
        let decision = self.unless_of_room(decision, error).await?;
        let state = if attempt.state == AttemptState::Planned {
            AttemptState::Planned
        } else {
            AttemptState::Unknown
        };
        self.failed(attempt, state, decision, &error.to_string()).await
    }

    async fn send_failed(
        self,
        attempt: &Attempt,
        last: bool,
        action: &MatrixAction,
        error: &MatrixError,
    ) -> Result<Step, BridgeError> {
        let decision = match action {
            MatrixAction::Redact { event_id, .. } => {
                match failure::matrix_redact(error, attempt.tries + 1, now()) {
                    // It is not there, as it is to be.
                    Decision::Skip(_) => return self.sent(attempt, last, action, event_id.clone()).await,
                    Decision::Reject(_) => return self.refused(attempt, last, &error.to_string()).await,
                    decision => decision,
                }
            }
            _ if self.is_shut_out(attempt, error).await => {
                return self.skip(Reason::NotAllowed, bans::SHUT_OUT.to_owned()).await;
            }
            _ => failure::matrix_send(error, attempt.tries + 1, now()),
        };
        let decision = self.unless_of_room(decision, error).await?;
        if error.is("M_UNKNOWN_DEVICE") {
            let mut tx = self.bridge.db.write().await?;
            ghosts::forget_device(&mut tx, action.sender()).await?;
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

    /// The line of the map for an event that arrived.
    fn matrix_pair(self, action: &MatrixAction, event_id: OwnedEventId) -> Option<MappedMessage> {
        let model: model::Message = serde_json::from_str(&self.item.body).ok()?;
        let edited_at = model.edited_at.map_or(0, Timestamp::as_millisecond);
        let (part, kind, changes, said) = match action {
            MatrixAction::Send { part, content, .. } => (*part, MessageKind::Create, None, content),
            MatrixAction::Edit {
                event_id, content, ..
            } => (
                0,
                MessageKind::Edit,
                Some(event_id.clone()),
                content.get("m.new_content").unwrap_or(content),
            ),
            MatrixAction::Redact { .. } | MatrixAction::Ban { .. } | MatrixAction::Unban { .. } => {
                return None;
            }
        };
        let mentions = said.get("m.mentions").map(Value::to_string);
        Some(MappedMessage {
            gitter_message_id: model.id,
            event_id,
            part: i64::from(part),
            kind,
            revision: if changes.is_some() { edited_at } else { 0 },
            origin: Origin::Gitter,
            sender: action.sender().clone(),
            author: model.from_user.map(|user| user.id).unwrap_or_default(),
            account_id: String::new(),
            gitter_parent_id: model.parent_id,
            thread_root: Self::thread_root(action.content()),
            status: model.status,
            sent: self.item.source_time,
            v: model.v.unwrap_or(0),
            edited_at,
            text: String::new(),
            mentions: mentions.unwrap_or_default(),
            changes,
            tombstone: false,
        })
    }
}
