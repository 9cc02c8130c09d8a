//! What people said in two linked rooms: the same words for both sides, so that they can be compared. Pure.

use crate::{
    compare::{Comparison, compare},
    matrix::Event,
    sandbox::Message,
};

/// A message, as far as it must be the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Said {
    /// The writer's user name or localpart on the side of origin.
    pub author: String,
    /// The text.
    pub text: String,
    /// Whether it is a `/me` line.
    pub emote: bool,
    /// Whether it is in a thread.
    pub in_thread: bool,
}

/// One message and the side that it was written on.
struct Sided {
    bridged: bool,
    said: Said,
}

/// Compares what people wrote in a Matrix room with what is in the linked Gitter room, and the other way
/// round: to Gitter, then to Matrix.
pub fn crossings(matrix: &[Event], gitter: &[Message]) -> (Comparison, Comparison) {
    let (written_on_matrix, from_gitter) = split(matrix.iter().map(on_matrix));
    let (written_on_gitter, from_matrix) = split(gitter.iter().map(on_gitter));
    (
        compare(&written_on_matrix, &from_matrix),
        compare(&written_on_gitter, &from_gitter),
    )
}

/// Tells what was written here from what the bridge brought.
fn split(messages: impl Iterator<Item = Sided>) -> (Vec<Said>, Vec<Said>) {
    let (bridged, written): (Vec<_>, Vec<_>) = messages.partition(|message| message.bridged);
    let said = |messages: Vec<Sided>| messages.into_iter().map(|message| message.said).collect();
    (said(written), said(bridged))
}

fn on_matrix(event: &Event) -> Sided {
    let localpart = localpart(&event.sender);
    let gitter_name = ghost_username(localpart);
    Sided {
        bridged: gitter_name.is_some(),
        said: Said {
            author: gitter_name.unwrap_or(localpart).to_owned(),
            text: event.body().to_owned(),
            emote: event.is_emote(),
            in_thread: event.thread_root().is_some(),
        },
    }
}

fn on_gitter(message: &Message) -> Sided {
    let matrix_name = message
        .virtual_user
        .as_ref()
        .map(|user| localpart(&user.external_id));
    Sided {
        bridged: matrix_name.is_some(),
        said: Said {
            author: matrix_name.unwrap_or(&message.author).to_owned(),
            text: message.shown_text().to_owned(),
            emote: message.status,
            in_thread: message.parent_id.is_some(),
        },
    }
}

/// The localpart of a Matrix id, with or without its `@`.
fn localpart(user_id: &str) -> &str {
    let name = user_id.strip_prefix('@').unwrap_or(user_id);
    name.split_once(':').map_or(name, |(localpart, _)| localpart)
}

/// The Gitter user name in a ghost's localpart, `gitter_<username>-<id>` by default.
pub fn ghost_username(localpart: &str) -> Option<&str> {
    let (username, _id) = localpart.strip_prefix("gitter_")?.rsplit_once('-')?;
    Some(username)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sandbox::VirtualUser;

    fn event(sender: &str, text: &str) -> Event {
        Event {
            event_id: format!("${text}"),
            sender: sender.to_owned(),
            kind: "m.room.message".to_owned(),
            origin_server_ts: 0,
            content: json!({ "msgtype": "m.text", "body": text }),
        }
    }

    fn message(author: &str, external_id: Option<&str>, text: &str) -> Message {
        Message {
            id: format!("id of {text}"),
            author: author.to_owned(),
            virtual_user: external_id.map(|external_id| VirtualUser {
                kind: "matrix".to_owned(),
                external_id: external_id.to_owned(),
                display_name: "Ana".to_owned(),
            }),
            text: text.to_owned(),
            status: false,
            sent: "2020-12-01T10:00:00.123Z".to_owned(),
            parent_id: None,
        }
    }

    const GHOST: &str = "@gitter_wren-5f0000000000000000000c01:localhost";

    #[test]
    fn both_directions_are_compared_with_their_authors() {
        let matrix = [event("@ana:localhost", "one"), event(GHOST, "two")];
        let gitter = [
            message("bridge_bot", Some("ana:localhost"), "one"),
            message("wren", None, "two"),
        ];
        let (to_gitter, to_matrix) = crossings(&matrix, &gitter);
        assert!(to_gitter.is_clean() && to_matrix.is_clean());
        assert_eq!((to_gitter.arrived, to_matrix.arrived), (1, 1));
    }

    #[test]
    fn a_message_under_another_name_did_not_arrive() {
        let matrix = [event("@ana:localhost", "one"), event(GHOST, "two")];
        let gitter = [
            message("bridge_bot", Some("ben:localhost"), "one"),
            message("kelp", None, "two"),
        ];
        let (to_gitter, to_matrix) = crossings(&matrix, &gitter);
        assert_eq!((to_gitter.lost, to_gitter.duplicated), (1, 1));
        assert_eq!((to_matrix.lost, to_matrix.duplicated), (1, 1));
    }
}
