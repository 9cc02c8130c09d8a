//! Matrix people who do not want to be bridged. Who asks for it is not known here.

use ruma::UserId;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
};

statements! {
    INSERT = "INSERT INTO opt_out (user_id, since) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING";
    DELETE = "DELETE FROM opt_out WHERE user_id = $1";
    IS_OUT = "SELECT since FROM opt_out WHERE user_id = $1";
}

/// Notes that somebody does not want to be bridged; `false` if that was so.
pub async fn opt_out(tx: &mut Tx, user: &UserId, now: i64) -> Result<bool, StoreError> {
    Ok(execute!(tx, INSERT, user.as_str(), now)? == 1)
}

/// Notes that somebody may be bridged; `false` if that was so.
pub async fn opt_in(tx: &mut Tx, user: &UserId) -> Result<bool, StoreError> {
    Ok(execute!(tx, DELETE, user.as_str())? == 1)
}

/// Whether somebody does not want to be bridged.
pub async fn is_out(tx: &mut Tx, user: &str) -> Result<bool, StoreError> {
    Ok(query!(tx, fetch_optional, (i64,), IS_OUT, user)?.is_some())
}
