//! Forgets a person: names, pictures, and what they said. Ids stay, and which event is which message.
//!
//! Who wrote an item is in its body, and only there; whoever calls reads it and says which items go.

use ruma::UserId;
use sqlx::FromRow;

use super::{
    Ghost, StoreError, Tx,
    db::{execute, query, statements},
    error::column,
    inbox::ItemState,
    lane,
    ledger::Place,
};

statements! {
    // Bodies that hold a text anywhere; they are looked at one by one after that.
    MENTIONING = "SELECT gitter_room_id, direction, purpose, number, state, operation, body FROM inbox
        WHERE body LIKE $1 ESCAPE '!' AND (gitter_room_id, direction, purpose, number) > ($2, $3, $4, $5)
        ORDER BY gitter_room_id, direction, purpose, number LIMIT $6";
    ACTIONS = "UPDATE attempt SET action = '{}'
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4";
    BODY = "UPDATE inbox SET body = '{}'
        WHERE gitter_room_id = $1 AND direction = $2 AND purpose = $3 AND number = $4 AND state = 'settled'";
    TEXTS = "UPDATE message SET text = '', mentions = ''
        WHERE sender = $1 AND (text <> '' OR mentions <> '') AND event_id IN (
            SELECT event_id FROM message WHERE sender = $1 AND (text <> '' OR mentions <> '')
            ORDER BY event_id LIMIT 200)";
    MEMBER = "DELETE FROM member WHERE user_id = $1";
    // A ghost stays a member: it has to leave when its room is unlinked.
    MEMBER_NAMES = "UPDATE member SET display_name = '', avatar_url = ''
        WHERE user_id = $1 AND (display_name <> '' OR avatar_url <> '')";
    GHOST = "UPDATE ghost SET username = '', display_name = '', avatar_url = '', shown_name = '', shown_avatar = '',
            shown_username = ''
        WHERE gitter_user_id = $1";
    PICTURE = "DELETE FROM avatar WHERE source_url = $1";
    LINKS = "UPDATE media SET state = 'revoked', body = '', encryption = '', file_name = ''
        WHERE state <> 'revoked' AND matrix_room_id <> '' AND (matrix_room_id, owner) IN (
            SELECT matrix_room_id, event_id FROM message WHERE sender = $1)";
    // A link to a new picture may be made again.
    PICTURE_LINKS = "DELETE FROM media WHERE purpose = 'avatar' AND owner = $1";
}

/// An item whose body holds a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mentioning {
    /// Where it is.
    pub place: Place,
    /// How far it is.
    pub state: ItemState,
    /// The event's type, or `create`, `update`, `patch`, `remove`.
    pub operation: String,
    /// Raw JSON.
    pub body: String,
}

#[derive(FromRow)]
struct Row {
    gitter_room_id: String,
    direction: String,
    purpose: String,
    number: i64,
    state: String,
    operation: String,
    body: String,
}

/// Items whose bodies hold a text, in the order of their places: so many, behind one.
pub async fn mentioning(
    tx: &mut Tx,
    text: &str,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Mentioning>, StoreError> {
    let literal = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    let pattern = format!("%{literal}%");
    let (room, direction, purpose, number) = after.map_or(("", "", "", 0), Place::columns);
    let rows = query!(
        tx, fetch_all, Row, MENTIONING, &pattern, room, direction, purpose, number, limit
    )?;
    rows.into_iter()
        .map(|row| {
            Ok(Mentioning {
                place: Place::read(row.gitter_room_id, row.direction, row.purpose, row.number)?,
                state: column("inbox", "state", row.state)?,
                operation: row.operation,
                body: row.body,
            })
        })
        .collect()
}

/// Forgets what a settled item said, and what was made of it.
pub async fn forget_item(tx: &mut Tx, place: &Place) -> Result<(), StoreError> {
    // The lane first, then attempts, then items, as everywhere.
    lane::lock_lane(tx, &place.lane).await?;
    let (room, direction, purpose, number) = place.columns();
    execute!(tx, ACTIONS, room, direction, purpose, number)?;
    execute!(tx, BODY, room, direction, purpose, number)?;
    Ok(())
}

/// Forgets what some messages of a user said, in the map; gives how many. The next call goes on with others.
pub async fn forget_texts(tx: &mut Tx, user: &UserId) -> Result<u64, StoreError> {
    Ok(execute!(tx, TEXTS, user.as_str())?)
}

/// Ends links to a user's files and full texts for good, and those to the user's picture; gives how many.
pub async fn forget_links(tx: &mut Tx, user: &UserId) -> Result<u64, StoreError> {
    let links = execute!(tx, LINKS, user.as_str())?;
    let pictures = execute!(tx, PICTURE_LINKS, user.as_str())?;
    Ok(links + pictures)
}

/// Forgets a Matrix user's name and picture in every room; gives in how many.
pub async fn forget_member(tx: &mut Tx, user: &UserId) -> Result<u64, StoreError> {
    Ok(execute!(tx, MEMBER, user.as_str())?)
}

/// Forgets the name and picture of a Gitter user; gives in how many rooms.
pub async fn forget_ghost(tx: &mut Tx, ghost: &Ghost) -> Result<u64, StoreError> {
    let rooms = execute!(tx, MEMBER_NAMES, ghost.user_id.as_str())?;
    for picture in [&ghost.avatar_url, &ghost.shown_avatar] {
        execute!(tx, PICTURE, picture)?;
    }
    execute!(tx, GHOST, ghost.gitter_user_id.as_str())?;
    Ok(rooms)
}
