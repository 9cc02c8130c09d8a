//! Links to people and messages of either side: made and read here.

use percent_encoding::percent_decode_str;
use ruma::{EventId, MatrixToUri, MatrixUri, OwnedUserId, RoomId, UserId, matrix_uri::MatrixId};
use url::Url;

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

/// The matrix.to link to the portal's Matrix room.
pub(super) fn to_portal(context: &Context) -> String {
    let via = [context.server_name.clone()];
    context.portal.matrix_room_id.matrix_to_uri_via(via).to_string()
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

/// The matrix.to link to what a Gitter address is of: a bridged room, or a message of one that crossed
/// (gitter-api 4.5); `None` for everything else.
pub(super) fn to_matrix(href: &str, context: &Context) -> Option<String> {
    let url = Url::parse(href).ok()?;
    let site = &context.web_url;
    if !matches!(url.scheme(), "http" | "https")
        || url.host_str() != site.host_str()
        || url.port() != site.port()
    {
        return None;
    }
    let path = url.path().strip_prefix(site.path().trim_end_matches('/'))?;
    let uri = percent_decode_str(path.trim_matches('/')).decode_utf8().ok()?;
    let uri = uri.to_lowercase();
    let portal = &context.portal;
    let room = if portal.gitter_uri.to_lowercase() == uri {
        &portal.matrix_room_id
    } else {
        let mut rooms = context.rooms.iter();
        &rooms
            .find(|room| room.gitter_uri.to_lowercase() == uri)?
            .matrix_room_id
    };
    let via = [context.server_name.clone()];
    let link = match url.query_pairs().find(|(key, _)| key == "at") {
        None => room.matrix_to_uri_via(via),
        Some((_, id)) => {
            let id: GitterMessageId = id.parse().ok()?;
            let event = &context.crossed_message(&id)?.matrix_event_id;
            room.matrix_to_event_uri_via(event.clone(), via)
        }
    };
    Some(link.to_string())
}

/// [`to_matrix`] for an address in running text, which punctuation may follow.
pub(super) fn shown_to_matrix(word: &str, context: &Context) -> Option<String> {
    let start = word.find("http")?;
    let (before, rest) = word.split_at_checked(start)?;
    let address = rest.trim_end_matches(|it: char| it.is_whitespace() || ".,;:!?)\"'".contains(it));
    let behind = rest.get(address.len()..)?;
    Some(format!("{before}{}{behind}", to_matrix(address, context)?))
}

/// Whether Gitter can show a link: one whose host no browser would take makes its renderer fail.
pub(super) fn can_be_shown(href: &str) -> bool {
    Url::parse(href).is_ok()
}

/// The matrix.to form of a `matrix:` link to a room or an event, which browsers know.
pub(super) fn as_matrix_to(href: &str) -> Option<String> {
    let uri = MatrixUri::parse(href).ok()?;
    let via = uri.via().to_vec();
    let link = match uri.id() {
        MatrixId::Room(room) => room.matrix_to_uri_via(via),
        MatrixId::RoomAlias(alias) => alias.matrix_to_uri(),
        MatrixId::Event(room, event) => {
            let room = <&RoomId>::try_from(&**room).ok()?;
            room.matrix_to_event_uri_via(event.clone(), via)
        }
        _ => return None,
    };
    Some(link.to_string())
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
