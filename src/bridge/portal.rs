//! Loads all that translation may know of an item: the only place that reads for it.

use std::collections::BTreeSet;

use http::StatusCode;
use jiff::Timestamp;
use ruma::{EventId, OwnedEventId, OwnedUserId, UserId};
use serde_json::Value;

use super::{Bridge, BridgeError};
use crate::{
    matrix::{MatrixError, SourceMarker},
    model,
    store::{
        Direction, Ghost, Item, MappedMessage, Member, MessageKind, Origin, Portal, StoreError, Tx, attempt,
        ghost, member, message,
    },
    translate::{Context, context},
};

/// The most people of one item that are looked up.
const MOST_PEOPLE: usize = 100;

/// The longest event id there is, in bytes (Matrix specification, "Size limits").
const LONGEST_ID: usize = 255;

/// Where delivery has no signed link, it puts one to the event, which is longer: both ids at their longest.
const LINK_UNITS: usize = 3 * LONGEST_ID;

/// Only what the other direction first tried before an item was accepted can be what it refers to; the clocks of
/// two replicas may differ by this, in milliseconds.
const CLOCK_SLACK: i64 = 5_000;

/// A context, unless the item has to wait for what the other direction is sending.
#[derive(Debug)]
pub(super) enum Loaded<T> {
    Ready(T),
    Wait,
}

/// The context of an event from Matrix.
pub(super) async fn for_event(
    bridge: &Bridge,
    portal: &Portal,
    item: &Item,
) -> Result<Loaded<Context>, BridgeError> {
    let event: Value = serde_json::from_str(&item.body).unwrap_or(Value::Null);
    let mut tx = bridge.db.read().await?;
    let mut context = base(bridge, portal);
    for user in people_of_event(&event) {
        if let Some(ghost) = ghost::ghost_by_user_id(&mut tx, &user).await? {
            context.users.push(context_user(ghost));
        } else if let Some(member) = member::member(&mut tx, &portal.matrix_room_id, &user).await? {
            add_namesakes(&mut tx, portal, &mut context, &member).await?;
            context.members.push(context_member(member));
        }
    }
    let by = item.created_at + CLOCK_SLACK;
    let mut unmapped = Vec::new();
    for target in relations(&event) {
        // Attempts before the map: what is settled in between is then found in the map.
        let under_way =
            attempt::unsettled_attempts(&mut tx, &item.lane.room, Direction::ToMatrix, by).await?;
        let mapped = message::by_event(&mut tx, &portal.matrix_room_id, target.as_str()).await?;
        if !mapped.is_empty() {
            context.messages.extend(mapped.into_iter().map(context_message));
        } else if under_way.is_empty() {
            unmapped.push(target);
        } else {
            return Ok(Loaded::Wait);
        }
    }
    // The homeserver is asked without a transaction being held.
    drop(tx);
    for target in unmapped {
        context.messages.extend(by_marker(bridge, portal, &target).await?);
    }
    Ok(Loaded::Ready(context))
}

/// The context of what happened to a Gitter message.
pub(super) async fn for_operation(
    bridge: &Bridge,
    portal: &Portal,
    item: &Item,
) -> Result<Loaded<Context>, BridgeError> {
    let mut context = base(bridge, portal);
    let Ok(model) = serde_json::from_str::<model::Message>(&item.body) else {
        return Ok(Loaded::Ready(context));
    };
    let mut tx = bridge.db.read().await?;
    let by = item.created_at + CLOCK_SLACK;
    let under_way = attempt::unsettled_attempts(&mut tx, &item.lane.room, Direction::ToGitter, by).await?;
    context.messages.extend(
        message::by_gitter_id(&mut tx, portal, &model.id)
            .await?
            .into_iter()
            .map(context_message),
    );
    if let Some(parent) = &model.parent_id {
        let mapped = message::by_gitter_id(&mut tx, portal, parent).await?;
        if mapped.is_empty() && !under_way.is_empty() {
            return Ok(Loaded::Wait);
        }
        context.messages.extend(mapped.into_iter().map(context_message));
        context.messages.extend(
            message::latest_in_thread(&mut tx, portal, parent)
                .await?
                .map(context_message),
        );
    }
    for ghost in people_of_message(&mut tx, &model).await? {
        context.users.push(context_user(ghost));
    }
    for mention in &model.mentions {
        if let Ok(user) = UserId::parse(format!("@{}", mention.screen_name))
            && let Some(member) = member::member(&mut tx, &portal.matrix_room_id, &user).await?
        {
            context.members.push(context_member(member));
        }
    }
    Ok(Loaded::Ready(context))
}

/// Notes a membership event of a Matrix room, so that names and pictures are known without asking.
pub(super) async fn note_member(tx: &mut Tx, portal: &Portal, item: &Item) -> Result<(), StoreError> {
    if item.operation != "m.room.member" {
        return Ok(());
    }
    let event: Value = serde_json::from_str(&item.body).unwrap_or(Value::Null);
    let text = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let Ok(user_id) = UserId::parse(text("/state_key")) else {
        return Ok(());
    };
    let noted = Member {
        user_id,
        membership: text("/content/membership"),
        display_name: text("/content/displayname"),
        avatar_url: text("/content/avatar_url"),
    };
    member::record_member(tx, &portal.matrix_room_id, &noted).await
}

fn base(bridge: &Bridge, portal: &Portal) -> Context {
    let settings = &bridge.settings;
    let offset = bridge
        .gitter
        .clock_offset()
        .map_or(0, |offset| offset.as_millis());
    Context {
        server_name: settings.server_name.clone(),
        now: Timestamp::now(),
        web_url: settings.web_url.clone(),
        portal: context::Portal {
            gitter_room_id: portal.gitter_room_id.clone(),
            gitter_uri: portal.gitter_uri.clone(),
            matrix_room_id: portal.matrix_room_id.clone(),
            repository: None,
            created_at: Timestamp::from_millisecond(portal.created_at).ok(),
        },
        users: Vec::new(),
        members: Vec::new(),
        messages: Vec::new(),
        virtual_users: portal.virtual_users,
        settings: settings.translation.clone(),
        bot: context::Bot {
            mxid: Some(bridge.matrix.bot().to_owned()),
            gitter_username: Some(bridge.account.username.clone()),
            ..context::Bot::default()
        },
        files_hosts: settings.files_hosts.clone(),
        image_proxy_host: settings.image_proxy_host.clone(),
        rooms: Vec::new(),
        clock_offset_ms: i64::try_from(offset).unwrap_or(0),
        link_units: LINK_UNITS,
        ghost_localpart: settings.ghost_localpart.clone(),
    }
}

/// The sender and everybody whose id stands in an event: in `m.mentions`, or in a link of its HTML.
fn people_of_event(event: &Value) -> BTreeSet<OwnedUserId> {
    let mut people = BTreeSet::new();
    let mentioned = event
        .pointer("/content/m.mentions/user_ids")
        .and_then(Value::as_array);
    people.extend(
        mentioned
            .into_iter()
            .flatten()
            .filter_map(|id| UserId::parse(id.as_str()?).ok()),
    );
    let html = event
        .pointer("/content/formatted_body")
        .and_then(Value::as_str)
        .unwrap_or_default();
    people.extend(user_ids_in(html));
    let mut people: BTreeSet<OwnedUserId> = people.into_iter().take(MOST_PEOPLE).collect();
    // Beyond the bound: who wrote it decides whether it is ours.
    let sender = event.get("sender").and_then(Value::as_str);
    people.extend(sender.and_then(|sender| UserId::parse(sender).ok()));
    people
}

/// Everything in a text that looks like a user id, also percent-encoded.
fn user_ids_in(text: &str) -> impl Iterator<Item = OwnedUserId> {
    let decoded = text
        .replace("%40", "@")
        .replace("%3A", ":")
        .replace("%3a", ":")
        .replace("%3D", "=")
        .replace("%2F", "/");
    let found: Vec<OwnedUserId> = decoded
        .split('@')
        .skip(1)
        .take(MOST_PEOPLE)
        .filter_map(|rest| {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || "._=-/+:[]".contains(c)))
                .unwrap_or(rest.len());
            UserId::parse(format!("@{}", rest.get(..end)?)).ok()
        })
        .collect();
    found.into_iter()
}

/// The events that an event relates to: its thread's root and what it replies to.
fn relations(event: &Value) -> Vec<OwnedEventId> {
    let Some(relation) = event.pointer("/content/m.relates_to") else {
        return Vec::new();
    };
    let mut targets: Vec<OwnedEventId> = [
        relation.get("event_id"),
        relation.pointer("/m.in_reply_to/event_id"),
    ]
    .into_iter()
    .flatten()
    .filter_map(Value::as_str)
    .filter(|id| id.len() <= LONGEST_ID && !id.contains('\0'))
    .filter_map(|id| EventId::parse(id).ok())
    .collect();
    targets.dedup();
    targets
}

/// Other members with the same name, so that translation can tell them apart.
async fn add_namesakes(
    tx: &mut Tx,
    portal: &Portal,
    context: &mut Context,
    member: &Member,
) -> Result<(), StoreError> {
    if member.display_name.is_empty() {
        return Ok(());
    }
    for namesake in member::members_named(tx, &portal.matrix_room_id, &member.display_name).await? {
        if namesake.user_id != member.user_id {
            context.members.push(context_member(namesake));
        }
    }
    Ok(())
}

/// The author and those mentioned who have ghosts.
async fn people_of_message(tx: &mut Tx, model: &model::Message) -> Result<Vec<Ghost>, StoreError> {
    let mut people = Vec::new();
    if let Some(author) = model.from_user.as_ref().and_then(model::User::account_id) {
        people.extend(ghost::ghost_by_id(tx, &author).await?);
    }
    for mention in model.mentions.iter().take(MOST_PEOPLE) {
        match &mention.user_id {
            Some(id) => people.extend(ghost::ghost_by_id(tx, id).await?),
            None => people.extend(ghost::ghosts_by_username(tx, &mention.screen_name).await?),
        }
    }
    people.sort_by(|one, other| one.user_id.cmp(&other.user_id));
    people.dedup_by(|one, other| one.user_id == other.user_id);
    Ok(people)
}

/// Whether asking again would be answered in the same way.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && ![StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

/// A message that is not in the map, but whose event says which Gitter message it is: one that a ghost
/// sent and whose line was lost, as after a restored backup.
async fn by_marker(
    bridge: &Bridge,
    portal: &Portal,
    target: &EventId,
) -> Result<Option<context::Message>, BridgeError> {
    let raw = match bridge.matrix.event(&portal.matrix_room_id, target).await {
        Ok(Some(raw)) => raw,
        Ok(None) | Err(MatrixError::Unwritable { .. }) => return Ok(None),
        // Some homeservers do not show what was before the bot joined.
        Err(error) if error.status().is_some_and(is_final) => return Ok(None),
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
        Err(error) if error.status().is_some_and(is_final) => None,
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

fn context_user(ghost: Ghost) -> context::User {
    context::User {
        mxid: ghost.user_id,
        gitter_id: ghost.gitter_user_id,
        username: ghost.username,
        display_name: Some(ghost.display_name).filter(|name| !name.is_empty()),
        admin: false,
    }
}

fn context_member(member: Member) -> context::Member {
    context::Member {
        mxid: member.user_id,
        display_name: Some(member.display_name).filter(|name| !name.is_empty()),
        avatar: Some(member.avatar_url).filter(|url| !url.is_empty()),
        may_notify_room: false,
        may_redact: false,
    }
}

fn context_message(message: MappedMessage) -> context::Message {
    let time = |milliseconds: i64| Timestamp::from_millisecond(milliseconds).ok();
    let thread = message
        .thread_root
        .map(|root| serde_json::json!({"m.relates_to": {"rel_type": "m.thread", "event_id": root}}));
    context::Message {
        matrix_event_id: message.event_id,
        gitter_message_id: message.gitter_message_id,
        gitter_parent_id: message.gitter_parent_id,
        sent: time(message.sent),
        text: String::new(),
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
        content: thread,
        mentions: Vec::new(),
        tombstone: false,
    }
}
