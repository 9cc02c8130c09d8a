//! Portals that have ended, and of which something is left to be done away with. It is written with their end.

use ruma::{OwnedRoomId, OwnedUserId};

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::GitterRoomId;

statements! {
    NOTE = "INSERT INTO leaving (gitter_room_id, matrix_room_id, gitter_uri, cause, ghosts, noted_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (gitter_room_id, matrix_room_id) DO UPDATE SET gitter_uri = excluded.gitter_uri,
            cause = excluded.cause, ghosts = excluded.ghosts, noted_at = excluded.noted_at";
    ALL = "SELECT gitter_room_id, matrix_room_id, gitter_uri, cause, ghosts, noted_at FROM leaving
        ORDER BY noted_at, gitter_room_id, matrix_room_id";
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
    }
}

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

/// Notes that something is left to be done.
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

/// All of which something is left, oldest first.
pub async fn all(tx: &mut Tx) -> Result<Vec<Leaving>, StoreError> {
    query!(tx, fetch_all, (String, String, String, String, String, i64), ALL)?
        .into_iter()
        .map(|(gitter, matrix, gitter_uri, cause, ghosts, noted_at)| {
            let ghosts = ghosts.split_whitespace().map(str::to_owned);
            Ok(Leaving {
                gitter_room_id: column("leaving", "gitter_room_id", gitter)?,
                matrix_room_id: column("leaving", "matrix_room_id", matrix)?,
                gitter_uri,
                cause: column("leaving", "cause", cause)?,
                ghosts: ghosts
                    .map(|ghost| column("leaving", "ghosts", ghost))
                    .collect::<Result<_, _>>()?,
                noted_at,
            })
        })
        .collect()
}

/// Notes that nothing is left.
pub async fn done(tx: &mut Tx, leaving: &Leaving) -> Result<(), StoreError> {
    let (gitter, matrix) = (leaving.gitter_room_id.as_str(), leaving.matrix_room_id.as_str());
    execute!(tx, DONE, gitter, matrix, leaving.noted_at)?;
    Ok(())
}
