//! Sends together what waits together (DESIGN 3.3), as `bridge::fold` decides.
//!
//! All of it happens in the transaction that freezes the head's actions: before it nothing is changed, and after it
//! the other items have their outcome and the frozen actions say the last text. The texts in between are frozen, too:
//! once the message is posted, the map knows each edit, and a later redaction of one finds what was before.

use std::collections::BTreeSet;

use ruma::UserId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Delivery, to_gitter::Again};
use crate::{
    bridge::{
        BridgeError,
        fold::{self, Folding},
        now,
        portal::Loaded,
        worker::Step,
    },
    gitter::Class,
    ids::MediaId,
    outcome::{Outcome, Reason},
    store::{
        Attempt, AttemptState, Item, MappedMessage, MessageKind, Purpose, StoreError, Tx, attempt,
        fold as folds, inbox, lane,
    },
    translate::{Context, GitterAction, Translation},
};

/// The most changes of one message that are looked at together.
const MOST: i64 = 100;

/// For how long after an item was accepted its actions are frozen anew for something that changes it, in
/// milliseconds: somebody who goes on editing must not hold up the lane.
const PATIENCE: i64 = 600_000;

/// An event with what it says on Gitter.
pub(super) struct Version {
    pub(super) item: Item,
    pub(super) event: Box<RawValue>,
    pub(super) actions: Vec<GitterAction>,
    pub(super) context: Context,
}

/// What changes the message that an item makes or changes.
#[derive(Default)]
struct Changes {
    /// In the order of the lane.
    items: Vec<Item>,
    /// The numbers of those that are settled, since the item was frozen with them before.
    folded: BTreeSet<i64>,
    /// The number of the last that was looked at.
    looked_to: i64,
}

/// An action as it is frozen.
#[derive(Serialize)]
struct Frozen {
    #[serde(flatten)]
    action: GitterAction,
    #[serde(flatten)]
    folded: Folded,
}

/// What is frozen beside an action.
#[derive(Default, Serialize, Deserialize)]
struct Folded {
    /// What each event says that the action goes out for, in order, where it is not the item's own alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    versions: Vec<Text>,
    /// The number of the last change that was looked at.
    #[serde(default)]
    looked_to: i64,
}

#[derive(Serialize, Deserialize)]
struct Text {
    event_id: String,
    text: String,
}

impl Delivery<'_> {
    /// Freezes what an item says, together with what waits behind it and changes it.
    pub(super) async fn freeze_folded(self, own: Version, again: Again) -> Result<Step, BridgeError> {
        let changes = self.changes(again).await?;
        let access = if fold::asks_for_rights(self.item, &changes.items) {
            // Not to know it costs no more than a request to Gitter.
            self.bridge
                .matrix
                .room_access(&self.portal.matrix_room_id)
                .await
                .ok()
        } else {
            None
        };
        let folding = fold::decide(self.item, &changes.items, |user| {
            let access = access.as_ref();
            UserId::parse(user).is_ok_and(|user| access.is_some_and(|access| access.may_redact_others(&user)))
        });
        if let Some(by) = folding.taken_back_by {
            return self.take_back(&folding, by).await;
        }
        let Some(mut versions) = self.versions(own, &folding.edits, &changes, again).await? else {
            return self.wait_for_other_lane().await;
        };
        let mut tx = self.bridge.db.write().await?;
        if !self.is_ours(&mut tx).await? {
            return Ok(Step::Lost);
        }
        for version in &mut versions {
            let of_version = Delivery {
                item: &version.item,
                ..self
            };
            let actions = std::mem::take(&mut version.actions);
            version.actions = of_version
                .with_links(&mut tx, &version.event, actions, &version.context)
                .await?;
        }
        let edits = versions
            .iter()
            .map(|version| &version.item)
            .filter(|item| item.number != self.item.number);
        for edit in edits {
            self.fold_in(&mut tx, edit).await?;
        }
        let ended = self.settle_undone(&mut tx, &folding).await?;
        let frozen = frozen(versions, changes.looked_to);
        let step = self
            .freeze_in(tx, &frozen, |frozen| self.gitter_author(&frozen.action))
            .await?;
        self.bridge.cache.remove(&ended).await;
        Ok(step)
    }

    /// The changes of what an item makes or changes: those that it was frozen with before, and those that wait. An
    /// item that is translated once more, after a try, takes in nothing new.
    async fn changes(self, again: Again) -> Result<Changes, BridgeError> {
        let mut changes = Changes::default();
        let Some(subject) = fold::subject(self.item) else {
            return Ok(changes);
        };
        let mut tx = self.bridge.db.read().await?;
        changes.items = folds::folded_into(&mut tx, self.item).await?;
        changes.folded = changes.items.iter().map(|change| change.number).collect();
        if !again.is_retry() && !self.may_have_crossed() {
            let behind = self.item.number;
            let waiting = folds::waiting_changes(&mut tx, &self.lane.key, behind, subject, MOST).await?;
            // Where there are more than can be looked at, the rest is left to its own turn.
            let is_all = i64::try_from(waiting.len()).is_ok_and(|count| count < MOST);
            changes.looked_to = match waiting.last() {
                Some(_) if !is_all => i64::MAX,
                last => last.map_or(0, |last| last.number),
            };
            changes.items.extend(waiting);
            changes.items.sort_by_key(|change| change.number);
        }
        Ok(changes)
    }

    /// Whether a backup that was restored may not know that the item crossed: then nothing folds, since it is only known
    /// after a look what was sent before.
    fn may_have_crossed(self) -> bool {
        self.bridge.restored.may_hold(self.item.source_time)
    }

    /// What an attempt's message may say by now: its own text, or what edits that wait make of it.
    pub(super) async fn later_versions(self, attempt: &Attempt) -> Result<Vec<GitterAction>, BridgeError> {
        let Some(subject) = fold::subject(self.item) else {
            return Ok(Vec::new());
        };
        let mut tx = self.bridge.db.read().await?;
        let (lane, behind) = (&self.lane.key, self.item.number);
        let waiting = folds::waiting_changes(&mut tx, lane, behind, subject, MOST).await?;
        drop(tx);
        let place = usize::try_from(attempt.position).unwrap_or(usize::MAX);
        let mut versions = Vec::new();
        for edit in fold::decide(self.item, &waiting, |_| false).edits {
            if let Loaded::Ready(Some(version)) = self.version(edit, Again::default()).await? {
                versions.extend(version.actions.get(place).cloned());
            }
        }
        Ok(versions)
    }

    /// The item and its edits, each as it is on Gitter; `None` if one has to wait. It ends before an edit that is no
    /// other text in the same messages; but those that were folded before count in any case, since they are settled.
    async fn versions(
        self,
        own: Version,
        edits: &[&Item],
        changes: &Changes,
        again: Again,
    ) -> Result<Option<Vec<Version>>, BridgeError> {
        let mut versions = vec![own];
        for edit in edits {
            let is_settled = changes.folded.contains(&edit.number);
            let version = match self.version(edit, again).await? {
                Loaded::Ready(version) => version,
                Loaded::Wait => return Ok(None),
            };
            let before = versions.last().map_or(&[][..], |before| &before.actions);
            match version {
                Some(version)
                    if is_alike(before, &version.actions)
                        && (is_settled || self.has_history(&version.actions)) =>
                {
                    versions.push(version);
                }
                Some(version) if is_settled => versions = vec![version],
                _ if is_settled => {}
                _ => break,
            }
        }
        Ok(Some(versions))
    }

    /// What the item says as an edit makes it; `None` if that is nothing.
    async fn version(self, edit: &Item, again: Again) -> Result<Loaded<Option<Version>>, BridgeError> {
        let Some(item) = fold::version(self.item, edit) else {
            return Ok(Loaded::Ready(None));
        };
        let of_version = Delivery { item: &item, ..self };
        let Ok(event) = of_version.event() else {
            return Ok(Loaded::Ready(None));
        };
        let (actions, context) = match of_version.translated(&event, again).await? {
            Loaded::Ready((Translation::Actions { actions }, context)) => (actions, context),
            Loaded::Ready(_) => return Ok(Loaded::Ready(None)),
            Loaded::Wait => return Ok(Loaded::Wait),
        };
        Ok(Loaded::Ready(Some(Version {
            item,
            event,
            actions,
            context,
        })))
    }

    /// Whether the map can tell later what each edit said: not of corrections, which are messages of their own.
    fn has_history(self, actions: &[GitterAction]) -> bool {
        let is_edit = |action: &GitterAction| matches!(action, GitterAction::Edit { .. });
        self.item.target.is_empty() || actions.iter().all(is_edit)
    }

    /// Settles an edit that goes out with the item.
    async fn fold_in(self, tx: &mut Tx, edit: &Item) -> Result<(), StoreError> {
        folds::fold_into(tx, edit, self.item).await?;
        let detail = format!("its text goes out with {}", self.item.source_id);
        let outcome = Outcome::Skipped(Reason::Superseded, detail);
        inbox::settle_item(tx, edit, &outcome, now()).await?;
        Ok(())
    }

    /// Settles an item that was taken back before it was sent, and what goes with it.
    async fn take_back(self, folding: &Folding<'_>, by: &Item) -> Result<Step, BridgeError> {
        let mut tx = self.bridge.db.write().await?;
        if !self.is_ours(&mut tx).await? {
            return Ok(Step::Lost);
        }
        if fold::subject(self.item) != Some(&by.target) {
            // An edit alone is taken back: those that were to go out with it go out by themselves.
            folds::unfold(&mut tx, self.item).await?;
        }
        let mut ended = self.end(&mut tx, &taken_back(by), now()).await?;
        ended.extend(self.settle_undone(&mut tx, folding).await?);
        tx.commit().await?;
        self.bridge.cache.remove(&ended).await;
        Ok(Step::Next)
    }

    /// Whether the lane is still claimed, and nobody gave the item its outcome meanwhile.
    async fn is_ours(self, tx: &mut Tx) -> Result<bool, StoreError> {
        let item = (&self.lane.key, self.item.number);
        Ok(lane::verify_lease(tx, self.lane).await?
            && inbox::waiting_item(tx, item.0, item.1).await?.is_some())
    }

    /// Settles what needs nothing on Gitter any more. Redactions last: what they forget is settled then.
    async fn settle_undone(self, tx: &mut Tx, folding: &Folding<'_>) -> Result<Vec<MediaId>, StoreError> {
        let mut undone = folding.undone.clone();
        undone.sort_by_key(|(item, _)| item.operation == "m.room.redaction");
        let mut ended = Vec::new();
        for (item, by) in undone {
            let outcome = if item.operation == "m.room.redaction" {
                let detail = "what it takes back was not sent yet".to_owned();
                Outcome::Skipped(Reason::Superseded, detail)
            } else {
                taken_back(by)
            };
            let of_item = Delivery { item, ..self };
            ended.extend(of_item.end(tx, &outcome, now()).await?);
        }
        Ok(ended)
    }

    /// Whether something waits by now that changes what an item's frozen actions say. Then they are taken back, and
    /// the worker begins the item anew; only where nothing of it was ever sent.
    pub(super) async fn is_overtaken(self, attempt: &Attempt) -> Result<bool, BridgeError> {
        let is_fresh = attempt.state == AttemptState::Planned && (attempt.position, attempt.tries) == (0, 0);
        let was_tried = self.item.first_attempt_at > 0
            || self.may_have_crossed()
            || now() - self.item.created_at > PATIENCE;
        let Some(subject) = fold::subject(self.item).filter(|_| is_fresh && !was_tried) else {
            return Ok(false);
        };
        let behind = folded(attempt).looked_to.max(self.item.number);
        let mut tx = self.bridge.db.read().await?;
        let changes = folds::waiting_changes(&mut tx, &self.lane.key, behind, subject, 1).await?;
        drop(tx);
        if changes.is_empty() {
            return Ok(false);
        }
        let mut tx = self.bridge.db.write().await?;
        if lane::verify_lease(&mut tx, self.lane).await? {
            attempt::thaw(&mut tx, self.item).await?;
            tx.commit().await?;
        }
        Ok(true)
    }

    /// The class of an item's requests: an edit waits behind other rooms' messages, unless a message waits behind it.
    pub(super) async fn class(self) -> Result<Class, BridgeError> {
        if self.lane.key.purpose == Purpose::History {
            return Ok(Class::History);
        }
        let is_edit = self.item.operation == "m.room.message" && !self.item.target.is_empty();
        if !is_edit {
            return Ok(Class::Live);
        }
        let mut tx = self.bridge.db.read().await?;
        let speech_waits = folds::speech_waits(&mut tx, self.item).await?;
        Ok(if speech_waits { Class::Live } else { Class::Edit })
    }
}

/// The lines of the map of all events that an action went out for, made from that of its item.
pub(super) fn lines(attempt: &Attempt, own: MappedMessage) -> Vec<MappedMessage> {
    let Folded { versions, .. } = folded(attempt);
    if versions.is_empty() {
        return vec![own];
    }
    let is_edit = own.kind == MessageKind::Edit;
    let last = i64::try_from(versions.len()).unwrap_or(i64::MAX);
    let changed = own.changes.clone().unwrap_or_else(|| own.event_id.clone());
    let mut lines = Vec::new();
    for (place, version) in (1..).zip(versions) {
        let Ok(event_id) = version.event_id.as_str().try_into() else {
            continue;
        };
        if event_id == own.event_id && !is_edit {
            lines.push(MappedMessage {
                text: version.text,
                ..own.clone()
            });
            continue;
        }
        lines.push(MappedMessage {
            event_id,
            kind: MessageKind::Edit,
            // Of a message that was never edited on Gitter: before all edits that will be.
            revision: if is_edit {
                own.revision - (last - place)
            } else {
                place
            },
            text: version.text,
            changes: Some(changed.clone()),
            ..own.clone()
        });
    }
    if !is_edit && lines.iter().all(|line| line.event_id != own.event_id) {
        lines.push(own);
    }
    lines
}

/// The actions of the last version, with what the others would have said.
fn frozen(mut versions: Vec<Version>, looked_to: i64) -> Vec<Frozen> {
    let Some(last) = versions.pop() else {
        return Vec::new();
    };
    let texts = |place: usize, action: &GitterAction| {
        if versions.is_empty() {
            return Vec::new();
        }
        let earlier = versions
            .iter()
            .filter_map(|version| Some(text(&version.item, version.actions.get(place)?)));
        earlier.chain([text(&last.item, action)]).collect()
    };
    let folded = last.actions.iter().enumerate().map(|(place, action)| Frozen {
        action: action.clone(),
        folded: Folded {
            versions: texts(place, action),
            looked_to,
        },
    });
    folded.collect()
}

fn text(item: &Item, action: &GitterAction) -> Text {
    let text = match action {
        GitterAction::Send { text, .. } | GitterAction::Edit { text, .. } => text.clone(),
        GitterAction::Delete { .. } | GitterAction::Ban { .. } | GitterAction::Unban { .. } => String::new(),
    };
    Text {
        event_id: item.source_id.clone(),
        text,
    }
}

fn folded(attempt: &Attempt) -> Folded {
    serde_json::from_str(&attempt.action).unwrap_or_default()
}

/// Whether two lists of actions are texts of the same messages.
fn is_alike(one: &[GitterAction], other: &[GitterAction]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|pair| match pair {
            (GitterAction::Send { part: one, .. }, GitterAction::Send { part: other, .. }) => one == other,
            (
                GitterAction::Edit { message_id: one, .. },
                GitterAction::Edit {
                    message_id: other, ..
                },
            ) => one == other,
            _ => false,
        })
}

fn taken_back(by: &Item) -> Outcome {
    let detail = format!("taken back by {} before it was sent", by.source_id);
    Outcome::Skipped(Reason::Superseded, detail)
}
