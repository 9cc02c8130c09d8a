//! Looks whether an attempt of unknown outcome arrived on Gitter, before it is made again (DESIGN 3.1, "To Gitter").

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{
    Delivery,
    to_gitter::{RECOVERY_WAIT, Stored},
};
use crate::{
    bridge::{BridgeError, echo, failure::Decision, now, worker::Step},
    gitter::{Class, MessagePage},
    ids::{GitterMessageId, GitterRoomId},
    metrics, model,
    store::{Attempt, AttemptState, message},
    translate::GitterAction,
};

/// How long before the attempt the look begins: both clocks are known to better than this.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(30);

/// The most messages of one page of a listing (gitter-api 5.5).
const PAGE: u32 = 100;

/// What the account said in rooms since a backup that was restored: it is listed once, not for each message that is
/// looked for.
#[derive(Debug, Default)]
pub(in crate::bridge) struct RestoredListings(Mutex<HashMap<GitterRoomId, Listing>>);

impl RestoredListings {
    async fn take(&self, room: &GitterRoomId) -> Listing {
        self.0.lock().await.remove(room).unwrap_or_default()
    }

    async fn put(&self, room: &GitterRoomId, listing: Listing) {
        self.0.lock().await.insert(room.clone(), listing);
    }
}

#[derive(Debug, Default)]
struct Listing {
    /// When it was last asked for; 0 for never.
    asked_at: i64,
    messages: BTreeMap<GitterMessageId, model::Message>,
}

impl Delivery<'_> {
    /// An attempt that an ended process left on its way: its outcome is unknown.
    pub(super) async fn left_behind(self, attempt: &Attempt) -> Result<Step, BridgeError> {
        let after = (attempt.opened_at + RECOVERY_WAIT - now()).max(0);
        let why = "the bridge was stopped while this was being sent; looking whether it arrived";
        self.failed(attempt, AttemptState::Unknown, Decision::Retry { after }, why)
            .await
    }

    /// Looks whether an attempt arrived; makes it again if not.
    pub(super) async fn recover_on_gitter(self, attempt: &Attempt, last: bool) -> Result<Step, BridgeError> {
        match self.find_posted(attempt).await {
            Ok(Some(message)) => {
                self.found_again(message.id.as_str());
                self.posted(attempt, last, &message, Stored::Seen).await
            }
            Ok(None) => {
                metrics::recovered(self.lane.key.direction.as_str(), false);
                self.send_to_gitter(attempt, last).await
            }
            Err(BridgeError::Gitter(error)) => self.look_failed(attempt, &error).await,
            Err(error) => Err(error),
        }
    }

    /// The first message, in order of ids and not in the map, that can be the attempt's.
    async fn find_posted(self, attempt: &Attempt) -> Result<Option<model::Message>, BridgeError> {
        let own = self.action(attempt)?;
        if self.may_be_forgotten(attempt) {
            let mut actions: Vec<GitterAction> = vec![own];
            actions.extend(self.later_versions(attempt).await?);
            let listed = self.listed_since_backup().await?;
            return self.first_match(&actions, listed).await;
        }
        let after = posted_after(attempt.opened_at, self.bridge.gitter.clock_offset());
        let listed = self.list(after).await?;
        self.first_match(&[own], listed).await
    }

    async fn first_match(
        self,
        actions: &[GitterAction],
        listed: Vec<model::Message>,
    ) -> Result<Option<model::Message>, BridgeError> {
        let account = &self.bridge.account;
        for message in listed {
            let matches = |action| echo::matches(action, account, &message);
            if !actions.iter().any(matches) {
                continue;
            }
            let mut tx = self.bridge.db.read().await?;
            let mapped = message::by_gitter_id(&mut tx, self.portal, &message.id).await?;
            if mapped.is_empty() {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The room's messages after an id, in order of ids.
    async fn list(self, mut after: GitterMessageId) -> Result<Vec<model::Message>, BridgeError> {
        let mut messages: BTreeMap<GitterMessageId, model::Message> = BTreeMap::new();
        loop {
            let page = MessagePage {
                after: Some(after.clone()),
                before: None,
                limit: PAGE,
                class: Class::Live,
            };
            let room = &self.portal.gitter_room_id;
            let listed = self.bridge.gitter.messages(room, &page).await?;
            let full = listed.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            let read = listed
                .iter()
                .filter_map(|raw| serde_json::from_str::<model::Message>(raw.get()).ok());
            messages.extend(read.map(|message| (message.id.clone(), message)));
            match messages.keys().next_back() {
                Some(newest) if full && *newest > after => after = newest.clone(),
                _ => return Ok(messages.into_values().collect()),
            }
        }
    }

    /// What the account said in the room since a backup that was restored. Once a listing was made a while after that,
    /// nothing can be missing from it, and it costs nothing any more.
    async fn listed_since_backup(self) -> Result<Vec<model::Message>, BridgeError> {
        let room = &self.portal.gitter_room_id;
        let restored = self.bridge.restored;
        // Taken out meanwhile: only one worker looks in a room.
        let mut known = self.bridge.restored_listings.take(room).await;
        if known.asked_at <= restored.restored_at + RECOVERY_WAIT {
            let begin = match known.messages.keys().next_back().and_then(GitterMessageId::time) {
                Some(newest) => posted_after(newest.as_millisecond(), None),
                None => posted_after(restored.since(), self.bridge.gitter.clock_offset()),
            };
            let asked_at = now();
            for message in self.list(begin).await? {
                if echo::may_be_ours(self.bridge, &message) {
                    known.messages.insert(message.id.clone(), message);
                }
            }
            known.asked_at = asked_at;
        }
        let messages = known.messages.values().cloned().collect();
        self.bridge.restored_listings.put(room, known).await;
        Ok(messages)
    }
}

/// Where the look for an attempt's message begins.
fn posted_after(opened_at: i64, clock_offset: Option<SignedDuration>) -> GitterMessageId {
    let opened = Timestamp::from_millisecond(opened_at).unwrap_or(Timestamp::UNIX_EPOCH);
    let on_gitter = opened
        .saturating_add(clock_offset.unwrap_or_default())
        .unwrap_or(opened);
    GitterMessageId::first_of_second(on_gitter.saturating_sub(LOOK_BACK).unwrap_or(on_gitter))
}
