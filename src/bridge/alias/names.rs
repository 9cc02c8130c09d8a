//! Gitter URIs as aliases, and back (DESIGN 5). Pure.
//!
//! An alias cannot say which of its `_` was the slash, so the way back has several answers.

use ruma::{OwnedRoomAliasId, RoomAliasId, ServerName};

/// The most bytes of an alias (Matrix specification, appendix "Common identifier format"). `ruma` takes longer ones, for
/// the sake of ids that old servers made.
const LONGEST: usize = 255;

/// The alias with this localpart; none if it is too long for one.
pub(super) fn alias(localpart: &str, server_name: &ServerName) -> Option<OwnedRoomAliasId> {
    let text = format!("#{localpart}:{server_name}");
    RoomAliasId::parse(&text).ok().filter(|_| text.len() <= LONGEST)
}

/// The localpart of a URI's alias.
pub(super) fn localpart(prefix: &str, uri: &str) -> String {
    format!("{prefix}{}", uri.replace('/', "_"))
}

/// What stands for a URI or an id in an alias of the bridge's; none if the alias is not one of them.
pub(super) fn named<'a>(alias: &'a RoomAliasId, prefix: &str, server_name: &ServerName) -> Option<&'a str> {
    let localpart = alias.alias().strip_prefix(prefix)?;
    let is_one = alias.server_name() == server_name && alias.as_str().len() <= LONGEST;
    (is_one && !localpart.is_empty()).then_some(localpart)
}

/// Whether what is named is the id of a room, or as good as one.
pub(in crate::bridge) fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The URIs that an alias may stand for. First those of two parts, which nearly all rooms have; then those of three,
/// which very old rooms have. Where a slash is written, it is one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    pub(super) of_two_parts: Vec<String>,
    pub(super) of_three_parts: Vec<String>,
}

/// What the text of an alias, without its prefix, may stand for.
pub(super) fn candidates(text: &str) -> Candidates {
    let is_whole = |uri: &String| uri.split('/').all(|part| !part.is_empty());
    if text.contains('/') {
        let written = text.to_owned();
        return Candidates {
            of_two_parts: Some(written).filter(is_whole).into_iter().collect(),
            of_three_parts: Vec::new(),
        };
    }
    let with_slash = |text: &str, from: usize| {
        let places: Vec<usize> = text.match_indices('_').map(|(place, _)| place).collect();
        let uris = places.into_iter().filter(move |place| *place >= from);
        let uris = uris.filter_map(|place| {
            let (before, after) = (text.get(..place)?, text.get(place + 1..)?);
            Some((format!("{before}/{after}"), place + 1))
        });
        uris.collect::<Vec<_>>()
    };
    let ones = with_slash(text, 0);
    let twos = ones.iter().flat_map(|(uri, from)| with_slash(uri, *from));
    Candidates {
        of_three_parts: twos.map(|(uri, _)| uri).filter(is_whole).collect(),
        of_two_parts: ones.iter().map(|(uri, _)| uri.clone()).filter(is_whole).collect(),
    }
}

#[cfg(test)]
mod tests {
    use ruma::{room_alias_id, server_name};

    use super::*;

    #[test]
    fn each_underscore_may_be_the_slash() {
        let found = candidates("my_group_room");
        assert_eq!(found.of_two_parts, ["my/group_room", "my_group/room"]);
        assert_eq!(found.of_three_parts, ["my/group/room"]);
    }

    #[test]
    fn a_slash_that_is_written_is_one() {
        assert_eq!(candidates("my_group/room").of_two_parts, ["my_group/room"]);
    }

    /// Of each underscore in it there would be a URI, and of each two another: more than fit into any memory.
    #[test]
    fn what_is_too_long_for_an_alias_is_none() {
        let longest = "_a".repeat(117);
        for (text, fits) in [
            (format!("{longest}b"), true),
            (format!("{longest}bb"), false),
            ("_".repeat(16_000), false),
        ] {
            let parsed = RoomAliasId::parse(format!("#gitter_{text}:example.org"));
            let named = parsed
                .as_deref()
                .ok()
                .and_then(|alias| named(alias, "gitter_", server_name!("example.org")));
            assert_eq!(named.is_some(), fits, "{} bytes", text.len());
            let made = alias(&format!("gitter_{text}"), server_name!("example.org"));
            assert_eq!(made.is_some(), fits, "{} bytes", text.len());
        }
    }

    /// Gitter would make a one-to-one room for what is no URI of a group's room.
    #[test]
    fn the_name_of_a_person_stands_for_no_room() {
        for text in ["wren", "wren/", "/wren", "_wren", "wren_", "_", "/", "//", "ü"] {
            assert_eq!(candidates(text), Candidates::default(), "{text:?}");
        }
        assert_eq!(candidates("wren__x").of_two_parts, ["wren/_x", "wren_/x"]);
    }

    #[test]
    fn there_and_back() {
        let server = server_name!("example.org");
        for uri in ["tidepool/harbour", "a_b/c-d.e", "org/repo/channel", "ünï_x/ö_y"] {
            let alias = alias(&localpart("gitter_", uri), server).unwrap();
            let text = named(&alias, "gitter_", server).unwrap();
            let Candidates {
                of_two_parts,
                of_three_parts,
            } = candidates(text);
            assert!(of_two_parts.iter().chain(&of_three_parts).any(|it| it == uri));
        }
    }

    #[test]
    fn only_aliases_of_the_bridge_are_taken() {
        let server = server_name!("example.org");
        let named = |alias| named(alias, "gitter_", server);
        assert_eq!(named(room_alias_id!("#gitter_a/b:example.org")), Some("a/b"));
        for other in [
            room_alias_id!("#gitter_a_b:e.org"),
            room_alias_id!("#a_b:example.org"),
            room_alias_id!("#gitter_:example.org"),
        ] {
            assert_eq!(named(other), None);
        }
    }
}
