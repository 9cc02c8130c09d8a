//! Members of portal rooms, as their membership events told.

use ruma::{OwnedUserId, RoomId, UserId};
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::column,
};
use crate::names;

statements! {
    UPSERT = "INSERT INTO member (matrix_room_id, user_id, membership, display_name, avatar_url, name_key)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (matrix_room_id, user_id) DO UPDATE
            SET membership = excluded.membership, display_name = excluded.display_name,
                avatar_url = excluded.avatar_url, name_key = excluded.name_key";
    ONE = "SELECT user_id, membership, display_name, avatar_url FROM member
        WHERE matrix_room_id = $1 AND user_id = $2";
    // A row from before the keys has none until its next event; it is found by the very name.
    NAMESAKES = "SELECT user_id, membership, display_name, avatar_url FROM member
        WHERE matrix_room_id = $1 AND user_id <> $2 AND membership = 'join'
            AND (name_key = $3 OR (name_key = '' AND display_name <> '' AND display_name = $4))
        ORDER BY user_id LIMIT 10";
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
        avatar_url,
        &name_key(member)
    )?;
    Ok(())
}

/// A member by id.
pub async fn member(tx: &mut Tx, room: &RoomId, user: &UserId) -> Result<Option<Member>, StoreError> {
    query!(tx, fetch_optional, Row, ONE, room.as_str(), user.as_str())?
        .map(Member::try_from)
        .transpose()
}

/// Other joined members whose names look like a member's, at most ten.
pub async fn namesakes(tx: &mut Tx, room: &RoomId, member: &Member) -> Result<Vec<Member>, StoreError> {
    let rows = query!(
        tx,
        fetch_all,
        Row,
        NAMESAKES,
        room.as_str(),
        member.user_id.as_str(),
        &name_key(member),
        &member.display_name
    )?;
    rows.into_iter().map(Member::try_from).collect()
}

fn name_key(member: &Member) -> String {
    names::key_of(&member.display_name, member.user_id.localpart())
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
