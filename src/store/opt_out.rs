//! Matrix people who do not want to be bridged, and when those did not who do again. Who asks for it is not known here.
//!
//! Times are those that homeservers give to events: what somebody said is compared with what they said as well.

use ruma::UserId;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
};

statements! {
    INSERT = "INSERT INTO opt_out (user_id, since) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING";
    DELETE = "DELETE FROM opt_out WHERE user_id = $1";
    // Nothing if they opted in before they opted out: clocks may be set back.
    KEEP = "INSERT INTO opt_out_past (user_id, since, until)
        SELECT user_id, since, $2 FROM opt_out WHERE user_id = $1 AND since <= $2
        ON CONFLICT (user_id, since) DO NOTHING";
    // Whoever is out now keeps all back, whenever it was said. Who asks for it waits for the answer: what has the very
    // time of the question was said before.
    IS_OUT = "SELECT since FROM opt_out WHERE user_id = $1
        UNION ALL SELECT since FROM opt_out_past WHERE user_id = $1 AND since < $2 AND until >= $2";
    // What has failed may be tried again.
    CLEAR = "DELETE FROM opt_out_past
        WHERE until < $1
            AND NOT EXISTS (SELECT 1 FROM inbox
                WHERE state <> 'settled' AND direction = 'to_gitter' AND source_time <= until)
            AND NOT EXISTS (SELECT 1 FROM inbox
                WHERE outcome = 'failed' AND direction = 'to_gitter' AND source_time <= until)";
}

/// Notes that somebody does not want to be bridged, from when they said so; `false` if that was so.
pub async fn opt_out(tx: &mut Tx, user: &UserId, since: i64) -> Result<bool, StoreError> {
    Ok(execute!(tx, INSERT, user.as_str(), since)? == 1)
}

/// Notes that somebody may be bridged, from when they said so; `false` if that was so.
pub async fn opt_in(tx: &mut Tx, user: &UserId, until: i64) -> Result<bool, StoreError> {
    execute!(tx, KEEP, user.as_str(), until)?;
    Ok(execute!(tx, DELETE, user.as_str())? == 1)
}

/// Whether somebody does not want to be bridged with what they said then.
pub async fn is_out(tx: &mut Tx, user: &str, said_at: i64) -> Result<bool, StoreError> {
    Ok(query!(tx, fetch_optional, (i64,), IS_OUT, user, said_at)?.is_some())
}

/// Forgets when people were opted out, if that was over by then and nothing of that time can cross any more.
pub async fn clear(tx: &mut Tx, before: i64) -> Result<(), StoreError> {
    execute!(tx, CLEAR, before)?;
    Ok(())
}
