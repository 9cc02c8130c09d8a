//! A database that was restored from a backup: what it does not know has perhaps happened (`serve --restored`).

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
};
use crate::ids::GitterRoomId;

statements! {
    LAST_USE = "SELECT COALESCE(MAX(created_at), 0), COALESCE(MAX(settled_at), 0) FROM inbox";
    // Said again before all was looked for, it is the same backup still.
    BEGIN = "UPDATE installation SET restored_at = $1,
            backup_at = CASE WHEN backup_at > 0 AND (EXISTS (SELECT 1 FROM portal WHERE look_back)
                OR EXISTS (SELECT 1 FROM inbox WHERE state <> 'settled')) THEN backup_at ELSE $2 END";
    LOOK_BACK = "UPDATE portal SET look_back = TRUE";
    // What was posted before the backup may be deleted since.
    AWAIT_NOTHING = "DELETE FROM awaited_echo";
    READ = "SELECT restored_at, backup_at FROM installation";
    TO_LOOK_BACK = "SELECT gitter_room_id FROM portal WHERE look_back ORDER BY gitter_room_id";
    LOOKED_BACK = "UPDATE portal SET look_back = FALSE WHERE gitter_room_id = $1";
    IS_UNFINISHED = "SELECT 1 FROM portal WHERE gitter_room_id = $1 AND (look_back
            OR EXISTS (SELECT 1 FROM inbox WHERE inbox.gitter_room_id = $1 AND inbox.direction = 'to_gitter'
                AND inbox.purpose = 'live' AND inbox.state <> 'settled' AND inbox.source_time <= $2))";
}

/// How much later by one clock something may seem to be than by another, in milliseconds.
const CLOCK_SLACK: i64 = 60_000;

/// What may have happened since a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// When the bridge was started on it; 0 for a database that never was restored.
    pub restored_at: i64,
    /// When it was in use last before that.
    pub backup_at: i64,
}

impl Restored {
    /// Whether something that was said then may have crossed, though the database does not know.
    pub const fn may_hold(self, said_at: i64) -> bool {
        self.restored_at > 0 && said_at <= self.restored_at + CLOCK_SLACK
    }

    /// From when on it may have crossed.
    pub const fn since(self) -> i64 {
        self.backup_at.saturating_sub(CLOCK_SLACK)
    }
}

/// Notes that the database was restored: everything since is to be looked for.
pub async fn begin(tx: &mut Tx, now: i64) -> Result<(), StoreError> {
    let (accepted, settled) = query!(tx, fetch_one, (i64, i64), LAST_USE)?;
    execute!(tx, BEGIN, now, accepted.max(settled))?;
    execute!(tx, LOOK_BACK)?;
    execute!(tx, AWAIT_NOTHING)?;
    Ok(())
}

/// What may have happened since a backup.
pub async fn read(tx: &mut Tx) -> Result<Restored, StoreError> {
    let found = query!(tx, fetch_optional, (i64, i64), READ)?;
    let (restored_at, backup_at) = found.unwrap_or_default();
    Ok(Restored {
        restored_at,
        backup_at,
    })
}

/// The Gitter rooms of portals whose Matrix room is still to be read back.
pub async fn to_look_back(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    let rows = query!(tx, fetch_all, (String,), TO_LOOK_BACK)?;
    Ok(rows.into_iter().map(|(room,)| room).collect())
}

/// Notes that a portal's Matrix room was read back.
pub async fn looked_back(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, LOOKED_BACK, room.as_str())?;
    Ok(())
}

/// Whether a portal has events of before then that may still turn out to have crossed.
pub async fn is_unfinished(tx: &mut Tx, room: &GitterRoomId, restored: Restored) -> Result<bool, StoreError> {
    let by = restored.restored_at + CLOCK_SLACK;
    let found = query!(tx, fetch_optional, (i32,), IS_UNFINISHED, room.as_str(), by)?;
    Ok(found.is_some())
}
