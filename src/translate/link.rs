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

/// The person that a matrix.to or `matrix:` link is to. Gitter adds a query to such links, so it is dropped.
pub(super) fn user_in(href: &str) -> Option<OwnedUserId> {
    let address = href.split('?').next()?;
    let id = if address.starts_with("matrix:") {
        MatrixUri::parse(address).ok()?.id().clone()
    } else {
        MatrixToUri::parse(address).ok()?.id().clone()
    };
    match id {
        MatrixId::User(user) => Some(user),
        _ => None,
    }
}
