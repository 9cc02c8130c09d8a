//! Watches the token that Gitter knows the account by: takes a new one from `gitter.token_file` without a restart, and
//! asks now and then whether a refused one is taken again.
//!
//! A token is taken only once Gitter has said that it is the same account's.

use std::{path::PathBuf, sync::Arc, time::Duration};

use secrecy::SecretString;
use tracing::{info, warn};

use super::{Bridge, now};
use crate::{
    config::secret,
    gitter::{GitterError, Token, is_same_token},
};

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(2);

/// Between two questions about a token that Gitter refused, in milliseconds.
const AGAIN: i64 = 60_000;

/// Between two tries where Gitter did not answer, in milliseconds.
const UNANSWERED: i64 = 5_000;

/// What was last seen.
struct Watch {
    file: Option<PathBuf>,
    /// The token that Gitter was last asked about.
    asked: SecretString,
    /// Not to be asked before.
    not_before: i64,
}

/// Watches until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    let mut watch = Watch {
        file: bridge.settings.token_file.clone(),
        asked: bridge.gitter.token().secret(),
        not_before: 0,
    };
    loop {
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if bridge
            .stop
            .run_until_cancelled(watch.look(&bridge))
            .await
            .is_none()
        {
            return;
        }
    }
}

impl Watch {
    async fn look(&mut self, bridge: &Bridge) {
        // Where the file cannot be read, or is just being written, the next look sees more.
        let found = self.file.as_ref().and_then(|file| secret::read(file).ok());
        let new = found.filter(|found| !is_same_token(found, &self.asked));
        let is_new = new.is_some();
        let now = now();
        if !is_new && !bridge.gitter.token().is_refused() {
            return;
        }
        if !is_new && now < self.not_before {
            return;
        }
        let candidate = new.unwrap_or_else(|| self.asked.clone());
        self.not_before = now + AGAIN;
        let answer = match bridge.gitter.with_token(Token::untried(candidate.clone())) {
            Ok(client) => client.current_user().await,
            Err(error) => {
                warn!(error = %error, "The new token cannot be used");
                self.asked = candidate;
                return;
            }
        };
        match answer {
            Ok(user) if user.id == bridge.account.user_id.as_str() => {
                info!(
                    account.name = user.username,
                    is_new, "Gitter takes the account's token"
                );
                self.asked = candidate.clone();
                bridge.gitter.token().replace(candidate);
                bridge.wake.notify_one();
            }
            Ok(user) => {
                warn!(
                    account.name = user.username,
                    "The new token is another account's, and not taken; restart the bridge to post with that account"
                );
                self.asked = candidate;
            }
            Err(error @ GitterError::Unauthorized { .. }) => {
                if is_new {
                    warn!(error = %error, "Gitter refuses the new token, too");
                }
                self.asked = candidate;
            }
            // It is asked about again.
            Err(error) => {
                warn!(error = %error, "Gitter does not say whether it takes the token");
                self.not_before = now + UNANSWERED;
            }
        }
    }
}
