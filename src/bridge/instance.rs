//! Notices a second installation with the same tokens, such as a copy for trying something that was started by mistake:
//! both would carry every message, and each would take what the other writes for somebody else's.
//!
//! Each database's bridge leaves a mark in the bot's account data, and changes it at every look. A mark that is not of
//! this database, found where ours was, is another's who lives. Processes that share a database share its marks, and
//! one that was moved takes them along; the clocks of others do not matter. Nothing is stopped: the bridge cannot know
//! which of the two is meant.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tracing::{debug, error, info, warn};

use super::{Bridge, BridgeError, now};
use crate::{
    config::secret,
    store::installation::{self, Marks},
};

/// The type of the mark in the bot's account data.
const MARK: &str = "im.gitter.bridge.instance";

/// Between two looks: short at the start, when a second one is most likely new, and longer and longer.
const FIRST_LOOK: Duration = Duration::from_secs(5);
const LONGEST_LOOK: Duration = Duration::from_mins(2);

/// What was found in the place of the mark.
enum Found {
    /// Ours, or nothing.
    Ours,
    /// Ours, but not the newest, which did not get there.
    Outdated,
    /// This mark, which is not of this database.
    Another(String),
}

struct Watch {
    /// Whether the mark in its place was this database's since this process began.
    was_ours: bool,
    pause: Duration,
}

/// Looks until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    let mut watch = Watch {
        was_ours: false,
        pause: FIRST_LOOK,
    };
    let mut is_told = false;
    let watching = async {
        loop {
            match watch.look(&bridge).await {
                Ok(()) => is_told = false,
                Err(error) if !is_told => {
                    is_told = true;
                    warn!(error = %error, "Whether another bridge uses the same tokens cannot be seen now");
                }
                Err(_) => {}
            }
            tokio::time::sleep(watch.pause).await;
            watch.pause = (watch.pause * 2).min(LONGEST_LOOK);
        }
    };
    bridge.stop.run_until_cancelled(watching).await;
}

impl Watch {
    async fn look(&mut self, bridge: &Bridge) -> Result<(), BridgeError> {
        let (mut found, mut marks) = look(bridge).await?;
        if matches!(found, Found::Another(_)) {
            // Another process of this database may have changed the mark between the two questions.
            (found, marks) = look(bridge).await?;
        }
        let now = now();
        match &found {
            Found::Ours if now - marks.marked_at < milliseconds(self.pause) / 2 => {
                self.was_ours = true;
                return Ok(());
            }
            Found::Ours => {}
            Found::Outdated => {
                leave(bridge, &marks.mark, marks.marked_at).await?;
                self.was_ours = true;
                return Ok(());
            }
            // Where ours was until just now somebody else has written since.
            Found::Another(_) if self.was_ours || now - marks.marked_at < 2 * milliseconds(LONGEST_LOOK) => {
                alarm(bridge, now).await?;
            }
            Found::Another(_) => info!(
                "The bot has a mark of another installation on the homeserver, from before this one was started; \
                 if that has been moved here, all is well"
            ),
        }
        // Whichever stays there if the new one does not get through is no news at the next look.
        let there = match &found {
            Found::Another(there) => there,
            Found::Ours | Found::Outdated => &marks.mark,
        };
        let mark = secret::random();
        let mut tx = bridge.db.write().await?;
        installation::claim_installation(&mut tx, &bridge.settings.server_name, now).await?;
        let is_renewed = installation::renew_mark(&mut tx, &marks.mark, there, &mark, now).await?;
        tx.commit().await?;
        // Else another process was faster, and leaves its own.
        if is_renewed {
            leave(bridge, &mark, now).await?;
        }
        self.was_ours = true;
        Ok(())
    }
}

async fn look(bridge: &Bridge) -> Result<(Found, Marks), BridgeError> {
    let content = bridge.matrix.account_data(MARK).await?;
    let there = content.as_ref().and_then(|content| content["mark"].as_str());
    let mut tx = bridge.db.read().await?;
    let marks = installation::marks(&mut tx).await?;
    let found = match there {
        None => Found::Ours,
        Some(there) if there == marks.mark => Found::Ours,
        Some(there) if there == marks.last_mark => Found::Outdated,
        Some(there) => Found::Another(there.to_owned()),
    };
    Ok((found, marks))
}

async fn leave(bridge: &Bridge, mark: &str, at: i64) -> Result<(), BridgeError> {
    let content = json!({ "mark": mark, "at": at });
    bridge.matrix.set_account_data(MARK, &content).await?;
    debug!("Left this installation's mark on the homeserver");
    Ok(())
}

/// Says it when it begins, and notes when it was seen last.
async fn alarm(bridge: &Bridge, now: i64) -> Result<(), BridgeError> {
    let mut tx = bridge.db.write().await?;
    let before = installation::note_other(&mut tx, now).await?;
    tx.commit().await?;
    if before.is_none() {
        error!(
            "Another bridge, with another database, uses the same tokens: messages cross twice, or seem to be somebody \
             else's. Stop one of the two; docs/deploy.md says how a copy is tried"
        );
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
