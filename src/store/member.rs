//! Members of portal rooms, as their membership events told.

use ruma::{OwnedUserId, RoomId, UserId};
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::column,
};

statements! {
    UPSERT = "INSERT INTO member (matrix_room_id, user_id, membership, display_name, avatar_url)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (matrix_room_id, user_id) DO UPDATE
            SET membership = excluded.membership, display_name = excluded.display_name, avatar_url = excluded.avatar_url";
    ONE = "SELECT user_id, membership, display_name, avatar_url FROM member
        WHERE matrix_room_id = $1 AND user_id = $2";
    NAMED = "SELECT user_id, membership, display_name, avatar_url FROM member
        WHERE matrix_room_id = $1 AND display_name = $2 AND membership = 'join' ORDER BY user_id LIMIT 10";
    GHOSTS = "SELECT member.user_id, membership, member.display_name, member.avatar_url
        FROM member JOIN ghost ON ghost.user_id = member.user_id
        WHERE matrix_room_id = $1 AND membership = 'join' ORDER BY member.user_id";
    CLEAR = "DELETE FROM member WHERE matrix_room_id = $1";
}

/// A member of a portal's Matrix room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The Matrix user.
    pub user_id: OwnedUserId,
    /// `join`, `invite`, `leave`, `ban` or `knock`.
    pub membership: String,
    /// The name in this room; empty for none.
    pub display_name: String,
    /// The picture in this room, an mxc URI; empty for none.
    pub avatar_url: String,
}

#[derive(FromRow)]
struct Row {
    user_id: String,
    membership: String,
    display_name: String,
    avatar_url: String,
}

impl TryFrom<Row> for Member {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            user_id: column("member", "user_id", row.user_id)?,
            membership: row.membership,
            display_name: row.display_name,
            avatar_url: row.avatar_url,
        })
    }
}

/// Notes a member's state.
pub async fn record_member(tx: &mut Tx, room: &RoomId, member: &Member) -> Result<(), StoreError> {
    let Member {
        user_id,
        membership,
        display_name,
        avatar_url,
    } = member;
    execute!(
        tx,
        UPSERT,
        room.as_str(),
        user_id.as_str(),
        membership,
        display_name,
        avatar_url
    )?;
    Ok(())
}

/// A member by id.
pub async fn member(tx: &mut Tx, room: &RoomId, user: &UserId) -> Result<Option<Member>, StoreError> {
    query!(tx, fetch_optional, Row, ONE, room.as_str(), user.as_str())?
        .map(Member::try_from)
        .transpose()
}

/// Joined members with this display name, at most ten.
pub async fn members_named(tx: &mut Tx, room: &RoomId, name: &str) -> Result<Vec<Member>, StoreError> {
    query!(tx, fetch_all, Row, NAMED, room.as_str(), name)?
        .into_iter()
        .map(Member::try_from)
        .collect()
}

/// Forgets a room's members.
pub async fn clear_members(tx: &mut Tx, room: &RoomId) -> Result<(), StoreError> {
    execute!(tx, CLEAR, room.as_str())?;
    Ok(())
}

/// The ghosts that are in a room.
pub async fn ghosts_in(tx: &mut Tx, room: &RoomId) -> Result<Vec<OwnedUserId>, StoreError> {
    let rows = query!(tx, fetch_all, Row, GHOSTS, room.as_str())?;
    rows.into_iter()
        .map(|row| Member::try_from(row).map(|member| member.user_id))
        .collect()
}
