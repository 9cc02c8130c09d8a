//! Tells Matrix people, as the bot and in their message's thread, that something of theirs has failed
//! (`bridge.notices`), and shows by the bot's read receipt up to where all has crossed (`bridge.receipts`).
//!
//! Whom it tells is written down first: after a crash somebody may not be told, but nobody is told twice. It gives no
//! item its outcome, and no lane waits for it.

use std::{sync::Arc, time::Duration};

use ruma::{OwnedUserId, UserId};
use serde_json::Value;
use tracing::{debug, warn};

use super::{
    Bridge, BridgeError, now,
    say::{self, Form, Place},
};
use crate::{
    matrix::MatrixError,
    outcome::Reason,
    store::notice::{self, Untold},
};

/// Between two looks; so that is also how often a room's receipt moves at most.
const LOOK: Duration = Duration::from_secs(2);

/// How long a person is not told of more in the same room, in milliseconds.
const QUIET: i64 = 600_000;

/// How often a notice is sent while the homeserver cannot be reached.
const TRIES: u32 = 5;

/// Looks until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    loop {
        let round = async {
            tell_all(&bridge).await?;
            if bridge.settings.receipts {
                acknowledge(&bridge).await?;
            }
            Ok::<_, BridgeError>(())
        };
        match bridge.stop.run_until_cancelled(round).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => debug!(error = %error, "People cannot be told what crossed now"),
        }
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn tell_all(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let untold = notice::untold(&mut tx).await?;
    drop(tx);
    for failed in untold {
        let event: Value = serde_json::from_str(&failed.body).unwrap_or(Value::Null);
        let now = now();
        let mut tx = bridge.db.write().await?;
        // Where nobody is to be told, that is written down too: it is no news once somebody is.
        let wanted = bridge
            .room_settings(&mut tx, &failed.place.lane.room)
            .await?
            .notices;
        let listener = listener(bridge, &event).filter(|_| wanted);
        let mut is_told = notice::mark_told(&mut tx, &failed.place).await?;
        if let (true, Some(user)) = (is_told, &listener) {
            is_told = notice::may_tell(&mut tx, &failed.room, user, now, now - QUIET).await?;
        }
        tx.commit().await?;
        if let (true, Some(user)) = (is_told, listener) {
            tell(bridge, &failed, &event, &user).await;
        }
    }
    Ok(())
}

/// Whom to tell: not our own users, and no other bots, which speak in notices.
fn listener(bridge: &Bridge, event: &Value) -> Option<OwnedUserId> {
    let is_notice = event.pointer("/content/msgtype").and_then(Value::as_str) == Some("m.notice");
    let is_state = event.get("state_key").is_some();
    let sender: OwnedUserId = event.get("sender")?.as_str()?.try_into().ok()?;
    (!is_notice && !is_state && sender != bridge.matrix.bot()).then_some(sender)
}

/// Sends the notice, again under the same transaction id where the homeserver cannot be reached.
async fn tell(bridge: &Bridge, failed: &Untold, event: &Value, user: &UserId) {
    let text = text(failed.reason, &failed.operation);
    let place = Place::of(&failed.event_id, &failed.operation, event);
    let mut sent = send(bridge, failed, &place.content(&text, user, Form::Thread)).await;
    // A homeserver makes no thread of what is itself an edit or in a thread.
    if sent
        .as_ref()
        .is_err_and(|error| error.status().is_some_and(|status| status == 400))
    {
        sent = send(bridge, failed, &place.content(&text, user, Form::Reply)).await;
    }
    if let Err(error) = sent {
        warn!(error = %error, room = %failed.room, item.source = failed.event_id,
            "A sender could not be told that their message has failed");
    }
}

/// Sends the notice, for as long as the homeserver may come back.
async fn send(bridge: &Bridge, failed: &Untold, content: &Value) -> Result<(), MatrixError> {
    let form = content
        .pointer("/m.relates_to/rel_type")
        .map_or("reply", |_| "thread");
    let key = ["notice", form, failed.event_id.as_str()];
    let mut tries = 1;
    loop {
        match say::send(bridge, &failed.room, &key, content).await {
            Err(MatrixError::Unreachable { .. }) if tries < TRIES => {
                tokio::time::sleep(LOOK * tries).await;
                tries += 1;
            }
            sent => return sent,
        }
    }
}

/// What a sender is told: what did not cross, why, and what helps.
fn text(reason: Reason, operation: &str) -> String {
    let what = match operation {
        "m.room.redaction" => "Your deletion",
        "m.reaction" => "Your reaction",
        _ => "Your message",
    };
    let why = match reason {
        Reason::Forbidden => {
            "Gitter does not allow it in this room. If you think that it should, ask an admin of the Gitter room."
        }
        Reason::TooLarge => "it is too large for Gitter. Send it in smaller pieces.",
        Reason::BadEvent => "Gitter cannot take it in this form. Try to write it in another way.",
        Reason::SilentBan => {
            "Gitter threw it away. You need do nothing: the operator of this bridge has been told, and can send it again."
        }
        Reason::GaveUp => "Gitter could not be reached for too long. Send it again if it still matters.",
        _ => "it was refused there. The operator of this bridge can see why, and try it again.",
    };
    format!("{what} did not reach Gitter: {why}")
}

/// Moves the bot's read receipts. One that the homeserver refuses is not tried again until more has crossed.
async fn acknowledge(bridge: &Bridge) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let crossed = notice::crossed(&mut tx).await?;
    drop(tx);
    for crossed in crossed {
        // Of several processes, the one that follows a room acknowledges in it.
        if !bridge.follows(&crossed.gitter_room) {
            continue;
        }
        if let Err(error) = bridge.matrix.acknowledge(&crossed.room, &crossed.event_id).await {
            debug!(error = %error, room = %crossed.room, "The homeserver takes no read receipt");
            // Other rooms' receipts do not wait for this one.
            if !error.refuses() {
                continue;
            }
        }
        let mut tx = bridge.db.write().await?;
        notice::set_receipt(&mut tx, &crossed).await?;
        tx.commit().await?;
    }
    Ok(())
}
