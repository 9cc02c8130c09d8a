//! What crossed before and matters now: rows of the map, and what the other side remembers of them.

use jiff::Timestamp;
use ruma::{EventId, UserId};
use serde_json::{Value, json};

use super::{
    super::{Bridge, BridgeError},
    reading,
};
use crate::{
    ids::GitterMessageId,
    matrix::{MatrixError, SourceMarker},
    store::{MappedMessage, MessageKind, Origin, Portal, StoreError, Tx, ghost, message, portal},
    translate::{Context, context},
};

/// Adds rows of the map to a context, each once.
pub(super) fn add(context: &mut Context, rows: impl IntoIterator<Item = MappedMessage>) {
    for row in rows {
        let row = context_message(row);
        let is_same = |known: &context::Message| {
            known.matrix_event_id == row.matrix_event_id
                && known.gitter_message_id == row.gitter_message_id
                && (known.kind, known.part) == (row.kind, row.part)
        };
        if !context.messages.iter().any(is_same) {
            context.messages.push(row);
        }
    }
}

/// All that was made of the messages that an event crossed as, and of its own edits: what an edit or a
/// redaction of it has to know.
pub(super) async fn history(
    tx: &mut Tx,
    portal: &Portal,
    mapped: &[MappedMessage],
) -> Result<Vec<MappedMessage>, StoreError> {
    let mut rows = Vec::new();
    let mut ids: Vec<&GitterMessageId> = mapped.iter().map(|row| &row.gitter_message_id).collect();
    ids.dedup();
    for id in ids {
        let mut pairs = message::by_gitter_id(tx, portal, id).await?;
        pairs.sort_by_key(|pair| (pair.kind == MessageKind::Edit, pair.revision, pair.part));
        rows.extend(pairs);
    }
    let mut events: Vec<&EventId> = mapped.iter().map(|row| &*row.event_id).collect();
    events.dedup();
    for event in events {
        rows.extend(message::by_changed(tx, &portal.matrix_room_id, event.as_str()).await?);
    }
    Ok(rows)
}

/// The other portals that a text names, and what crossed as the messages that it links to.
pub(super) async fn add_links(
    tx: &mut Tx,
    own: &Portal,
    text: &str,
    context: &mut Context,
) -> Result<(), StoreError> {
    // The most links of Matrix are to people.
    let to_rooms = ["#/!", "#/%21", "matrix:roomid/"];
    let site = context.web_url.as_str().trim_end_matches('/');
    if !text.contains(site) && !to_rooms.iter().any(|link| text.contains(link)) {
        return Ok(());
    }
    let lower = text.to_lowercase();
    let is_named = |portal: &Portal| {
        let id = portal.matrix_room_id.as_str();
        let bare = id.trim_start_matches('!').split(':').next().unwrap_or(id);
        text.contains(bare) || lower.contains(&portal.gitter_uri.to_lowercase())
    };
    let named: Vec<Portal> = portal::portals(tx).await?.into_iter().filter(is_named).collect();
    let (events, messages) = (reading::event_ids_in(text), reading::message_ids_in(text));
    for portal in &named {
        for event in &events {
            add(
                context,
                message::by_event(tx, &portal.matrix_room_id, event.as_str()).await?,
            );
        }
        for id in &messages {
            add(context, message::by_gitter_id(tx, portal, id).await?);
        }
    }
    context.rooms.extend(
        named
            .into_iter()
            .filter(|portal| portal.gitter_room_id != own.gitter_room_id)
            .map(|portal| context::Room {
                gitter_room_id: portal.gitter_room_id,
                gitter_uri: portal.gitter_uri,
                matrix_room_id: portal.matrix_room_id,
                alias: None,
            }),
    );
    Ok(())
}

/// A message that is not in the map, but whose event says which Gitter message it is: one that a ghost
/// sent and whose line was lost, as after a restored backup.
pub(super) async fn by_marker(
    bridge: &Bridge,
    portal: &Portal,
    target: &EventId,
) -> Result<Option<context::Message>, BridgeError> {
    let raw = match bridge.matrix.event(&portal.matrix_room_id, target).await {
        Ok(Some(raw)) => raw,
        Ok(None) | Err(MatrixError::Unwritable { .. }) => return Ok(None),
        // Some homeservers do not show what was before the bot joined.
        Err(error) if error.refuses() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let event: Value = serde_json::from_str(raw.get()).unwrap_or(Value::Null);
    let Some(sender) = event
        .get("sender")
        .and_then(Value::as_str)
        .and_then(|id| UserId::parse(id).ok())
    else {
        return Ok(None);
    };
    let mut tx = bridge.db.read().await?;
    let ours = sender == bridge.matrix.bot() || ghost::ghost_by_user_id(&mut tx, &sender).await?.is_some();
    drop(tx);
    let marker = event.get("content").and_then(SourceMarker::of);
    let Some(marker) = marker.filter(|marker| ours && marker.room == portal.gitter_room_id) else {
        return Ok(None);
    };
    let parent = match bridge
        .gitter
        .message(&portal.gitter_room_id, &marker.message)
        .await
    {
        Err(error) if error.refuses() => None,
        parent => parent?,
    };
    Ok(Some(context::Message {
        matrix_event_id: target.to_owned(),
        gitter_message_id: marker.message,
        gitter_parent_id: parent.as_ref().and_then(|message| message.parent_id.clone()),
        sent: parent.and_then(|message| message.sent),
        text: String::new(),
        sender: Some(sender),
        origin: Some(context::Origin::Gitter),
        part: marker.part,
        kind: context::Kind::Create,
        status: false,
        edited_at: None,
        v: None,
        content: event.get("content").cloned(),
        mentions: Vec::new(),
        tombstone: false,
    }))
}

fn context_message(message: MappedMessage) -> context::Message {
    let time = |milliseconds: i64| Timestamp::from_millisecond(milliseconds).ok();
    let content = content(&message);
    context::Message {
        matrix_event_id: message.event_id,
        gitter_message_id: message.gitter_message_id,
        gitter_parent_id: message.gitter_parent_id,
        sent: time(message.sent),
        text: message.text,
        sender: Some(message.sender),
        origin: Some(match message.origin {
            Origin::Gitter => context::Origin::Gitter,
            Origin::Matrix => context::Origin::Matrix,
        }),
        part: u32::try_from(message.part).unwrap_or(0),
        kind: match message.kind {
            MessageKind::Create => context::Kind::Create,
            MessageKind::Edit => context::Kind::Edit,
            MessageKind::Correction => context::Kind::Correction,
        },
        status: message.status,
        edited_at: (message.edited_at > 0).then(|| time(message.edited_at)).flatten(),
        v: Some(message.v),
        content,
        mentions: Vec::new(),
        tombstone: message.tombstone,
    }
}

/// As much of an event's content as the map keeps.
fn content(message: &MappedMessage) -> Option<Value> {
    let mut content = serde_json::Map::new();
    if let Some(target) = &message.changes {
        let relation = json!({"rel_type": "m.replace", "event_id": target});
        content.insert("m.relates_to".to_owned(), relation);
    } else if let Some(root) = &message.thread_root {
        let relation = json!({"rel_type": "m.thread", "event_id": root});
        content.insert("m.relates_to".to_owned(), relation);
    }
    if let Ok(mentions) = serde_json::from_str(&message.mentions) {
        content.insert("m.mentions".to_owned(), mentions);
    }
    (!content.is_empty()).then_some(Value::Object(content))
}
