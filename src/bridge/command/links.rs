//! Addresses that the bot shows to people, and ids in addresses that people show to the bot.

use ruma::{EventId, MatrixToUri, MatrixUri, OwnedEventId, RoomId, matrix_uri::MatrixId};

use crate::{bridge::Bridge, ids::GitterMessageId};

/// Where people find a Gitter room.
pub(super) fn room_address(bridge: &Bridge, uri: &str) -> String {
    let web = bridge.settings.web_url.as_str().trim_end_matches('/');
    format!("{web}/{uri}")
}

/// Where people find a Gitter message.
pub(super) fn message_address(bridge: &Bridge, uri: &str, message: &str) -> String {
    format!("{}?at={message}", room_address(bridge, uri))
}

/// Where people find an event.
pub(super) fn event_address(room: &RoomId, event: &str) -> String {
    EventId::parse(event).map_or_else(
        |_| event.to_owned(),
        |event| room.matrix_to_event_uri(&event).to_string(),
    )
}

/// What somebody may mean by a word: an event, by id or link, or a Gitter message, by id or link.
pub(super) fn source_id(word: &str) -> Option<String> {
    let word = word.trim_matches(['<', '>', '`']);
    if let Ok(event) = OwnedEventId::try_from(word)
        && word.starts_with('$')
    {
        return Some(event.to_string());
    }
    let linked = MatrixToUri::parse(word)
        .map(|uri| uri.id().clone())
        .or_else(|_| MatrixUri::parse(word).map(|uri| uri.id().clone()));
    if let Ok(MatrixId::Event(_, event)) = linked {
        return Some(event.to_string());
    }
    let message = word.split_once("?at=").map_or(word, |(_, message)| message);
    message
        .parse::<GitterMessageId>()
        .ok()
        // Ids of Gitter's messages say when they were made; other words do not.
        .filter(|message| message.time().is_some())
        .map(|message| message.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_id_and_by_its_link() {
        for (word, id) in [
            ("$abc:example.org", "$abc:example.org"),
            ("`$abc`", "$abc"),
            (
                "https://matrix.to/#/!room:example.org/$abc?via=example.org",
                "$abc",
            ),
            ("matrix:roomid/room:example.org/e/abc", "$abc"),
            ("5f0000000000000000000d01", "5f0000000000000000000d01"),
            (
                "https://gitter.example.org/tidepool/harbour?at=5f0000000000000000000d01",
                "5f0000000000000000000d01",
            ),
        ] {
            assert_eq!(source_id(word).as_deref(), Some(id), "{word}");
        }
        for other in [
            "",
            "hello",
            "https://matrix.to/#/#harbour:example.org",
            "#harbour:example.org",
        ] {
            assert_eq!(source_id(other), None, "{other}");
        }
    }
}
