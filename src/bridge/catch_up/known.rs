//! What is known of a Gitter room's messages, beside what Gitter shows of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::{PAGE, accept};
use crate::{
    ids::GitterMessageId,
    model,
    store::{MappedMessage, Portal, PortalState},
};

/// The time of the newest message that the bridge knows of.
pub(super) struct NewestKnown(Timestamp);

/// Of the cursor, or of the newest message at link time.
pub(super) fn newest_known(portal: &Portal, cursor: &str) -> NewestKnown {
    let newest: Option<GitterMessageId> = cursor.parse().ok();
    let time = newest
        .as_ref()
        .or(portal.since_id.as_ref())
        .and_then(GitterMessageId::time);
    NewestKnown(time.unwrap_or(Timestamp::UNIX_EPOCH))
}

impl NewestKnown {
    /// Where a look begins.
    pub(super) fn before(&self, how_long: SignedDuration) -> GitterMessageId {
        let begin = self.0.checked_sub(how_long).unwrap_or(Timestamp::UNIX_EPOCH);
        GitterMessageId::first_of_second(begin.max(Timestamp::UNIX_EPOCH))
    }
}

/// Whether a snapshot shows everything since `start`. An empty one may come from a server in trouble and
/// shows nothing.
pub(super) fn reaches_back(snapshot: &[Box<RawValue>], start: &GitterMessageId) -> bool {
    let ids: Vec<GitterMessageId> = snapshot.iter().filter_map(|raw| id_of(raw)).collect();
    // Every snapshot of fewer than a page holds the whole room.
    !ids.is_empty() && (snapshot.len() < PAGE || ids.iter().min().is_some_and(|oldest| oldest <= start))
}

pub(super) fn id_of(raw: &RawValue) -> Option<GitterMessageId> {
    serde_json::from_str::<model::Message>(raw.get())
        .ok()
        .map(|message| message.id)
}

/// Whether a message that crossed was edited or deleted since, as far as the map knows.
pub(super) fn has_changed(portal: &Portal, seen: &model::Message, crossed: &[MappedMessage]) -> bool {
    let edited_at = seen.edited_at.map_or(0, Timestamp::as_millisecond);
    let known = crossed.iter().map(|pair| pair.edited_at).max();
    let is_known_deleted = crossed.iter().any(|pair| pair.tombstone);
    known.is_some_and(|known| {
        (edited_at > known && edited_at > portal.anew_at) || (seen.is_tombstone() && !is_known_deleted)
    })
}

/// Whether what happened to a message belongs to a time in which its room was private. What was taken away does not:
/// it is to go on Matrix as well.
pub(super) fn is_private(portal: &Portal, operation: &str, seen: &model::Message) -> bool {
    if operation == "remove" || seen.is_tombstone() {
        return false;
    }
    let is_old = match (operation, seen.edited_at) {
        ("create", _) => !accept::is_newer(&seen.id, portal.since_id.as_ref()),
        (_, Some(edited_at)) => edited_at.as_millisecond() <= portal.anew_at,
        (_, None) => false,
    };
    portal.state == PortalState::Private || (portal.anew_at > 0 && is_old)
}
