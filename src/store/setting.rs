//! What was set for one portal, over the configuration. What a value means is not decided here.

use std::collections::HashMap;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::GitterRoomId;

statements! {
    OF_ROOM = "SELECT name, value FROM portal_setting WHERE gitter_room_id = $1";
    SET = "INSERT INTO portal_setting (gitter_room_id, name, value) VALUES ($1, $2, $3)
        ON CONFLICT (gitter_room_id, name) DO UPDATE SET value = excluded.value";
    CLEAR = "DELETE FROM portal_setting WHERE gitter_room_id = $1 AND name = $2";
    CLEAR_ALL = "DELETE FROM portal_setting WHERE gitter_room_id = $1";
}

words! {
    /// What can be set for one portal.
    SettingName {
        /// How threads of Gitter look in Matrix: `thread` or `reply`.
        Threads = "threads",
        /// When ghosts join: `lazy` or `mirror`.
        Membership = "membership",
        /// Whether senders are told of failures: `on` or `off`.
        Notices = "notices",
        /// Whether name, topic and picture are kept as on Gitter: `on` or `off`.
        Metadata = "metadata",
        /// Whether bans and deletions go to Gitter: `on` or `off`. Only an admin of the Gitter room allows it.
        Moderation = "moderation",
    }
}

/// What is set for a portal.
pub async fn settings(tx: &mut Tx, room: &str) -> Result<HashMap<SettingName, String>, StoreError> {
    query!(tx, fetch_all, (String, String), OF_ROOM, room)?
        .into_iter()
        .map(|(name, value)| Ok((column("portal_setting", "name", name)?, value)))
        .collect()
}

/// Sets one thing for a portal; `None` lets the configuration hold again.
pub async fn set(
    tx: &mut Tx,
    room: &GitterRoomId,
    name: SettingName,
    value: Option<&str>,
) -> Result<(), StoreError> {
    match value {
        Some(value) => execute!(tx, SET, room.as_str(), name.as_str(), value)?,
        None => execute!(tx, CLEAR, room.as_str(), name.as_str())?,
    };
    Ok(())
}

/// Forgets all that was set for a portal.
pub async fn clear(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, CLEAR_ALL, room.as_str())?;
    Ok(())
}
