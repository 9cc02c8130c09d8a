//! What was deleted: Gitter messages that are gone, or are about to be, and the texts that go with them.

use std::collections::BTreeSet;

use super::{
    StoreError, Tx,
    db::{execute, query, statements},
    message,
};
use crate::ids::{GitterMessageId, GitterRoomId};

statements! {
    // The first to say so stays: it tells an own deletion's echo from somebody else's.
    INSERT = "INSERT INTO deleted (gitter_room_id, gitter_message_id, by_bridge, recorded_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (gitter_room_id, gitter_message_id) DO NOTHING";
    IS_DELETED = "SELECT 1 FROM deleted WHERE gitter_room_id = $1 AND gitter_message_id = $2";
    REFUSED = "DELETE FROM deleted WHERE gitter_room_id = $1 AND gitter_message_id = $2 AND by_bridge";
    // A removal that failed keeps what it takes to make it again, which is no text.
    FORGET_BODY = "UPDATE inbox SET body = '{}' WHERE source_id = $1 AND state = 'settled'
            AND NOT (outcome = 'failed' AND (operation = 'remove' OR source_key LIKE '% true'))";
    FORGET_ACTIONS = "UPDATE attempt SET action = '{}'
            WHERE (gitter_room_id, direction, purpose, number) IN (
                SELECT gitter_room_id, direction, purpose, number FROM inbox
                WHERE source_id = $1 AND state = 'settled'
                    AND NOT (outcome = 'failed' AND (operation = 'remove' OR source_key LIKE '% true')))";
    // Edits that went out with other items are not in the map by themselves, and other items' actions hold their texts.
    FORGET_EDITS = "UPDATE inbox SET body = '{}'
        WHERE target = $1 AND target <> '' AND operation <> 'm.room.redaction' AND state = 'settled'";
    // What its edits, and redactions of those, made it say.
    FORGET_CHANGES = "UPDATE attempt SET action = '{}'
        WHERE (gitter_room_id, direction, purpose, number) IN (
            SELECT gitter_room_id, direction, purpose, number FROM inbox
            WHERE state = 'settled' AND target <> '' AND (target <> $1 OR operation <> 'm.room.redaction')
                AND target IN (
                    SELECT CAST($1 AS TEXT)
                    UNION ALL SELECT source_id FROM inbox WHERE target = $1 AND target <> ''))";
    // A failed item that was never sent is translated again without it, should it be retried.
    THAW_FAILED = "DELETE FROM attempt
        WHERE (gitter_room_id, direction, purpose, number) IN (
            SELECT head.gitter_room_id, head.direction, head.purpose, head.number
            FROM inbox AS edit JOIN inbox AS head ON head.gitter_room_id = edit.gitter_room_id
                AND head.direction = edit.direction AND head.purpose = edit.purpose AND head.number = edit.folded_into
            WHERE edit.source_id = $1 AND edit.folded_into <> 0 AND head.state = 'settled' AND head.outcome = 'failed')
        AND NOT EXISTS (SELECT 1 FROM attempt AS other
            WHERE other.gitter_room_id = attempt.gitter_room_id AND other.direction = attempt.direction
                AND other.purpose = attempt.purpose AND other.number = attempt.number AND other.state <> 'planned')";
    FORGET_FOLDED = "UPDATE attempt SET action = '{}'
        WHERE (gitter_room_id, direction, purpose, number) IN (
            SELECT head.gitter_room_id, head.direction, head.purpose, head.number
            FROM inbox AS edit JOIN inbox AS head ON head.gitter_room_id = edit.gitter_room_id
                AND head.direction = edit.direction AND head.purpose = edit.purpose AND head.number = edit.folded_into
            WHERE edit.source_id = $1 AND edit.folded_into <> 0 AND head.state = 'settled')";
}

/// Notes that a Gitter message is deleted, or is about to be by the bridge.
pub async fn record_deleted(
    tx: &mut Tx,
    room: &GitterRoomId,
    id: &GitterMessageId,
    by_bridge: bool,
    now: i64,
) -> Result<(), StoreError> {
    execute!(tx, INSERT, room.as_str(), id.as_str(), by_bridge, now)?;
    Ok(())
}

/// Whether a Gitter message is deleted.
pub async fn is_deleted(tx: &mut Tx, room: &GitterRoomId, id: &GitterMessageId) -> Result<bool, StoreError> {
    let found = query!(tx, fetch_optional, (i32,), IS_DELETED, room.as_str(), id.as_str())?;
    Ok(found.is_some())
}

/// Notes that Gitter refused a deletion of the bridge.
pub async fn deletion_refused(
    tx: &mut Tx,
    room: &GitterRoomId,
    id: &GitterMessageId,
) -> Result<(), StoreError> {
    execute!(tx, REFUSED, room.as_str(), id.as_str())?;
    Ok(())
}

/// Forgets what events and Gitter messages said, wherever it is kept. That they were there stays known, but of
/// edits, which are undone. One table after the other, attempts first: an event and its Gitter message share rows of
/// the map, and two lanes that forget one each must not wait for each other.
pub async fn forget(tx: &mut Tx, source_ids: &BTreeSet<String>) -> Result<(), StoreError> {
    for source_id in source_ids {
        execute!(tx, FORGET_ACTIONS, source_id)?;
        execute!(tx, THAW_FAILED, source_id)?;
        execute!(tx, FORGET_FOLDED, source_id)?;
        execute!(tx, FORGET_CHANGES, source_id)?;
    }
    for source_id in source_ids {
        execute!(tx, FORGET_BODY, source_id)?;
        execute!(tx, FORGET_EDITS, source_id)?;
    }
    for source_id in source_ids {
        message::forget_text(tx, source_id).await?;
    }
    Ok(())
}
