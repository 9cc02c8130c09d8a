//! The Gitter accounts, for operators: which of them send nothing, why, and how they go on (DESIGN 3.1).

use jiff::Timestamp;
use serde::Serialize;
use tracing::info;

use super::{Bridge, BridgeError};
use crate::store::{
    StoreError,
    account::{self, AccountState},
};

/// An account, as the admin API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    user_id: String,
    username: String,
    state: &'static str,
    since: Option<Timestamp>,
    reason: Option<String>,
    mend: Option<&'static str>,
}

/// Why an account does not go on.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The bridge posts with no such account.
    #[error("the bridge has no Gitter account {0:?}")]
    NotFound(String),
    /// The database failed.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Bridge(error.into())
    }
}

/// What to do about an account that Gitter has banned silently.
const BANNED: &str = "ask the Gitter server's operator to lift the ban; then `item retry` what has failed, and \
                      after it `gitter-matrix-bridge account resume`";

/// What to do about a token that is refused.
const REFUSED: &str =
    "put a valid token of the account into gitter.token_file; it is read again without a restart";

impl AccountView {
    /// Its user name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Why it sends nothing, for people; `None` if it does.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// What to do about that.
    pub const fn mend(&self) -> Option<&'static str> {
        self.mend
    }
}

impl Bridge {
    /// The accounts that the bridge posts with, or did.
    pub async fn accounts(&self) -> Result<Vec<AccountView>, AccountError> {
        let mut tx = self.db.read().await?;
        let accounts = account::accounts(&mut tx).await?;
        Ok(accounts
            .into_iter()
            .map(|found| self.account_view(found))
            .collect())
    }

    /// Lets a paused account send again; nothing for one that does.
    pub async fn resume_account(&self, id: &str) -> Result<AccountView, AccountError> {
        let unknown = || AccountError::NotFound(id.to_owned());
        let mut tx = self.db.write().await?;
        let accounts = account::accounts(&mut tx).await?;
        let named =
            |found: &&AccountState| found.account.user_id.as_str() == id || found.account.username == id;
        let account = accounts.iter().find(named).ok_or_else(unknown)?.account.clone();
        if !account::resume(&mut tx, &account.user_id).await? {
            return Err(unknown());
        }
        tx.commit().await?;
        info!(account.name = account.username, account.id = %account.user_id, "An operator lets an account send again");
        self.wake.notify_one();
        Ok(self.account_view(AccountState {
            account,
            paused_at: 0,
            pause_reason: String::new(),
        }))
    }

    pub(super) fn account_view(&self, found: AccountState) -> AccountView {
        let is_ours = found.account.user_id == self.account.user_id;
        let refused_at = self.gitter.token().refused_at().filter(|_| is_ours);
        let paused_at = Timestamp::from_millisecond(found.paused_at);
        let (state, since, reason, mend) = match (found.paused_at, refused_at) {
            (0, None) => ("active", None, None, None),
            (0, Some(since)) => {
                let reason = "Gitter refuses the token".to_owned();
                ("token_refused", Some(since), Some(reason), Some(REFUSED))
            }
            _ => ("paused", paused_at.ok(), Some(found.pause_reason), Some(BANNED)),
        };
        AccountView {
            user_id: found.account.user_id.to_string(),
            username: found.account.username,
            state,
            since,
            reason,
            mend,
        }
    }
}
