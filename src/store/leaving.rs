//! Portals that have ended, and of which something is left to be done away with. It is written with their end.

use ruma::{OwnedRoomId, OwnedUserId};

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::GitterRoomId;

statements! {
    NOTE = "INSERT INTO leaving (gitter_room_id, matrix_room_id, gitter_uri, cause, ghosts, noted_at, claimed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)
        ON CONFLICT (gitter_room_id, matrix_room_id) DO UPDATE SET gitter_uri = excluded.gitter_uri,
            cause = excluded.cause, ghosts = excluded.ghosts, noted_at = excluded.noted_at,
            claimed_at = excluded.claimed_at";
    DUE = "SELECT gitter_room_id, matrix_room_id, gitter_uri, cause, ghosts, noted_at, claimed_at FROM leaving
        WHERE claimed_at <= $1 ORDER BY noted_at, gitter_room_id, matrix_room_id";
    CLAIM = "UPDATE leaving SET claimed_at = $5
        WHERE gitter_room_id = $1 AND matrix_room_id = $2 AND noted_at = $3 AND claimed_at = $4";
    DONE = "DELETE FROM leaving WHERE gitter_room_id = $1 AND matrix_room_id = $2 AND noted_at = $3";
}

words! {
    /// How a portal has ended.
    Cause {
        /// Its rooms were unlinked.
        Unlinked = "unlinked",
        /// The Gitter room was linked with another Matrix room.
        Replaced = "replaced",
        /// The Gitter room is gone; the portal is still there.
        Gone = "gone",
        /// The portal moved to the Matrix room's successor.
        Moved = "moved",
    }
}

type Row = (String, String, String, String, String, i64, i64);

/// A portal that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// The Gitter room.
    pub gitter_room_id: GitterRoomId,
    /// The Matrix room.
    pub matrix_room_id: OwnedRoomId,
    /// The Gitter room's URI.
    pub gitter_uri: String,
    /// How it has ended.
    pub cause: Cause,
    /// The ghosts that are to leave.
    pub ghosts: Vec<OwnedUserId>,
    /// When it ended.
    pub noted_at: i64,
}

/// Notes that something is left to be done. Whoever notes it has it claimed, since it was noted.
pub async fn note(tx: &mut Tx, leaving: &Leaving) -> Result<(), StoreError> {
    let ghosts: Vec<&str> = leaving.ghosts.iter().map(|ghost| ghost.as_str()).collect();
    execute!(
        tx,
        NOTE,
        leaving.gitter_room_id.as_str(),
        leaving.matrix_room_id.as_str(),
        &leaving.gitter_uri,
        leaving.cause.as_str(),
        &ghosts.join(" "),
        leaving.noted_at,
    )?;
    Ok(())
}

/// Those of which something is left and which nobody has claimed after some moment, oldest first; with the moment when
/// somebody did.
pub async fn due(tx: &mut Tx, claimed_before: i64) -> Result<Vec<(Leaving, i64)>, StoreError> {
    query!(tx, fetch_all, Row, DUE, claimed_before)?
        .into_iter()
        .map(
            |(gitter, matrix, gitter_uri, cause, ghosts, noted_at, claimed_at)| {
                let ghosts = ghosts.split_whitespace().map(str::to_owned);
                let leaving = Leaving {
                    gitter_room_id: column("leaving", "gitter_room_id", gitter)?,
                    matrix_room_id: column("leaving", "matrix_room_id", matrix)?,
                    gitter_uri,
                    cause: column("leaving", "cause", cause)?,
                    ghosts: ghosts
                        .map(|ghost| column("leaving", "ghosts", ghost))
                        .collect::<Result<_, _>>()?,
                    noted_at,
                };
                Ok((leaving, claimed_at))
            },
        )
        .collect()
}

/// Claims what is left, by the moment of the last claim; `false` if somebody else has done so since, or nothing is left.
pub async fn claim(tx: &mut Tx, leaving: &Leaving, last: i64, now: i64) -> Result<bool, StoreError> {
    let (gitter, matrix) = (leaving.gitter_room_id.as_str(), leaving.matrix_room_id.as_str());
    Ok(execute!(tx, CLAIM, gitter, matrix, leaving.noted_at, last, now)? == 1)
}

/// Lets anybody claim it.
pub async fn release(tx: &mut Tx, leaving: &Leaving, claimed_at: i64) -> Result<(), StoreError> {
    claim(tx, leaving, claimed_at, 0).await.map(drop)
}

/// Notes that nothing is left.
pub async fn done(tx: &mut Tx, leaving: &Leaving) -> Result<(), StoreError> {
    let (gitter, matrix) = (leaving.gitter_room_id.as_str(), leaving.matrix_room_id.as_str());
    execute!(tx, DONE, gitter, matrix, leaving.noted_at)?;
    Ok(())
}
