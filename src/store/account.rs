//! Gitter accounts that the bridge posts with.

use super::{
    StoreError, Tx,
    db::{execute, statements},
};
use crate::ids::GitterUserId;

statements! {
    UPSERT = "INSERT INTO account (user_id, username, seen_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, seen_at = excluded.seen_at";
}

/// A Gitter account that the bridge posts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's user.
    pub user_id: GitterUserId,
    /// Its current user name.
    pub username: String,
}

/// Remembers an account, with its current user name.
pub async fn record_account(tx: &mut Tx, account: &Account, now: i64) -> Result<(), StoreError> {
    execute!(tx, UPSERT, account.user_id.as_str(), &account.username, now)?;
    Ok(())
}
