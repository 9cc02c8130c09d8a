//! Ghosts, their devices and pictures.

use ruma::{OwnedUserId, UserId};
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::column,
};
use crate::ids::GitterUserId;

statements! {
    INSERT = "INSERT INTO ghost (gitter_user_id, user_id, username, display_name, avatar_url, registered, shown_name,
            shown_avatar)
        VALUES ($1, $2, $3, $4, $5, $6, '', '') ON CONFLICT DO NOTHING";
    UPDATE = "UPDATE ghost SET username = $2, display_name = $3, avatar_url = $4 WHERE gitter_user_id = $1";
    BY_ID = "SELECT gitter_user_id, user_id, username, display_name, avatar_url, registered, shown_name, shown_avatar,
            shown_username
        FROM ghost WHERE gitter_user_id = $1";
    BY_USER_ID = "SELECT gitter_user_id, user_id, username, display_name, avatar_url, registered, shown_name,
            shown_avatar, shown_username
        FROM ghost WHERE user_id = $1";
    BY_USERNAME = "SELECT gitter_user_id, user_id, username, display_name, avatar_url, registered, shown_name,
            shown_avatar, shown_username
        FROM ghost WHERE username = $1";
    MARK_REGISTERED = "UPDATE ghost SET registered = TRUE WHERE user_id = $1";
    RECORD_PROFILE = "UPDATE ghost SET shown_name = $2, shown_avatar = $3, shown_username = $4 WHERE user_id = $1";
    DEVICE = "SELECT device_id, created_at FROM device WHERE user_id = $1";
    RECORD_DEVICE = "INSERT INTO device (user_id, device_id, created_at) VALUES ($1, $2, $3)
        ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id, created_at = excluded.created_at";
    FORGET_DEVICE = "DELETE FROM device WHERE user_id = $1";
    AVATAR = "SELECT mxc FROM avatar WHERE source_url = $1";
    RECORD_AVATAR = "INSERT INTO avatar (source_url, mxc, uploaded_at) VALUES ($1, $2, $3)
        ON CONFLICT (source_url) DO UPDATE SET source_url = excluded.source_url RETURNING mxc";
}

/// The Matrix user that stands for a Gitter user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ghost {
    /// The Gitter user.
    pub gitter_user_id: GitterUserId,
    /// The Matrix user; stays when the Gitter user is renamed.
    pub user_id: OwnedUserId,
    /// The Gitter user's current name.
    pub username: String,
    /// The Gitter user's current display name.
    pub display_name: String,
    /// The Gitter user's current picture; empty for none.
    pub avatar_url: String,
    /// Whether the homeserver knows it.
    pub registered: bool,
    /// What its Matrix display name was last set to.
    pub shown_name: String,
    /// The Gitter picture that its Matrix picture was last set from.
    pub shown_avatar: String,
    /// The Gitter user name that its Matrix profile was last set from.
    pub shown_username: String,
}

#[derive(FromRow)]
struct Row {
    gitter_user_id: String,
    user_id: String,
    username: String,
    display_name: String,
    avatar_url: String,
    registered: bool,
    shown_name: String,
    shown_avatar: String,
    shown_username: String,
}

impl TryFrom<Row> for Ghost {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            gitter_user_id: column("ghost", "gitter_user_id", row.gitter_user_id)?,
            user_id: column("ghost", "user_id", row.user_id)?,
            username: row.username,
            display_name: row.display_name,
            avatar_url: row.avatar_url,
            registered: row.registered,
            shown_name: row.shown_name,
            shown_avatar: row.shown_avatar,
            shown_username: row.shown_username,
        })
    }
}

/// Adds a ghost; one that is known stays as it is.
pub async fn insert_ghost(tx: &mut Tx, ghost: &Ghost) -> Result<(), StoreError> {
    execute!(
        tx,
        INSERT,
        ghost.gitter_user_id.as_str(),
        ghost.user_id.as_str(),
        &ghost.username,
        &ghost.display_name,
        &ghost.avatar_url,
        ghost.registered,
    )?;
    Ok(())
}

/// Notes the Gitter user's current name, display name and picture.
pub async fn update_ghost(tx: &mut Tx, ghost: &Ghost) -> Result<(), StoreError> {
    let Ghost {
        gitter_user_id,
        username,
        display_name,
        avatar_url,
        ..
    } = ghost;
    execute!(
        tx,
        UPDATE,
        gitter_user_id.as_str(),
        username,
        display_name,
        avatar_url
    )?;
    Ok(())
}

/// The ghost of a Gitter user.
pub async fn ghost_by_id(tx: &mut Tx, id: &GitterUserId) -> Result<Option<Ghost>, StoreError> {
    query!(tx, fetch_optional, Row, BY_ID, id.as_str())?
        .map(Ghost::try_from)
        .transpose()
}

/// The ghost with a Matrix id.
pub async fn ghost_by_user_id(tx: &mut Tx, id: &UserId) -> Result<Option<Ghost>, StoreError> {
    query!(tx, fetch_optional, Row, BY_USER_ID, id.as_str())?
        .map(Ghost::try_from)
        .transpose()
}

/// Ghosts whose Gitter user has, or last had, this user name.
pub async fn ghosts_by_username(tx: &mut Tx, username: &str) -> Result<Vec<Ghost>, StoreError> {
    query!(tx, fetch_all, Row, BY_USERNAME, username)?
        .into_iter()
        .map(Ghost::try_from)
        .collect()
}

/// Notes that the homeserver knows a ghost.
pub async fn mark_registered(tx: &mut Tx, id: &UserId) -> Result<(), StoreError> {
    execute!(tx, MARK_REGISTERED, id.as_str())?;
    Ok(())
}

/// Notes what a ghost's Matrix profile was set to: the `shown_` fields.
pub async fn record_profile(tx: &mut Tx, ghost: &Ghost) -> Result<(), StoreError> {
    let Ghost {
        user_id,
        shown_name,
        shown_avatar,
        shown_username,
        ..
    } = ghost;
    execute!(
        tx,
        RECORD_PROFILE,
        user_id.as_str(),
        shown_name,
        shown_avatar,
        shown_username
    )?;
    Ok(())
}

/// A device that a user of ours sends with.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Device {
    /// Its id.
    pub device_id: String,
    /// When it was made; the homeserver's memory for it is no older.
    pub created_at: i64,
}

/// The device that a user of ours sends with.
pub async fn device(tx: &mut Tx, id: &UserId) -> Result<Option<Device>, StoreError> {
    Ok(query!(tx, fetch_optional, Device, DEVICE, id.as_str())?)
}

/// Remembers the device that a user of ours sends with.
pub async fn record_device(tx: &mut Tx, id: &UserId, device: &str, now: i64) -> Result<(), StoreError> {
    execute!(tx, RECORD_DEVICE, id.as_str(), device, now)?;
    Ok(())
}

/// Forgets a device that the homeserver no longer knows.
pub async fn forget_device(tx: &mut Tx, id: &UserId) -> Result<(), StoreError> {
    execute!(tx, FORGET_DEVICE, id.as_str())?;
    Ok(())
}

/// Where a Gitter picture was uploaded to.
pub async fn avatar(tx: &mut Tx, source_url: &str) -> Result<Option<String>, StoreError> {
    Ok(query!(tx, fetch_optional, (String,), AVATAR, source_url)?.map(|(mxc,)| mxc))
}

/// Remembers where a Gitter picture was uploaded to. Gives the place that is kept: another process may have been first.
pub async fn record_avatar(tx: &mut Tx, source_url: &str, mxc: &str, now: i64) -> Result<String, StoreError> {
    let (kept,): (String,) = query!(tx, fetch_one, (String,), RECORD_AVATAR, source_url, mxc, now)?;
    Ok(kept)
}
