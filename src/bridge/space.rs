//! Spaces: a Gitter group is one, and the rooms of its portals are in it (DESIGN 5, gitter-api 4.7).
//!
//! It is made with the first room that the bridge makes of a group, and stays. Its alias is `<alias_prefix>` and the
//! group's URI where that holds no `_` and is no id, which could be a room's; the one of its id, which it always has, also keeps a
//! second Space from being made.

use ruma::{OwnedRoomId, RoomId, events::StateEventType};
use serde_json::json;
use tokio::sync::OwnedMutexGuard;
use tracing::{info, warn};

use super::{
    Bridge, BridgeError, alias,
    room_state::{self, Piece},
};
use crate::{
    ids::{GitterGroupId, GitterRoomId},
    matrix::NewRoom,
    model,
    store::{Portal, PortalKind, portal, space as spaces},
};

/// What a Space says of the group, from its beginning and for good.
const MADE_FOR: &str = "im.gitter.group_id";

/// The longest that the order of a child may be, in characters (client-server API, "Ordering of children").
const ORDER: usize = 50;

/// Sees to it that a portal's room is in the Space of its group. The Space is made for a room that the bridge made.
pub(super) async fn keep(bridge: &Bridge, portal: &Portal, room: &model::Room) -> Result<(), BridgeError> {
    let Some(group) = &room.group_id else {
        return Ok(());
    };
    let _alone = lock_group(bridge, group).await;
    let mut tx = bridge.db.write().await?;
    spaces::set_group(&mut tx, &portal.gitter_room_id, group).await?;
    let space = spaces::space(&mut tx, group).await?;
    tx.commit().await?;
    match space {
        Some(space) => join(bridge, &space, portal).await,
        None if portal.kind == PortalKind::Created => {
            let space = make(bridge, group, room).await?;
            let mut tx = bridge.db.read().await?;
            let portals = spaces::portals_of_group(&mut tx, group).await?;
            drop(tx);
            for portal in portals {
                join(bridge, &space, &portal).await?;
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// Keeps everybody else of this process from a Space.
async fn lock_group(bridge: &Bridge, group: &GitterGroupId) -> OwnedMutexGuard<()> {
    bridge.locks.lock(&format!("group {group}")).await
}

/// Takes a room whose portal is gone out of its Space, unless it is there for another Gitter room of the group by now.
pub(super) async fn withdraw(
    bridge: &Bridge,
    gitter: &GitterRoomId,
    matrix: &RoomId,
) -> Result<(), BridgeError> {
    let mut tx = bridge.db.read().await?;
    let group = spaces::group_of(&mut tx, gitter).await?;
    drop(tx);
    let Some(group) = group else { return Ok(()) };
    let _alone = lock_group(bridge, &group).await;
    let mut tx = bridge.db.read().await?;
    let space = spaces::space(&mut tx, &group).await?;
    let others = spaces::portals_of_group(&mut tx, &group).await?;
    drop(tx);
    let stays = others
        .iter()
        .any(|other| other.matrix_room_id == matrix && other.gitter_room_id != *gitter);
    if let Some(space) = space
        && !stays
    {
        room_state::blank(bridge, &space, StateEventType::SpaceChild, matrix.as_str()).await?;
        room_state::blank(bridge, matrix, StateEventType::SpaceParent, space.as_str()).await?;
    }
    // Only then: it says which Space it is.
    let mut tx = bridge.db.write().await?;
    let linked_anew = portal::portal_by_gitter_room(&mut tx, gitter).await?;
    if linked_anew.is_none() {
        spaces::clear_group(&mut tx, gitter).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Has the Space of a room's group named and pictured as the group is now.
pub(super) async fn refresh(bridge: &Bridge, room: &model::Room) -> Result<(), BridgeError> {
    let Some(group) = &room.group_id else {
        return Ok(());
    };
    let mut tx = bridge.db.read().await?;
    let space = spaces::space(&mut tx, group).await?;
    drop(tx);
    if let Some(space) = space {
        let group = bridge.gitter.group(group).await?;
        describe(bridge, &space, &group).await?;
    }
    Ok(())
}

/// Makes a room a child of a Space, and says so in rooms that the bridge made.
async fn join(bridge: &Bridge, space: &RoomId, portal: &Portal) -> Result<(), BridgeError> {
    let via = json!([bridge.settings.server_name]);
    let child = Piece {
        event_type: StateEventType::SpaceChild,
        state_key: portal.matrix_room_id.to_string(),
        content: json!({ "via": via, "order": order(&portal.gitter_uri) }),
    };
    room_state::put(bridge, space, &child).await?;
    if portal.kind == PortalKind::Created {
        let parent = Piece {
            event_type: StateEventType::SpaceParent,
            state_key: space.to_string(),
            content: json!({ "via": via, "canonical": true }),
        };
        room_state::put(bridge, &portal.matrix_room_id, &parent).await?;
    }
    Ok(())
}

/// By name within the group. Only printable ASCII may be in it.
fn order(uri: &str) -> String {
    let name = uri.split_once('/').map_or(uri, |(_, name)| name);
    let name = name.chars().flat_map(char::to_lowercase);
    let name = name.map(|character| match character {
        ' '..='~' => character,
        _ => '~',
    });
    name.take(ORDER).collect()
}

/// The Space of a group: a new one, or one that was made and not noted.
async fn make(bridge: &Bridge, id: &GitterGroupId, room: &model::Room) -> Result<OwnedRoomId, BridgeError> {
    let group = match bridge.gitter.group(id).await {
        Ok(group) => group,
        Err(error) if error.refuses() => as_the_room_says(id, room),
        Err(error) => return Err(error.into()),
    };
    let localpart = alias::localpart_of_id(bridge, id.as_str());
    let new = NewRoom {
        alias: localpart.clone(),
        name: name(&group).to_owned(),
        creation: json!({ "type": "m.space", MADE_FOR: id }),
        state: vec![(
            "m.room.history_visibility",
            json!({ "history_visibility": "world_readable" }),
        )],
        // Nobody talks in a Space.
        power_levels: Some(json!({ "events_default": 100 })),
        invite: Vec::new(),
    };
    let space = match bridge.matrix.create_room(&new).await {
        Err(error) if error.is("M_ROOM_IN_USE") => match adopt(bridge, id, &localpart).await? {
            Some(space) => space,
            None => bridge.matrix.create_room(&new).await?,
        },
        made => made?,
    };
    let mut tx = bridge.db.write().await?;
    spaces::record_space(&mut tx, id, &space, &group.uri).await?;
    tx.commit().await?;
    info!(group.uri = group.uri, space.id = %space, "Made a Space");
    describe(bridge, &space, &group).await?;
    Ok(space)
}

/// The Space that has the alias, if it was made for this group.
async fn adopt(
    bridge: &Bridge,
    id: &GitterGroupId,
    localpart: &str,
) -> Result<Option<OwnedRoomId>, BridgeError> {
    let Some(alias) = alias::alias_of(bridge, localpart) else {
        return Ok(None);
    };
    let Some(space) = alias::resolve(bridge, &alias).await? else {
        return Ok(None);
    };
    let creation = bridge.matrix.creation(&space).await?;
    let ours = creation.is_some_and(|it| it.is_by(bridge.matrix.bot(), MADE_FOR, id.as_str()));
    if ours {
        Ok(alias::enter(bridge, Some(&alias), space).await?)
    } else {
        Ok(None)
    }
}

/// Name, picture and alias.
async fn describe(bridge: &Bridge, space: &RoomId, group: &model::Group) -> Result<(), BridgeError> {
    let mut pieces = vec![Piece::new(
        StateEventType::RoomName,
        json!({ "name": name(group) }),
    )];
    pieces.extend(room_state::picture(bridge, group.avatar_url.as_deref()).await?);
    let by_id = alias::localpart_of_id(bridge, group.id.as_str());
    let by_id = alias::alias_of(bridge, &by_id);
    let mut shown = json!({ "alias": by_id });
    if let Some(by_uri) = alias_of_uri(bridge, group)
        && !alias::is_of_portal(bridge, &by_uri).await?
    {
        match alias::take(bridge, &by_uri, space).await {
            Ok(()) => shown = json!({ "alias": by_uri, "alt_aliases": [by_id] }),
            Err(error) => warn!(alias = %by_uri, error = %error, "A Space goes without the alias of its URI"),
        }
    }
    pieces.push(Piece::new(StateEventType::RoomCanonicalAlias, shown));
    for piece in &pieces {
        room_state::put(bridge, space, piece).await?;
    }
    Ok(())
}

/// None where it could be the alias of a room.
fn alias_of_uri(bridge: &Bridge, group: &model::Group) -> Option<ruma::OwnedRoomAliasId> {
    let plain = !group.uri.is_empty() && !group.uri.contains(['_', '/']) && !alias::is_id(&group.uri);
    let localpart = alias::localpart_of_id(bridge, &group.uri);
    alias::alias_of(bridge, &localpart).filter(|_| plain)
}

fn name(group: &model::Group) -> &str {
    if group.name.is_empty() {
        &group.uri
    } else {
        &group.name
    }
}

/// A group that may not be asked for is known by its rooms.
fn as_the_room_says(id: &GitterGroupId, room: &model::Room) -> model::Group {
    let before_slash = |text: &str| text.split('/').next().unwrap_or_default().to_owned();
    model::Group {
        id: id.clone(),
        name: before_slash(&room.name),
        uri: before_slash(room.uri.as_deref().unwrap_or_default()),
        avatar_url: room.avatar_url.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_in_the_order_of_their_names() {
        assert_eq!(order("tidepool/Harbour"), "harbour");
        assert_eq!(order("org/repo/channel"), "repo/channel");
        assert_eq!(order("x/ünï"), "~n~");
        assert_eq!(order(&format!("x/{}", "a".repeat(80))).len(), ORDER);
    }
}
