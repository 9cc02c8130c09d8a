//! The map: which event and which Gitter message are the same thing.

use ruma::{OwnedEventId, OwnedUserId, RoomId};
use sqlx::FromRow;

use super::{
    Portal, StoreError, Tx,
    db::{execute, query, statements},
    error::{column, words},
};
use crate::ids::{GitterMessageId, GitterRoomId};

statements! {
    // A pair that is known already stays as it is: two ways of finding the same thing out may meet.
    INSERT = "INSERT INTO message (gitter_room_id, matrix_room_id, gitter_message_id, event_id, part, kind, revision,
            origin, sender, author, account_id, gitter_parent_id, thread_root, status, sent, v, edited_at, text,
            mentions, changes)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
        ON CONFLICT DO NOTHING";
    BY_GITTER_ID = "SELECT gitter_message_id, event_id, part, kind, revision, origin, sender, author, account_id,
            gitter_parent_id, thread_root, status, sent, v, edited_at, text, mentions, changes,
            EXISTS (SELECT 1 FROM deleted WHERE deleted.gitter_room_id = message.gitter_room_id
                AND deleted.gitter_message_id = message.gitter_message_id) AS tombstone
        FROM message WHERE gitter_room_id = $1 AND matrix_room_id = $2 AND gitter_message_id = $3
        ORDER BY kind, part, revision";
    BY_EVENT = "SELECT gitter_message_id, event_id, part, kind, revision, origin, sender, author, account_id,
            gitter_parent_id, thread_root, status, sent, v, edited_at, text, mentions, changes,
            EXISTS (SELECT 1 FROM deleted WHERE deleted.gitter_room_id = message.gitter_room_id
                AND deleted.gitter_message_id = message.gitter_message_id) AS tombstone
        FROM message WHERE matrix_room_id = $1 AND event_id = $2 ORDER BY kind, part";
    HAS_CROSSED = "SELECT event_id FROM message WHERE gitter_room_id = $1 AND gitter_message_id = $2 LIMIT 1";
    LATEST_IN_THREAD = "SELECT gitter_message_id, event_id, part, kind, revision, origin, sender, author, account_id,
            gitter_parent_id, thread_root, status, sent, v, edited_at, text, mentions, changes,
            EXISTS (SELECT 1 FROM deleted WHERE deleted.gitter_room_id = message.gitter_room_id
                AND deleted.gitter_message_id = message.gitter_message_id) AS tombstone
        FROM message WHERE gitter_room_id = $1 AND matrix_room_id = $2 AND gitter_parent_id = $3 AND kind = 'create'
        ORDER BY sent DESC, gitter_message_id DESC, part DESC LIMIT 1";
    BY_CHANGED = "SELECT gitter_message_id, event_id, part, kind, revision, origin, sender, author, account_id,
            gitter_parent_id, thread_root, status, sent, v, edited_at, text, mentions, changes,
            EXISTS (SELECT 1 FROM deleted WHERE deleted.gitter_room_id = message.gitter_room_id
                AND deleted.gitter_message_id = message.gitter_message_id) AS tombstone
        FROM message WHERE matrix_room_id = $1 AND changes = $2 ORDER BY sent, revision, part";
    CROSSED_BETWEEN = "SELECT DISTINCT gitter_message_id FROM message
        WHERE gitter_room_id = $1 AND matrix_room_id = $2 AND sent >= $3 AND sent <= $4 AND kind <> 'edit'
            AND NOT EXISTS (SELECT 1 FROM deleted WHERE deleted.gitter_room_id = message.gitter_room_id
                AND deleted.gitter_message_id = message.gitter_message_id)
        ORDER BY gitter_message_id";
    // A ghost's edit stays known: a redacted event that is not in the map could be one whose arrival was not seen.
    FORGET_EDITS = "DELETE FROM message WHERE event_id = $1 AND kind = 'edit' AND origin = 'matrix'";
    FORGET_TEXT = "UPDATE message SET text = '' WHERE event_id = $1 OR gitter_message_id = $1";
}

words! {
    /// What a pair stands for.
    MessageKind {
        /// The message itself.
        Create = "create",
        /// A change of its text.
        Edit = "edit",
        /// A change of its text, posted as a message of its own.
        Correction = "correction",
    }
}

words! {
    /// The side a message was written on.
    Origin {
        /// A Gitter user wrote it.
        Gitter = "gitter",
        /// A Matrix user wrote it.
        Matrix = "matrix",
    }
}

/// An event and a Gitter message that are the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedMessage {
    /// The Gitter message.
    pub gitter_message_id: GitterMessageId,
    /// The event.
    pub event_id: OwnedEventId,
    /// Which of the messages that one source message became, from 0.
    pub part: i64,
    /// What the pair stands for.
    pub kind: MessageKind,
    /// For edits, Gitter's `editedAt`; else 0.
    pub revision: i64,
    /// The side it was written on.
    pub origin: Origin,
    /// The event's sender.
    pub sender: OwnedUserId,
    /// The Gitter user's id, or the virtual user's external id; empty for an account that was deleted.
    pub author: String,
    /// The account whose message it is on Gitter, where it is ours; else empty.
    pub account_id: String,
    /// The top-level message of its thread on Gitter.
    pub gitter_parent_id: Option<GitterMessageId>,
    /// The event that its Matrix thread hangs on.
    pub thread_root: Option<OwnedEventId>,
    /// Whether it is a `/me` line.
    pub status: bool,
    /// When Gitter took it.
    pub sent: i64,
    /// Gitter's counter of saves, as last seen.
    pub v: i64,
    /// When its text was last changed on Gitter, as last seen; 0 for never.
    pub edited_at: i64,
    /// The Gitter text, where the bridge posted it; empty once redacted.
    pub text: String,
    /// The event's `m.mentions`, as JSON; empty where not known.
    pub mentions: String,
    /// For edits and corrections, the event that they change.
    pub changes: Option<OwnedEventId>,
    /// Whether the Gitter message is deleted. Read only: `deleted` has it.
    pub tombstone: bool,
}

#[derive(FromRow)]
struct Row {
    gitter_message_id: String,
    event_id: String,
    part: i64,
    kind: String,
    revision: i64,
    origin: String,
    sender: String,
    author: String,
    account_id: String,
    gitter_parent_id: String,
    thread_root: String,
    status: bool,
    sent: i64,
    v: i64,
    edited_at: i64,
    text: String,
    mentions: String,
    changes: String,
    tombstone: bool,
}

impl TryFrom<Row> for MappedMessage {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            gitter_message_id: column("message", "gitter_message_id", row.gitter_message_id)?,
            event_id: column("message", "event_id", row.event_id)?,
            part: row.part,
            kind: column("message", "kind", row.kind)?,
            revision: row.revision,
            origin: column("message", "origin", row.origin)?,
            sender: column("message", "sender", row.sender)?,
            author: row.author,
            account_id: row.account_id,
            gitter_parent_id: optional("gitter_parent_id", row.gitter_parent_id)?,
            thread_root: optional("thread_root", row.thread_root)?,
            status: row.status,
            sent: row.sent,
            v: row.v,
            edited_at: row.edited_at,
            text: row.text,
            mentions: row.mentions,
            changes: optional("changes", row.changes)?,
            tombstone: row.tombstone,
        })
    }
}

fn optional<T: std::str::FromStr>(name: &'static str, value: String) -> Result<Option<T>, StoreError> {
    if value.is_empty() {
        Ok(None)
    } else {
        column("message", name, value).map(Some)
    }
}

/// Adds a pair to a portal's map. A known pair stays as it is.
pub async fn insert_message(tx: &mut Tx, portal: &Portal, message: &MappedMessage) -> Result<(), StoreError> {
    execute!(
        tx,
        INSERT,
        portal.gitter_room_id.as_str(),
        portal.matrix_room_id.as_str(),
        message.gitter_message_id.as_str(),
        message.event_id.as_str(),
        message.part,
        message.kind.as_str(),
        message.revision,
        message.origin.as_str(),
        message.sender.as_str(),
        &message.author,
        &message.account_id,
        message
            .gitter_parent_id
            .as_ref()
            .map_or("", GitterMessageId::as_str),
        message.thread_root.as_ref().map_or("", |root| root.as_str()),
        message.status,
        message.sent,
        message.v,
        message.edited_at,
        &message.text,
        &message.mentions,
        message.changes.as_ref().map_or("", |event| event.as_str()),
    )?;
    Ok(())
}

/// What a Gitter message is in Matrix: parts and edits; empty if it did not cross.
pub async fn by_gitter_id(
    tx: &mut Tx,
    portal: &Portal,
    id: &GitterMessageId,
) -> Result<Vec<MappedMessage>, StoreError> {
    let (gitter, matrix) = (portal.gitter_room_id.as_str(), portal.matrix_room_id.as_str());
    let rows = query!(tx, fetch_all, Row, BY_GITTER_ID, gitter, matrix, id.as_str())?;
    rows.into_iter().map(MappedMessage::try_from).collect()
}

/// What an event is on Gitter: its parts; empty if it did not cross.
pub async fn by_event(tx: &mut Tx, room: &RoomId, event_id: &str) -> Result<Vec<MappedMessage>, StoreError> {
    let rows = query!(tx, fetch_all, Row, BY_EVENT, room.as_str(), event_id)?;
    rows.into_iter().map(MappedMessage::try_from).collect()
}

/// Whether a Gitter message ever crossed, into whichever Matrix room.
pub async fn has_crossed(tx: &mut Tx, room: &GitterRoomId, id: &GitterMessageId) -> Result<bool, StoreError> {
    let found = query!(
        tx,
        fetch_optional,
        (String,),
        HAS_CROSSED,
        room.as_str(),
        id.as_str()
    )?;
    Ok(found.is_some())
}

/// The latest reply in a Gitter thread that crossed.
pub async fn latest_in_thread(
    tx: &mut Tx,
    portal: &Portal,
    parent: &GitterMessageId,
) -> Result<Option<MappedMessage>, StoreError> {
    let (gitter, matrix) = (portal.gitter_room_id.as_str(), portal.matrix_room_id.as_str());
    query!(
        tx,
        fetch_optional,
        Row,
        LATEST_IN_THREAD,
        gitter,
        matrix,
        parent.as_str()
    )?
    .map(MappedMessage::try_from)
    .transpose()
}

/// The Gitter messages that crossed, were sent from one time to another, and are not known to be deleted.
pub async fn crossed_between(
    tx: &mut Tx,
    portal: &Portal,
    from: i64,
    to: i64,
) -> Result<Vec<GitterMessageId>, StoreError> {
    let (gitter, matrix) = (portal.gitter_room_id.as_str(), portal.matrix_room_id.as_str());
    let rows = query!(
        tx,
        fetch_all,
        (String,),
        CROSSED_BETWEEN,
        gitter,
        matrix,
        from,
        to
    )?;
    rows.into_iter()
        .map(|(id,)| column("message", "gitter_message_id", id))
        .collect()
}

/// The edits and corrections of an event, oldest first.
pub async fn by_changed(
    tx: &mut Tx,
    room: &RoomId,
    event_id: &str,
) -> Result<Vec<MappedMessage>, StoreError> {
    let rows = query!(tx, fetch_all, Row, BY_CHANGED, room.as_str(), event_id)?;
    rows.into_iter().map(MappedMessage::try_from).collect()
}

/// Forgets the texts of an event, or of a Gitter message; and the event itself where it is an edit from Matrix.
pub(super) async fn forget_text(tx: &mut Tx, id: &str) -> Result<(), StoreError> {
    execute!(tx, FORGET_EDITS, id)?;
    execute!(tx, FORGET_TEXT, id)?;
    Ok(())
}
