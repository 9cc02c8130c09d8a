//! Looks on Gitter for what an attempt of unknown outcome may have posted (DESIGN 3.1, "To Gitter"). It only reads.

use jiff::{SignedDuration, Timestamp};

use super::Delivery;
use crate::{
    bridge::{BridgeError, echo},
    gitter::{Class, MessagePage},
    ids::GitterMessageId,
    model,
    store::{Attempt, message},
    translate::GitterAction,
};

/// How long before the attempt the look begins: both clocks are known to better than this.
const LOOK_BACK: SignedDuration = SignedDuration::from_secs(30);

/// The most messages of one page of a listing (gitter-api 5.5).
const PAGE: u32 = 100;

impl Delivery<'_> {
    /// The first message, in order of ids and not in the map, that can be the attempt's.
    pub(super) async fn find_posted(self, attempt: &Attempt) -> Result<Option<model::Message>, BridgeError> {
        let mut actions: Vec<GitterAction> = vec![self.action(attempt)?];
        let opened_at = if self.may_be_forgotten(attempt) {
            actions.extend(self.later_versions(attempt).await?);
            self.bridge.restored.since()
        } else {
            attempt.opened_at
        };
        let mut after = posted_after(opened_at, self.bridge.gitter.clock_offset());
        loop {
            let page = MessagePage {
                after: Some(after.clone()),
                before: None,
                limit: PAGE,
                class: Class::Live,
            };
            let listed = self
                .bridge
                .gitter
                .messages(&self.portal.gitter_room_id, &page)
                .await?;
            let full = listed.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            let mut messages: Vec<model::Message> = listed
                .iter()
                .filter_map(|raw| serde_json::from_str(raw.get()).ok())
                .collect();
            messages.sort_by(|one, other| one.id.cmp(&other.id));
            let newest = messages.last().map(|message| message.id.clone());
            for message in messages {
                let account = &self.bridge.account;
                if actions
                    .iter()
                    .any(|action| echo::matches(action, account, &message))
                {
                    let mut tx = self.bridge.db.read().await?;
                    if message::by_gitter_id(&mut tx, self.portal, &message.id)
                        .await?
                        .is_empty()
                    {
                        return Ok(Some(message));
                    }
                }
            }
            match newest {
                Some(newest) if full && newest > after => after = newest,
                _ => return Ok(None),
            }
        }
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
