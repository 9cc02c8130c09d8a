//! Telling the bridge's own messages when they come back from Gitter (DESIGN 3.1, "Echoes").
//!
//! A message in the map is ours; translation says so. Here is what comes before: a message that may be of
//! an attempt whose answer has not been recorded yet.

use jiff::Timestamp;

use super::{Bridge, BridgeError, deliver, kill_point};
use crate::{
    model,
    store::{Attempt, AttemptState, Direction, Item, Portal, account::Account, attempt, restored},
    translate::GitterAction,
};

/// The type of virtual user that this bridge posts.
pub(super) const MATRIX: &str = "matrix";

/// How much earlier than its attempt a message may seem to have been made, in milliseconds.
const CLOCK_SLACK: i64 = 60_000;

/// Whether a message is what an action makes: author, parent and text agree. Not proof alone: people
/// say the same thing twice.
pub(super) fn matches(action: &GitterAction, account: &Account, message: &model::Message) -> bool {
    if kill_point::looks_in_vain() {
        return false;
    }
    let GitterAction::Send {
        text,
        parent_id,
        virtual_user,
        ..
    } = action
    else {
        return false;
    };
    let same_author = match (virtual_user, &message.virtual_user) {
        (Some(ours), Some(theirs)) => theirs.kind == MATRIX && theirs.external_id == ours.external_id,
        (None, None) => message
            .from_user
            .as_ref()
            .is_some_and(|user| user.id == account.user_id.as_str()),
        _ => false,
    };
    same_author && message.text == *text && message.parent_id == *parent_id
}

/// Whether it is known if a created message is ours. If it is that of an attempt whose outcome was unknown,
/// the attempt is settled by it, and the message is in the map then. `false`: an attempt of the same
/// author is still under way, so wait.
pub(super) async fn settled(
    bridge: &Bridge,
    portal: &Portal,
    message: &model::Message,
) -> Result<bool, BridgeError> {
    let Some(author) = possible_author(bridge, message) else {
        return Ok(true);
    };
    let offset = bridge.gitter.clock_offset().unwrap_or_default();
    let made = message
        .id
        .time()
        .and_then(|time| time.checked_sub(offset).ok())
        .map(Timestamp::as_millisecond);
    // Attempts before the map: an attempt that is settled meanwhile is then found in the map.
    let mut tx = bridge.db.read().await?;
    let attempts: Vec<Attempt> = attempt::unsettled_attempts(
        &mut tx,
        portal.gitter_room_id.as_str(),
        Direction::ToGitter,
        i64::MAX,
    )
    .await?
    .into_iter()
    .filter(|attempt| attempt.author == author && may_make_message(attempt))
    .filter(|attempt| made.is_none_or(|made| made + CLOCK_SLACK >= attempt.opened_at))
    .collect();
    if attempts.is_empty()
        || !crate::store::message::by_gitter_id(&mut tx, portal, &message.id)
            .await?
            .is_empty()
    {
        return Ok(true);
    }
    drop(tx);
    for attempt in attempts
        .iter()
        .filter(|attempt| attempt.state == AttemptState::Unknown)
    {
        let Ok(action) = serde_json::from_str::<GitterAction>(&attempt.action) else {
            continue;
        };
        if matches(&action, &bridge.account, message) {
            let mut tx = bridge.db.write().await?;
            let settled = deliver::settle_echo(&mut tx, portal, attempt, &action, message).await?;
            tx.commit().await?;
            if settled {
                bridge.wake.notify_one();
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a created message, which would cross if it were not ours, may be one of what a backup does not know: not
/// before all that was said until then is looked for.
pub(super) async fn may_turn_out_ours(
    bridge: &Bridge,
    portal: &Portal,
    item: &Item,
    message: &model::Message,
) -> Result<bool, BridgeError> {
    let would_cross = message.virtual_user.is_none() || bridge.settings.translation.relay_foreign;
    if !bridge.restored.may_hold(item.source_time)
        || !would_cross
        || possible_author(bridge, message).is_none()
    {
        return Ok(false);
    }
    let mut tx = bridge.db.read().await?;
    let is_unfinished = restored::is_unfinished(&mut tx, &portal.gitter_room_id, bridge.restored).await?;
    // The map after the rest: what is found in between is in it.
    let pairs = crate::store::message::by_gitter_id(&mut tx, portal, &message.id).await?;
    Ok(is_unfinished && pairs.is_empty())
}

/// Whether an attempt toward Gitter makes a message.
pub(super) fn may_make_message(attempt: &Attempt) -> bool {
    let action = serde_json::from_str(&attempt.action);
    !matches!(
        action,
        Ok(GitterAction::Edit { .. }
            | GitterAction::Delete { .. }
            | GitterAction::Ban { .. }
            | GitterAction::Unban { .. })
    )
}

/// Whether a message may be one of ours, by its author.
pub(super) fn may_be_ours(bridge: &Bridge, message: &model::Message) -> bool {
    possible_author(bridge, message).is_some()
}

/// The author under which an attempt of ours would stand; `None` for what cannot be ours.
fn possible_author(bridge: &Bridge, message: &model::Message) -> Option<String> {
    match &message.virtual_user {
        Some(user) => (user.kind == MATRIX).then(|| user.external_id.clone()),
        None => message
            .from_user
            .as_ref()
            .filter(|user| user.id == bridge.account.user_id.as_str())
            .map(|user| user.id.clone()),
    }
}
