//! Sends messages to Gitter, which has no key against repeats: an attempt whose outcome is unknown is
//! looked for before it is made again (DESIGN 3.1, "To Gitter").

use http::StatusCode;
use jiff::Timestamp;
use ruma::OwnedEventId;
use serde_json::{Value, value::RawValue};

use super::{
    Arrival, Delivery,
    folding::{self, Version},
    gitter_changes::Change,
    outcome_of,
};
use crate::{
    bridge::{
        BridgeError, echo,
        failure::{self, Decision},
        now,
        portal::{self, Loaded},
        silent_ban,
        worker::Step,
    },
    gitter::{GitterError, NewMessage, Permit},
    metrics, model,
    outcome::Reason,
    store::{
        Attempt, AttemptState, Item, MappedMessage, MessageKind, Origin, Portal, Tx, attempt,
        awaited::AwaitedEcho, inbox, lane, message,
    },
    telemetry,
    translate::{Context, GitterAction, Translation, to_gitter},
};

/// How long after an attempt of unknown outcome it is looked for, in milliseconds: what is still under
/// way has arrived by then.
pub(in crate::bridge) const RECOVERY_WAIT: i64 = 15_000;

/// How it is known that Gitter stores a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It answered so; it does the same where it throws messages away.
    Said,
    /// The message was seen there.
    Seen,
}

/// Why an event is translated once more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Again {
    /// Gitter has just refused an edit for its age.
    pub(super) past_window: bool,
    /// Gitter fails for virtual users in that room.
    pub(super) without_virtual_user: bool,
}

impl Again {
    /// Whether it was tried before.
    pub(super) const fn is_retry(self) -> bool {
        self.past_window || self.without_virtual_user
    }
}

impl Delivery<'_> {
    /// Who an action's message will be of, for telling echoes.
    pub(super) fn gitter_author(self, action: &GitterAction) -> String {
        match action {
            GitterAction::Send {
                virtual_user: Some(user),
                ..
            } => user.external_id.clone(),
            _ => self.bridge.account.user_id.to_string(),
        }
    }

    /// Translates an event and freezes the actions.
    pub(super) async fn begin_to_gitter(self, again: Again) -> Result<Step, BridgeError> {
        let event = match self.event() {
            Ok(event) => event,
            Err(error) => return self.skip(Reason::BadEvent, error.to_string()).await,
        };
        let Loaded::Ready((translation, context)) = self.translated(&event, again).await? else {
            return self.wait_for_other_lane().await;
        };
        match translation {
            Translation::Actions { actions } if !again.is_retry() && self.floods(&actions) => {
                self.skip_flood().await
            }
            Translation::Actions { actions } => {
                let own = Version {
                    item: self.item.clone(),
                    event,
                    actions,
                    context,
                };
                self.freeze_folded(own, again).await
            }
            Translation::Skipped { skipped, detail } if skipped == Reason::NotFound => {
                let targets = to_gitter::targets(&event);
                self.skip_change(&targets, skipped, detail).await
            }
            Translation::Skipped {
                skipped: Reason::NotAllowed,
                detail,
            } => self.skip_not_allowed(detail).await,
            Translation::Skipped { skipped, detail } => self.skip(skipped, detail).await,
        }
    }

    /// The event as it was pushed.
    pub(super) fn event(self) -> Result<Box<RawValue>, serde_json::Error> {
        RawValue::from_string(self.item.body.clone())
    }

    /// What an event is on Gitter, unless it has to wait.
    pub(super) async fn translated(
        self,
        event: &RawValue,
        again: Again,
    ) -> Result<Loaded<(Translation<GitterAction>, Context)>, BridgeError> {
        let mut context = match portal::for_event(self.bridge, self.portal, self.item).await? {
            Loaded::Ready(context) => context,
            Loaded::Wait => return Ok(Loaded::Wait),
        };
        if again.past_window {
            context.now = context
                .now
                .saturating_add(to_gitter::EDIT_WINDOW)
                .unwrap_or(context.now);
        }
        // An edit that crossed before a backup was restored must not come once more as a correction.
        if !again.past_window
            && self.bridge.restored.may_hold(self.item.source_time)
            && let Ok(said_at) = Timestamp::from_millisecond(self.item.source_time)
        {
            context.now = context.now.min(said_at);
        }
        let (room, now) = (&self.portal.gitter_room_id, now());
        if again.without_virtual_user || self.bridge.ban_bugs.stands_in(room, &self.external_id(), now) {
            context.virtual_users = false;
        }
        let translation = to_gitter::translate(event, &context);
        Ok(Loaded::Ready((translation, context)))
    }

    /// Goes on with a frozen action. Only what makes a message must never be done twice.
    pub(super) async fn go_on_to_gitter(self, attempt: &Attempt, last: bool) -> Result<Step, BridgeError> {
        match (self.action::<GitterAction>(attempt)?, attempt.state) {
            (action @ (GitterAction::Ban { .. } | GitterAction::Unban { .. }), _) => {
                self.ban_on_gitter(attempt, last, &action).await
            }
            (GitterAction::Send { .. }, AttemptState::Open) => self.left_behind(attempt).await,
            (GitterAction::Send { .. }, AttemptState::Unknown) => self.recover_on_gitter(attempt, last).await,
            (GitterAction::Send { .. }, _) if self.may_be_forgotten(attempt) => {
                self.recover_on_gitter(attempt, last).await
            }
            (GitterAction::Send { .. }, _) => self.send_to_gitter(attempt, last).await,
            (
                GitterAction::Edit {
                    message_id,
                    text,
                    part,
                },
                _,
            ) => {
                self.edit_on_gitter(
                    attempt,
                    last,
                    Change {
                        message_id,
                        text,
                        part,
                    },
                )
                .await
            }
            (GitterAction::Delete { message_id }, _) => {
                self.delete_on_gitter(attempt, last, &message_id).await
            }
        }
    }

    /// Posts a message.
    pub(super) async fn send_to_gitter(self, attempt: &Attempt, last: bool) -> Result<Step, BridgeError> {
        let message = self.new_message(attempt)?;
        let Some(permit) = self.gitter_permit().await? else {
            return Ok(Step::Wait { until: now() });
        };
        if self.is_overtaken(attempt).await? {
            return Ok(Step::Next);
        }
        if !self.open(attempt).await? {
            return Ok(Step::Lost);
        }
        match self
            .bridge
            .gitter
            .create(permit, &self.portal.gitter_room_id, &message)
            .await
        {
            Ok(message) if message.v.is_some() => self.posted(attempt, last, &message, Stored::Said).await,
            Ok(message) => self.accepted_without_version(attempt, last, &message).await,
            Err(error) => match self.despite_ban(attempt, &error).await? {
                Some(step) => Ok(step),
                None => self.post_failed(attempt, &error).await,
            },
        }
    }

    /// Waits for the budget; `None` if the bridge stops meanwhile, or the token is refused. It comes before the
    /// attempt: the attempt's time is then that of the request.
    pub(super) async fn gitter_permit(self) -> Result<Option<Permit>, BridgeError> {
        let permit = self.bridge.gitter.permit(self.class().await?);
        let permit = self.bridge.stop.run_until_cancelled(permit);
        let permit = telemetry::Step::part("budget").run(permit).await;
        Ok(permit.filter(|_| !self.bridge.gitter.token().is_refused()))
    }

    /// An answer without `v` says that the message was perhaps never stored (gitter-api 5.8): look.
    async fn accepted_without_version(
        self,
        attempt: &Attempt,
        last: bool,
        message: &model::Message,
    ) -> Result<Step, BridgeError> {
        match self
            .bridge
            .gitter
            .message(&self.portal.gitter_room_id, &message.id)
            .await
        {
            Ok(Some(stored)) => self.posted(attempt, last, &stored, Stored::Seen).await,
            Ok(None) => {
                let why = silent_ban::NOT_STORED;
                self.failed(attempt, AttemptState::Planned, Decision::PauseAccount, why)
                    .await
            }
            // Not being able to look says nothing about the message.
            Err(error) => self.look_failed(attempt, &error).await,
        }
    }

    pub(super) async fn look_failed(
        self,
        attempt: &Attempt,
        error: &GitterError,
    ) -> Result<Step, BridgeError> {
        let decision = match failure::gitter_create(error, attempt.tries + 1) {
            Decision::Reject(_) => Decision::Retry { after: RECOVERY_WAIT },
            decision => decision,
        };
        self.failed(attempt, AttemptState::Unknown, decision, &error.to_string())
            .await
    }

    async fn post_failed(self, attempt: &Attempt, error: &GitterError) -> Result<Step, BridgeError> {
        if error.status() == Some(StatusCode::FORBIDDEN) {
            self.bridge.ban_looks.hint(&self.portal.gitter_room_id);
        }
        let unknown = error.outcome_unknown();
        let decision = match failure::gitter_create(error, attempt.tries + 1) {
            Decision::Retry { after } if unknown => Decision::Retry {
                after: after.max(RECOVERY_WAIT),
            },
            decision => decision,
        };
        // What an earlier try may have done is not undone by this one's refusal.
        let state = if unknown || attempt.state != AttemptState::Planned {
            AttemptState::Unknown
        } else {
            AttemptState::Planned
        };
        self.failed(attempt, state, decision, &error.to_string()).await
    }

    pub(super) async fn posted(
        self,
        attempt: &Attempt,
        last: bool,
        message: &model::Message,
        stored: Stored,
    ) -> Result<Step, BridgeError> {
        let action: GitterAction = self.action(attempt)?;
        let awaited = (stored == Stored::Said).then(|| AwaitedEcho {
            room: self.portal.gitter_room_id.clone(),
            message: message.id.clone(),
            account: self.bridge.account.user_id.clone(),
            posted_at: now(),
        });
        let arrival = Arrival {
            result_id: message.id.to_string(),
            pairs: pairs(attempt, &action, self.item, message, self.portal),
            awaited,
            forgotten: Vec::new(),
        };
        self.arrived(attempt, last, &arrival).await
    }

    fn new_message(self, attempt: &Attempt) -> Result<NewMessage, BridgeError> {
        let GitterAction::Send {
            text,
            status,
            parent_id,
            virtual_user,
            ..
        } = self.action(attempt)?
        else {
            let why = "it posts no message";
            return Err(self.unreadable(serde::de::Error::custom(why)));
        };
        let virtual_user = virtual_user.map(|user| model::VirtualUser {
            kind: echo::MATRIX.to_owned(),
            external_id: user.external_id,
            display_name: user.display_name,
            avatar_url: user.avatar,
        });
        Ok(NewMessage {
            text,
            status,
            parent_id,
            virtual_user,
        })
    }
}

/// Settles an attempt of unknown outcome whose message came in on the realtime channel; `false` if its
/// outcome is known by now. The item gets its outcome when this was its last action.
pub(in crate::bridge) async fn settle_echo(
    tx: &mut Tx,
    portal: &Portal,
    attempt: &Attempt,
    action: &GitterAction,
    message: &model::Message,
) -> Result<bool, BridgeError> {
    let now = now();
    // The lane before all else, as everywhere.
    lane::lock_lane(tx, &attempt.lane).await?;
    if !attempt::settle_unknown(tx, attempt, message.id.as_str(), now).await? {
        return Ok(false);
    }
    metrics::recovered(attempt.lane.direction.as_str(), true);
    // Not always its lane's head: an older item may have been retried since.
    let Some(item) = inbox::waiting_item(tx, &attempt.lane, attempt.number).await? else {
        return Ok(true);
    };
    for pair in pairs(attempt, action, &item, message, portal) {
        message::insert_message(tx, portal, &pair).await?;
    }
    let attempts = attempt::attempts_of(tx, &attempt.lane, attempt.number).await?;
    if attempts.iter().all(|attempt| attempt.state.is_settled()) {
        inbox::settle_item(tx, &item, &outcome_of(&attempts), now).await?;
    } else {
        inbox::postpone(tx, &item, now, "").await?;
    }
    lane::touch_lane(tx, &attempt.lane, now).await?;
    Ok(true)
}

/// The lines of the map for a message that arrived; none where the event cannot be read any more.
fn pairs(
    attempt: &Attempt,
    action: &GitterAction,
    item: &Item,
    message: &model::Message,
    portal: &Portal,
) -> Vec<MappedMessage> {
    let own = pair(action, item, message, portal);
    own.map_or_else(Vec::new, |own| folding::lines(attempt, own))
}

fn pair(
    action: &GitterAction,
    item: &Item,
    message: &model::Message,
    portal: &Portal,
) -> Option<MappedMessage> {
    let event: Value = serde_json::from_str(&item.body).ok()?;
    let thread_root = Delivery::thread_root(event.get("content"));
    let GitterAction::Send {
        part,
        text,
        status,
        parent_id,
        virtual_user,
    } = action
    else {
        return None;
    };
    let changes = changed_event(&event);
    let author = virtual_user
        .as_ref()
        .map_or_else(|| portal.account_id.to_string(), |user| user.external_id.clone());
    Some(MappedMessage {
        gitter_message_id: message.id.clone(),
        event_id: item.source_id.as_str().try_into().ok()?,
        part: i64::from(*part),
        kind: if changes.is_some() {
            MessageKind::Correction
        } else {
            MessageKind::Create
        },
        revision: 0,
        origin: Origin::Matrix,
        sender: event.get("sender")?.as_str()?.try_into().ok()?,
        author,
        account_id: portal.account_id.to_string(),
        gitter_parent_id: parent_id.clone(),
        thread_root,
        status: *status,
        sent: message.sent.map_or_else(now, Timestamp::as_millisecond),
        v: message.v.unwrap_or(0),
        edited_at: 0,
        text: text.clone(),
        mentions: String::new(),
        changes,
        tombstone: false,
    })
}

/// The event that an event edits.
pub(in crate::bridge) fn changed_event(event: &Value) -> Option<OwnedEventId> {
    let relation = event.pointer("/content/m.relates_to")?;
    let is_edit = relation.get("rel_type").and_then(Value::as_str) == Some("m.replace");
    let target = relation.get("event_id")?.as_str()?.try_into().ok();
    target.filter(|_| is_edit)
}
