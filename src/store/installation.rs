//! Which homeserver the database belongs to.

use ruma::ServerName;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
};

statements! {
    SELECT = "SELECT server_name FROM installation";
    INSERT = "INSERT INTO installation (server_name, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
}

/// Makes the database the one of this homeserver; refuses one that is another's.
///
/// # Errors
/// [`StoreError::OtherServer`] where it is another homeserver's: every event and user id in it would be wrong.
pub async fn claim_installation(tx: &mut Tx, server_name: &ServerName, now: i64) -> Result<(), StoreError> {
    if !check_installation(tx, server_name).await? {
        execute!(tx, INSERT, server_name.as_str(), now)?;
    }
    Ok(())
}

/// Whether the database is this homeserver's; `false` if it is nobody's yet.
///
/// # Errors
/// [`StoreError::OtherServer`] where it is another homeserver's.
pub async fn check_installation(tx: &mut Tx, server_name: &ServerName) -> Result<bool, StoreError> {
    match query!(tx, fetch_optional, (String,), SELECT)? {
        Some((made_for,)) if made_for != server_name.as_str() => Err(StoreError::OtherServer {
            made_for,
            configured: server_name.to_string(),
        }),
        found => Ok(found.is_some()),
    }
}
