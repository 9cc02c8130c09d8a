//! Aliases of the bridge's namespace, and where they lead.

use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId};

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::column,
};
use crate::ids::GitterRoomId;

statements! {
    ONE = "SELECT alias, gitter_room_id, matrix_room_id FROM room_alias WHERE alias = $1";
    OF_ROOM = "SELECT alias, gitter_room_id, matrix_room_id FROM room_alias WHERE gitter_room_id = $1 ORDER BY alias";
    RECORD = "INSERT INTO room_alias (alias, gitter_room_id, matrix_room_id) VALUES ($1, $2, $3)
        ON CONFLICT (alias) DO UPDATE
            SET gitter_room_id = excluded.gitter_room_id, matrix_room_id = excluded.matrix_room_id";
    CLEAR = "DELETE FROM room_alias WHERE gitter_room_id = $1";
    ASK = "INSERT INTO alias_asked (alias, askers, asked_at) VALUES ($1, 1, $2)
        ON CONFLICT (alias) DO UPDATE SET
            askers = CASE WHEN alias_asked.asked_at < $3 THEN 1 ELSE alias_asked.askers + 1 END,
            asked_at = excluded.asked_at";
    ANSWERED = "UPDATE alias_asked SET askers = askers - 1 WHERE alias = $1";
    CLEAR_ANSWERED = "DELETE FROM alias_asked WHERE askers < 1 OR asked_at < $1";
    IS_ASKED = "SELECT COUNT(*) FROM alias_asked WHERE alias = $1 AND askers > 0 AND asked_at >= $2";
}

/// How long a process may wait for the homeserver's answer, in milliseconds; one that asked longer ago has ended.
const ANSWER_WITHIN: i64 = 120_000;

/// An alias and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The alias.
    pub alias: OwnedRoomAliasId,
    /// The Gitter room that it was made for.
    pub gitter_room_id: GitterRoomId,
    /// The Matrix room that it leads to.
    pub matrix_room_id: OwnedRoomId,
}

fn read((alias, gitter_room_id, matrix_room_id): (String, String, String)) -> Result<Alias, StoreError> {
    Ok(Alias {
        alias: column("room_alias", "alias", alias)?,
        gitter_room_id: column("room_alias", "gitter_room_id", gitter_room_id)?,
        matrix_room_id: column("room_alias", "matrix_room_id", matrix_room_id)?,
    })
}

/// What is known of an alias.
pub async fn alias(tx: &mut Tx, alias: &RoomAliasId) -> Result<Option<Alias>, StoreError> {
    query!(tx, fetch_optional, (String, String, String), ONE, alias.as_str())?
        .map(read)
        .transpose()
}

/// The aliases of a portal, by its Gitter room.
pub async fn aliases_of(tx: &mut Tx, room: &GitterRoomId) -> Result<Vec<Alias>, StoreError> {
    query!(tx, fetch_all, (String, String, String), OF_ROOM, room.as_str())?
        .into_iter()
        .map(read)
        .collect()
}

/// Notes where an alias leads.
pub async fn record_alias(tx: &mut Tx, alias: &Alias) -> Result<(), StoreError> {
    execute!(
        tx,
        RECORD,
        alias.alias.as_str(),
        alias.gitter_room_id.as_str(),
        alias.matrix_room_id.as_str(),
    )?;
    Ok(())
}

/// Forgets the aliases of a portal.
pub async fn clear_aliases(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    execute!(tx, CLEAR, room.as_str())?;
    Ok(())
}

/// Notes that a process of the bridge asks the homeserver where an alias leads.
pub async fn ask(tx: &mut Tx, alias: &RoomAliasId, now: i64) -> Result<(), StoreError> {
    execute!(tx, ASK, alias.as_str(), now, now - ANSWER_WITHIN)?;
    Ok(())
}

/// Notes that the homeserver answered.
pub async fn answered(tx: &mut Tx, alias: &RoomAliasId, now: i64) -> Result<(), StoreError> {
    execute!(tx, ANSWERED, alias.as_str())?;
    execute!(tx, CLEAR_ANSWERED, now - ANSWER_WITHIN)?;
    Ok(())
}

/// Whether a process of the bridge asks the homeserver where an alias leads.
pub async fn is_asked(tx: &mut Tx, alias: &RoomAliasId, now: i64) -> Result<bool, StoreError> {
    let (asked,): (i64,) = query!(
        tx,
        fetch_one,
        (i64,),
        IS_ASKED,
        alias.as_str(),
        now - ANSWER_WITHIN
    )?;
    Ok(asked > 0)
}
