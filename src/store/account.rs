//! Gitter accounts that the bridge posts with, and which of them must not post for now.

use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::column,
};
use crate::ids::GitterUserId;

statements! {
    UPSERT = "INSERT INTO account (user_id, username, seen_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, seen_at = excluded.seen_at";
    // One account posts for all rooms.
    TAKE_OVER = "UPDATE portal SET account_id = $1 WHERE account_id <> $1";
    PAUSE = "UPDATE account SET paused_at = $2, pause_reason = $3 WHERE user_id = $1 AND paused_at = 0";
    RESUME = "UPDATE account SET paused_at = 0, pause_reason = '' WHERE user_id = $1";
    IS_PAUSED = "SELECT 1 FROM account WHERE user_id = $1 AND paused_at <> 0";
    ALL = "SELECT user_id, username, paused_at, pause_reason FROM account ORDER BY user_id";
    COUNT_PAUSED = "SELECT COUNT(*) FROM account WHERE paused_at <> 0";
    // Of an account that is days old, so that there is little to read.
    REPEATS = "SELECT text, COUNT(*) FROM message
        WHERE account_id = $1 AND origin = 'matrix' AND kind <> 'edit' AND sent >= $2 AND text <> ''
        GROUP BY text HAVING COUNT(*) >= $3 ORDER BY COUNT(*) DESC, text LIMIT 100";
    REMOVED = "SELECT COUNT(DISTINCT deleted.gitter_message_id) FROM deleted
        JOIN message ON message.gitter_room_id = deleted.gitter_room_id
            AND message.gitter_message_id = deleted.gitter_message_id
        WHERE NOT deleted.by_bridge AND deleted.recorded_at >= $2
            AND message.account_id = $1 AND message.origin = 'matrix'";
}

/// A Gitter account that the bridge posts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's user.
    pub user_id: GitterUserId,
    /// Its current user name.
    pub username: String,
}

/// Whether an account may post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// The account.
    pub account: Account,
    /// Since when it must not; 0 if it may.
    pub paused_at: i64,
    /// Why it must not, for people; empty if it may.
    pub pause_reason: String,
}

#[derive(FromRow)]
struct Row {
    user_id: String,
    username: String,
    paused_at: i64,
    pause_reason: String,
}

impl TryFrom<Row> for AccountState {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            account: Account {
                user_id: column("account", "user_id", row.user_id)?,
                username: row.username,
            },
            paused_at: row.paused_at,
            pause_reason: row.pause_reason,
        })
    }
}

/// Remembers the account that posts from now on, in all rooms, with its current user name.
pub async fn record_account(tx: &mut Tx, account: &Account, now: i64) -> Result<(), StoreError> {
    execute!(tx, UPSERT, account.user_id.as_str(), &account.username, now)?;
    execute!(tx, TAKE_OVER, account.user_id.as_str())?;
    Ok(())
}

/// All accounts, and whether they may post.
pub async fn accounts(tx: &mut Tx) -> Result<Vec<AccountState>, StoreError> {
    let rows = query!(tx, fetch_all, Row, ALL)?;
    rows.into_iter().map(AccountState::try_from).collect()
}

/// Keeps an account from posting until an operator lets it; `false` if it is kept already.
pub async fn pause(tx: &mut Tx, account: &GitterUserId, reason: &str, now: i64) -> Result<bool, StoreError> {
    Ok(execute!(tx, PAUSE, account.as_str(), now, reason)? == 1)
}

/// Lets an account post again; `false` if there is no such account.
pub async fn resume(tx: &mut Tx, account: &GitterUserId) -> Result<bool, StoreError> {
    Ok(execute!(tx, RESUME, account.as_str())? == 1)
}

/// Whether an account must not post.
pub async fn is_paused(tx: &mut Tx, account: &GitterUserId) -> Result<bool, StoreError> {
    let found = query!(tx, fetch_optional, (i32,), IS_PAUSED, account.as_str())?;
    Ok(found.is_some())
}

/// How many accounts must not post.
pub async fn count_paused(tx: &mut Tx) -> Result<i64, StoreError> {
    let (paused,) = query!(tx, fetch_one, (i64,), COUNT_PAUSED)?;
    Ok(paused)
}

/// The texts that an account posted at least so often since a time, the most frequent first.
pub async fn repeats(
    tx: &mut Tx,
    account: &GitterUserId,
    since: i64,
    least: i64,
) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(query!(
        tx,
        fetch_all,
        (String, i64),
        REPEATS,
        account.as_str(),
        since,
        least
    )?)
}

/// How many messages that the bridge posted with an account were removed by others since a time.
pub async fn removed(tx: &mut Tx, account: &GitterUserId, since: i64) -> Result<i64, StoreError> {
    let (removed,) = query!(tx, fetch_one, (i64,), REMOVED, account.as_str(), since)?;
    Ok(removed)
}
