//! What translation knows of bans, and of who may have things done on Gitter.

use ruma::UserId;
use serde_json::Value;

use super::{base, context_user, reading};
use crate::{
    bridge::{Bridge, BridgeError},
    model,
    store::{Item, Portal, StoreError, Tx, ban, ghost},
    translate::Context,
};

/// Adds who is banned on Gitter and whether moderation reaches it, where an event may be about that.
pub(super) async fn add(
    tx: &mut Tx,
    bridge: &Bridge,
    portal: &Portal,
    event: &Value,
    context: &mut Context,
) -> Result<(), StoreError> {
    let is_membership = reading::is_membership(event);
    if is_membership || reading::is_redaction(event) {
        let settings = bridge.room_settings(tx, portal.gitter_room_id.as_str()).await?;
        context.settings.moderation = settings.moderation;
    }
    if is_membership {
        let room = &portal.gitter_room_id;
        for user in &mut context.users {
            user.banned = ban::is_banned(tx, room, user.gitter_id.as_str()).await?;
        }
        for member in &mut context.members {
            let external_id = member.mxid.as_str().trim_start_matches('@');
            member.banned = ban::is_banned(tx, room, external_id).await?;
        }
    }
    Ok(())
}

/// Adds whom the room's moderators do not let speak, where somebody speaks; notes what changes about that.
pub(super) async fn add_policy(bridge: &Bridge, portal: &Portal, event: &Value, context: &mut Context) {
    let (policies, room) = (&bridge.policies, &portal.matrix_room_id);
    if event.get("state_key").is_some() {
        policies.note(room, event);
    } else if !reading::is_redaction(event) && !is_own(event, context) {
        context.policy = policies.of(bridge, room).await;
    }
}

/// Whether an event is of a user of ours.
fn is_own(event: &Value, context: &Context) -> bool {
    let sender = event.get("sender").and_then(Value::as_str);
    let sender = sender.and_then(|sender| UserId::parse(sender).ok());
    sender.is_some_and(|sender| context.is_own(&sender))
}

/// The context of a ban on Gitter, or of its end.
pub(in crate::bridge) async fn for_ban(
    bridge: &Bridge,
    portal: &Portal,
    item: &Item,
) -> Result<Context, BridgeError> {
    let mut context = base(bridge, portal);
    let ban: Option<model::Ban> = serde_json::from_str(&item.body).ok();
    let user = ban.and_then(|ban| ban.user?.account_id());
    if let Some(user) = user {
        let mut tx = bridge.db.read().await?;
        context
            .users
            .extend(ghost::ghost_by_id(&mut tx, &user).await?.map(context_user));
    }
    Ok(context)
}
