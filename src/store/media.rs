//! What signed links lead to, and whether they still may; and Gitter files that are on Matrix already.
//!
//! The same file of the same event (or the same picture of the same user) is the same row, so its link stays.

use ruma::RoomId;
use sqlx::FromRow;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::{GitterRoomId, MediaId, MediaPurpose};

statements! {
    // Two that make the same row at once both find the one that was first.
    INSERT = "INSERT INTO media (id, purpose, gitter_room_id, matrix_room_id, owner, mxc, file_name, content_type,
            encryption, body, state, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'live', $11)
        ON CONFLICT (purpose, matrix_room_id, owner, mxc) DO NOTHING";
    BY_SOURCE = "SELECT id, purpose, mxc, file_name, content_type, encryption, body, state, created_at
        FROM media WHERE purpose = $1 AND matrix_room_id = $2 AND owner = $3 AND mxc = $4";
    BY_ID = "SELECT id, purpose, mxc, file_name, content_type, encryption, body, state, created_at
        FROM media WHERE id = $1";
    // What a link showed must not stay behind in the database either. What an event's edits showed goes with it.
    REVOKE_EVENT = "UPDATE media SET state = 'revoked', body = '', encryption = '', file_name = ''
        WHERE matrix_room_id = $1 AND (owner = $2 OR owner IN (
            SELECT event_id FROM message WHERE matrix_room_id = $1 AND changes = $2 AND changes <> '')) RETURNING id";
    REVOKE_ID = "UPDATE media SET state = 'revoked', body = '', encryption = '', file_name = ''
        WHERE id = $1 AND state <> 'revoked' RETURNING id";
    REVOKE_FILE = "UPDATE media SET state = 'revoked', body = '', encryption = '', file_name = ''
        WHERE mxc = $1 AND state <> 'revoked' RETURNING id";
    REVOKE_OWNER = "UPDATE media SET state = 'revoked', body = '', encryption = '', file_name = ''
        WHERE owner = $1 AND state <> 'revoked' RETURNING id";
    REVOKE_ROOM = "UPDATE media SET state = 'revoked', body = '', encryption = '', file_name = ''
        WHERE (gitter_room_id = $1 OR matrix_room_id = $1) AND state <> 'revoked' RETURNING id";
    CHANGE_STATE = "UPDATE media SET state = $3 WHERE gitter_room_id = $1 AND state = $2 RETURNING id";
    UPLOAD = "SELECT mxc, content FROM upload WHERE source_url = $1";
    RECORD_UPLOAD = "INSERT INTO upload (source_url, mxc, content, uploaded_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (source_url) DO UPDATE SET mxc = excluded.mxc, content = excluded.content,
            uploaded_at = excluded.uploaded_at";
}

words! {
    /// Whether what a link leads to may be seen.
    MediaState {
        /// It may.
        Live = "live",
        /// Not while its rooms are not linked.
        Suspended = "suspended",
        /// Never again.
        Revoked = "revoked",
    }
}

/// Something that a link is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewMedia<'a> {
    /// What for.
    pub purpose: MediaPurpose,
    /// The Gitter room that the link is shown in; `None` for avatars.
    pub gitter_room_id: Option<&'a GitterRoomId>,
    /// The Matrix room that it comes from; `None` for avatars.
    pub matrix_room_id: Option<&'a RoomId>,
    /// The event it comes from; for avatars the user.
    pub owner: &'a str,
    /// The file; empty for full texts.
    pub mxc: &'a str,
    /// Its name, as the sender said.
    pub file_name: &'a str,
    /// Its type, as the sender said; empty if unknown.
    pub content_type: &'a str,
    /// The keys of an encrypted file (JSON); empty for others.
    pub encryption: &'a str,
    /// The text of a full text; empty for others.
    pub body: &'a str,
}

/// Something that a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Its id in the link.
    pub id: MediaId,
    /// What the link is for.
    pub purpose: MediaPurpose,
    /// The file; empty for full texts.
    pub mxc: String,
    /// Its name, as the sender said; empty once revoked.
    pub file_name: String,
    /// Its type, as the sender said; empty if unknown.
    pub content_type: String,
    /// The keys of an encrypted file (JSON); empty for others, and once revoked.
    pub encryption: String,
    /// The text of a full text; empty for others, and once revoked.
    pub body: String,
    /// Whether it may be seen.
    pub state: MediaState,
    /// When the link was made.
    pub created_at: i64,
}

/// Which links end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// One.
    Link(&'a MediaId),
    /// Those to a file, pictures of people too.
    File(&'a str),
    /// Those of an event, by its id.
    Event(&'a str),
    /// Those of a room, by either side's id, linked or not.
    Room(&'a str),
}

#[derive(FromRow)]
struct Row {
    id: String,
    purpose: String,
    mxc: String,
    file_name: String,
    content_type: String,
    encryption: String,
    body: String,
    state: String,
    created_at: i64,
}

impl TryFrom<Row> for Media {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: column("media", "id", row.id)?,
            purpose: column("media", "purpose", row.purpose)?,
            mxc: row.mxc,
            file_name: row.file_name,
            content_type: row.content_type,
            encryption: row.encryption,
            body: row.body,
            state: column("media", "state", row.state)?,
            created_at: row.created_at,
        })
    }
}

/// The row of something that a link is wanted for, made with this random id if there is none yet. One that was
/// revoked stays so.
pub async fn make_or_find(
    tx: &mut Tx,
    new_id: &MediaId,
    media: &NewMedia<'_>,
    now: i64,
) -> Result<Media, StoreError> {
    let (purpose, room) = (media.purpose.as_str(), media.matrix_room_id);
    let room = room.map_or("", RoomId::as_str);
    execute!(
        tx,
        INSERT,
        new_id.as_str(),
        purpose,
        media.gitter_room_id.map_or("", GitterRoomId::as_str),
        room,
        media.owner,
        media.mxc,
        media.file_name,
        media.content_type,
        media.encryption,
        media.body,
        now,
    )?;
    query!(
        tx,
        fetch_one,
        Row,
        BY_SOURCE,
        purpose,
        room,
        media.owner,
        media.mxc
    )?
    .try_into()
}

/// What a link leads to.
pub async fn by_id(tx: &mut Tx, id: &MediaId) -> Result<Option<Media>, StoreError> {
    query!(tx, fetch_optional, Row, BY_ID, id.as_str())?
        .map(Media::try_from)
        .transpose()
}

/// Ends all links of an event for good, as its redaction asks, and gives their ids. Texts, names and keys go.
pub async fn revoke_by_event(tx: &mut Tx, room: &RoomId, event_id: &str) -> Result<Vec<MediaId>, StoreError> {
    let rows = query!(tx, fetch_all, (String,), REVOKE_EVENT, room.as_str(), event_id)?;
    ids(rows)
}

/// Ends links for good, and gives the ids of those that had not ended. Texts, names and keys go.
pub async fn revoke(tx: &mut Tx, links: Ended<'_>) -> Result<Vec<MediaId>, StoreError> {
    ids(match links {
        Ended::Link(id) => query!(tx, fetch_all, (String,), REVOKE_ID, id.as_str()),
        Ended::File(mxc) => query!(tx, fetch_all, (String,), REVOKE_FILE, mxc),
        Ended::Event(event_id) => query!(tx, fetch_all, (String,), REVOKE_OWNER, event_id),
        Ended::Room(room) => query!(tx, fetch_all, (String,), REVOKE_ROOM, room),
    }?)
}

/// Rests the links of a portal that is unlinked, and gives their ids.
pub async fn suspend(tx: &mut Tx, room: &GitterRoomId) -> Result<Vec<MediaId>, StoreError> {
    change_state(tx, room, MediaState::Live, MediaState::Suspended).await
}

/// Lets the links of a portal that is linked again work again; what was revoked stays so.
pub async fn resume(tx: &mut Tx, room: &GitterRoomId) -> Result<(), StoreError> {
    change_state(tx, room, MediaState::Suspended, MediaState::Live)
        .await
        .map(drop)
}

async fn change_state(
    tx: &mut Tx,
    room: &GitterRoomId,
    from: MediaState,
    to: MediaState,
) -> Result<Vec<MediaId>, StoreError> {
    ids(query!(
        tx,
        fetch_all,
        (String,),
        CHANGE_STATE,
        room.as_str(),
        from.as_str(),
        to.as_str()
    )?)
}

fn ids(rows: Vec<(String,)>) -> Result<Vec<MediaId>, StoreError> {
    rows.into_iter().map(|(id,)| column("media", "id", id)).collect()
}

/// A Gitter file on Matrix.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Upload {
    /// Where it is.
    pub mxc: String,
    /// What a message needs beside the name (JSON).
    pub content: String,
}

/// Where a Gitter file was uploaded to.
pub async fn upload(tx: &mut Tx, source_url: &str) -> Result<Option<Upload>, StoreError> {
    Ok(query!(tx, fetch_optional, Upload, UPLOAD, source_url)?)
}

/// Remembers where a Gitter file was uploaded to.
pub async fn record_upload(
    tx: &mut Tx,
    source_url: &str,
    upload: &Upload,
    now: i64,
) -> Result<(), StoreError> {
    execute!(tx, RECORD_UPLOAD, source_url, &upload.mxc, &upload.content, now)?;
    Ok(())
}
