//! Loads all that translation may know of an item: the only place that reads for it.

mod moderation;
mod past;
mod reading;

use jiff::Timestamp;
use ruma::{OwnedUserId, UserId};
use serde_json::Value;

pub(super) use self::moderation::for_ban;
use super::{Bridge, BridgeError, echo};
use crate::{
    model,
    store::{
        Attempt, Direction, Ghost, Item, Member, Portal, StoreError, Tx, attempt, ghost, member, message,
        opt_out,
    },
    translate::{Context, MatrixAction, Policy, context},
};

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
    for user in reading::people_of_event(&event) {
        if let Some(ghost) = ghost::ghost_by_user_id(&mut tx, &user).await? {
            context.users.push(context_user(ghost));
        } else if let Some(member) = member::member(&mut tx, &portal.matrix_room_id, &user).await? {
            add_namesakes(&mut tx, portal, &mut context, &member).await?;
            context.members.push(context_member(member));
        }
    }
    context.barred = barred(bridge, &mut tx, item, &event).await?;
    moderation::add(&mut tx, bridge, portal, &event, &mut context).await?;
    let by = item.created_at + CLOCK_SLACK;
    let mut unmapped = Vec::new();
    let is_change = reading::is_change(&event);
    for target in reading::relations(&event) {
        // Attempts before the map: what is settled in between is then found in the map.
        let mut under_way =
            attempt::unsettled_attempts(&mut tx, &item.lane.room, Direction::ToMatrix, by).await?;
        under_way.retain(may_make_event);
        let mapped = message::by_event(&mut tx, &portal.matrix_room_id, target.as_str()).await?;
        if !mapped.is_empty() {
            if is_change {
                past::add(&mut context, past::history(&mut tx, portal, &mapped).await?);
            }
            past::add(&mut context, mapped);
        } else if under_way.is_empty() {
            unmapped.push(target);
        } else {
            return Ok(Loaded::Wait);
        }
    }
    let words = reading::words_of_event(&event);
    past::add_links(&mut tx, portal, &words, &mut context).await?;
    // The homeserver is asked without a transaction being held.
    drop(tx);
    for target in unmapped {
        context
            .messages
            .extend(past::by_marker(bridge, portal, &target).await?);
    }
    add_rights(bridge, portal, &event, &words, &mut context).await?;
    moderation::add_policy(bridge, portal, &event, &mut context).await;
    Ok(Loaded::Ready(context))
}

/// Whether nothing that the sender of an event says is to cross.
async fn barred(
    bridge: &Bridge,
    tx: &mut Tx,
    item: &Item,
    event: &Value,
) -> Result<Option<context::Barred>, StoreError> {
    let sender = event.get("sender").and_then(Value::as_str).unwrap_or_default();
    if opt_out::is_out(tx, sender, item.source_time).await? {
        return Ok(Some(context::Barred::OptedOut));
    }
    let permitted = UserId::parse(sender).map_or(true, |sender| bridge.settings.permissions.permit(&sender));
    Ok((!permitted).then_some(context::Barred::NotPermitted))
}

/// What the sender of an event may do in the room, where it matters: the homeserver is asked only for a
/// redaction of somebody else's message, and for a call to everyone that Gitter may hear.
async fn add_rights(
    bridge: &Bridge,
    portal: &Portal,
    event: &Value,
    words: &str,
    context: &mut Context,
) -> Result<(), BridgeError> {
    let sender = event.get("sender").and_then(Value::as_str);
    let Some(sender) = sender.and_then(|sender| UserId::parse(sender).ok()) else {
        return Ok(());
    };
    let of_others = |message: &context::Message| message.sender.as_ref() != Some(&sender);
    let redacts = reading::is_redaction(event) && context.messages.iter().any(of_others);
    let announces = context.settings.announce && (words.contains("@room") || words.contains("@/all"));
    if !redacts && !announces {
        return Ok(());
    }
    let access = bridge.matrix.room_access(&portal.matrix_room_id).await?;
    if context.member(&sender).is_none() {
        context.members.push(context::Member {
            mxid: sender.clone(),
            display_name: None,
            avatar: None,
            may_notify_room: false,
            may_redact: false,
            banned: false,
        });
    }
    for member in context.members.iter_mut().filter(|member| member.mxid == sender) {
        member.may_redact = access.may_redact_others(&sender);
        member.may_notify_room = access.may_notify_room(&sender);
    }
    Ok(())
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
    context.settings.threads = bridge
        .room_settings(&mut tx, portal.gitter_room_id.as_str())
        .await?
        .threads;
    let by = item.created_at + CLOCK_SLACK;
    let mut under_way =
        attempt::unsettled_attempts(&mut tx, &item.lane.room, Direction::ToGitter, by).await?;
    under_way.retain(echo::may_make_message);
    let own = message::by_gitter_id(&mut tx, portal, &model.id).await?;
    if own.is_empty() && item.operation != "create" && !under_way.is_empty() {
        return Ok(Loaded::Wait);
    }
    past::add(&mut context, own);
    if let Some(parent) = &model.parent_id {
        let mapped = message::by_gitter_id(&mut tx, portal, parent).await?;
        if mapped.is_empty() && !under_way.is_empty() {
            return Ok(Loaded::Wait);
        }
        past::add(&mut context, mapped);
        past::add(
            &mut context,
            message::latest_in_thread(&mut tx, portal, parent).await?,
        );
    }
    past::add_links(&mut tx, portal, &model.text, &mut context).await?;
    // Gitter lists `@/all` only where its author is an admin of the room (gitter-api 5.6).
    let announces = model.virtual_user.is_none() && model.mentions.iter().any(|mention| mention.announcement);
    let author = model.from_user.as_ref().map(|user| user.id.as_str());
    for ghost in people_of_message(&mut tx, &model).await? {
        let mut user = context_user(ghost);
        user.admin = announces && Some(user.gitter_id.as_str()) == author;
        context.users.push(user);
    }
    for sender in senders(&context) {
        if context.ghost(&sender).is_none()
            && let Some(ghost) = ghost::ghost_by_user_id(&mut tx, &sender).await?
        {
            context.users.push(context_user(ghost));
        }
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

/// Whether an attempt toward Matrix makes an event that something can relate to.
fn may_make_event(attempt: &Attempt) -> bool {
    !matches!(
        serde_json::from_str(&attempt.action),
        Ok(MatrixAction::Redact { .. } | MatrixAction::Ban { .. } | MatrixAction::Unban { .. })
    )
}

/// Who sent what crossed before: a redaction is theirs to make.
fn senders(context: &Context) -> Vec<OwnedUserId> {
    let senders = context
        .messages
        .iter()
        .filter_map(|message| message.sender.clone());
    senders.collect()
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
            repository: portal.repository.clone(),
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
            gitter_admin: portal.gitter_admin,
        },
        files_hosts: settings.files_hosts.clone(),
        image_proxy_host: settings.image_proxy_host.clone(),
        rooms: Vec::new(),
        clock_offset_ms: i64::try_from(offset).unwrap_or(0),
        link_units: if bridge.links.is_some() {
            context::DEFAULT_LINK_UNITS
        } else {
            LINK_UNITS
        },
        policy: Policy::default(),
        ghost_localpart: settings.ghost_localpart.clone(),
        barred: None,
    }
}

/// Other members whose names look the same, so that translation can tell them apart.
async fn add_namesakes(
    tx: &mut Tx,
    portal: &Portal,
    context: &mut Context,
    member: &Member,
) -> Result<(), StoreError> {
    let namesakes = member::namesakes(tx, &portal.matrix_room_id, member).await?;
    context.members.extend(namesakes.into_iter().map(context_member));
    Ok(())
}

/// The author and those mentioned who have ghosts.
async fn people_of_message(tx: &mut Tx, model: &model::Message) -> Result<Vec<Ghost>, StoreError> {
    let mut people = Vec::new();
    if let Some(author) = model.from_user.as_ref().and_then(model::User::account_id) {
        people.extend(ghost::ghost_by_id(tx, &author).await?);
    }
    for mention in model.mentions.iter().take(reading::MOST_PEOPLE) {
        match &mention.user_id {
            Some(id) => people.extend(ghost::ghost_by_id(tx, id).await?),
            None => people.extend(ghost::ghosts_by_username(tx, &mention.screen_name).await?),
        }
    }
    people.sort_by(|one, other| one.user_id.cmp(&other.user_id));
    people.dedup_by(|one, other| one.user_id == other.user_id);
    Ok(people)
}

fn context_user(ghost: Ghost) -> context::User {
    context::User {
        mxid: ghost.user_id,
        gitter_id: ghost.gitter_user_id,
        username: ghost.username,
        display_name: Some(ghost.display_name).filter(|name| !name.is_empty()),
        admin: false,
        banned: false,
    }
}

fn context_member(member: Member) -> context::Member {
    context::Member {
        mxid: member.user_id,
        display_name: Some(member.display_name).filter(|name| !name.is_empty()),
        avatar: Some(member.avatar_url).filter(|url| !url.is_empty()),
        may_notify_room: false,
        may_redact: false,
        banned: false,
    }
}
