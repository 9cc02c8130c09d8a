//! Links to people and messages of either side: made and read here.

use ruma::{EventId, MatrixToUri, MatrixUri, OwnedUserId, UserId, matrix_uri::MatrixId};

use super::Context;
use crate::ids::GitterMessageId;

/// The matrix.to link to a person.
pub(super) fn to_user(user: &UserId) -> String {
    user.matrix_to_uri().to_string()
}

/// The matrix.to link to an event of the portal. No server can be read out of a room id (room version 12),
/// so the homeserver itself is named as the way there.
pub(super) fn to_event(event: &EventId, context: &Context) -> String {
    let room = &context.portal.matrix_room_id;
    room.matrix_to_event_uri_via(event.to_owned(), [context.server_name.clone()])
        .to_string()
}

/// The link to a message on the Gitter site (gitter-api 4.5).
pub(super) fn to_gitter_message(id: &GitterMessageId, context: &Context) -> String {
    let site = context.web_url.as_str().trim_end_matches('/');
    format!("{site}/{}?at={id}", context.portal.gitter_uri)
}

/// The Gitter page of a bridged room or message that a matrix.to or `matrix:` link is to (gitter-api 4.5);
/// `None` for everything else.
pub(super) fn to_gitter(href: &str, context: &Context) -> Option<String> {
    let (room, event) = match id_in(href)? {
        MatrixId::Room(room) => (room.to_string(), None),
        MatrixId::RoomAlias(alias) => (alias.to_string(), None),
        MatrixId::Event(room, event) => (room.to_string(), Some(event)),
        _ => return None,
    };
    let portal = &context.portal;
    let other = || {
        let mut rooms = context.rooms.iter();
        rooms.find(|it| it.matrix_room_id == *room || it.alias.as_ref().is_some_and(|alias| *alias == *room))
    };
    let uri = if portal.matrix_room_id == *room {
        &portal.gitter_uri
    } else {
        &other()?.gitter_uri
    };
    let site = context.web_url.as_str().trim_end_matches('/');
    match event {
        None => Some(format!("{site}/{uri}")),
        Some(event) => {
            let message = &context.crossed_event(&event)?.gitter_message_id;
            Some(format!("{site}/{uri}?at={message}"))
        }
    }
}

/// Whether a link is one of Matrix.
pub(super) fn is_matrix(href: &str) -> bool {
    id_in(href).is_some()
}

/// The person that a matrix.to or `matrix:` link is to.
pub(super) fn user_in(href: &str) -> Option<OwnedUserId> {
    match id_in(href)? {
        MatrixId::User(user) => Some(user),
        _ => None,
    }
}

/// What a matrix.to or `matrix:` link is to. Gitter adds a query to such links, so it is dropped.
fn id_in(href: &str) -> Option<MatrixId> {
    let address = href.split('?').next()?;
    if address.starts_with("matrix:") {
        Some(MatrixUri::parse(address).ok()?.id().clone())
    } else {
        Some(MatrixToUri::parse(address).ok()?.id().clone())
    }
}
