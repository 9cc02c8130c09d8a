//! Which homeserver the database belongs to, and the marks by which its bridge is told from another's.

use ruma::ServerName;
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
};

statements! {
    SELECT = "SELECT server_name FROM installation";
    INSERT = "INSERT INTO installation (server_name, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    // Nothing was linked, nobody came, and no bridge got as far as to leave its mark, which it does once its homeserver has
    // the name that is configured. Until then the last of several processes with different names has it; whoever makes the
    // first mark claims it in the same transaction.
    RENAME = "UPDATE installation SET server_name = $1 WHERE server_name <> $1 AND mark = '' \
              AND (SELECT COUNT(*) FROM installation) = 1 \
              AND NOT EXISTS (SELECT 1 FROM portal) AND NOT EXISTS (SELECT 1 FROM ghost)";
    UNUSED = "SELECT COUNT(*) FROM installation WHERE mark = '' \
              AND NOT EXISTS (SELECT 1 FROM portal) AND NOT EXISTS (SELECT 1 FROM ghost)";
    MARKS = "SELECT mark, last_mark, marked_at FROM installation";
    // Of several processes that found the same mark one renews it.
    RENEW = "UPDATE installation SET last_mark = $2, mark = $3, marked_at = $4 WHERE mark = $1";
    OTHER = "SELECT other_seen_at FROM installation";
    NOTE_OTHER = "UPDATE installation SET other_seen_at = $1";
}

/// How long after it was seen last another bridge with the same tokens counts as there, in milliseconds.
const OTHER_COUNTS: i64 = 15 * 60_000;

/// What this database's bridge left on the homeserver.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Marks {
    /// The newest; empty before the first.
    pub mark: String,
    /// What was there before, and is as long as the newest does not get there.
    pub last_mark: String,
    /// When the newest was made.
    pub marked_at: i64,
}

/// Makes the database the one of this homeserver; refuses one that is another's. One that was made for another but
/// never used becomes this one's: `homeserver.server_name` was wrong at the first start.
///
/// # Errors
/// [`StoreError::OtherServer`] where it is another homeserver's: every event and user id in it would be wrong.
pub async fn claim_installation(tx: &mut Tx, server_name: &ServerName, now: i64) -> Result<(), StoreError> {
    execute!(tx, RENAME, server_name.as_str())?;
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
    let Some((made_for,)) = query!(tx, fetch_optional, (String,), SELECT)? else {
        return Ok(false);
    };
    if made_for == server_name.as_str() {
        return Ok(true);
    }
    Err(StoreError::OtherServer {
        made_for,
        configured: server_name.to_string(),
    })
}

/// Whether no bridge has used the database yet, so that it may become another homeserver's. For the newest schema.
pub async fn is_unused(tx: &mut Tx) -> Result<bool, StoreError> {
    let (unused,) = query!(tx, fetch_one, (i64,), UNUSED)?;
    Ok(unused > 0)
}

/// What this database's bridge left on the homeserver.
pub async fn marks(tx: &mut Tx) -> Result<Marks, StoreError> {
    Ok(query!(tx, fetch_one, Marks, MARKS)?)
}

/// Makes a new mark where `there` was found; `false` if `from` is not the newest any more.
pub async fn renew_mark(
    tx: &mut Tx,
    from: &str,
    there: &str,
    to: &str,
    now: i64,
) -> Result<bool, StoreError> {
    Ok(execute!(tx, RENEW, from, there, to, now)? == 1)
}

/// When another bridge with the same tokens was seen last, if that is not long ago.
pub async fn other_seen(tx: &mut Tx, now: i64) -> Result<Option<i64>, StoreError> {
    let (seen,) = query!(tx, fetch_one, (i64,), OTHER)?;
    Ok(Some(seen).filter(|seen| now - seen < OTHER_COUNTS))
}

/// Notes that another bridge with the same tokens was seen, and gives when that was so before.
pub async fn note_other(tx: &mut Tx, now: i64) -> Result<Option<i64>, StoreError> {
    let before = other_seen(tx, now).await?;
    execute!(tx, NOTE_OTHER, now)?;
    Ok(before)
}
