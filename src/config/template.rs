//! Templates of names: fixed text with placeholders such as `{id}`.

use super::{
    document::Node,
    section::{Folders, Refusal},
    value::scalar,
};
use crate::ids::GhostTemplate;

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text that stays.
    Fixed(&'a str),
    /// The name between braces.
    Placeholder(&'a str),
}

/// Takes a template apart; `None` where a brace has no partner.
pub(crate) fn pieces(template: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((fixed, opened)) = rest.split_once('{') {
        let (name, after) = opened.split_once('}')?;
        pieces.extend([Piece::Fixed(fixed), Piece::Placeholder(name)]);
        rest = after;
    }
    pieces.push(Piece::Fixed(rest));
    let balanced = |piece: &Piece<'_>| match piece {
        Piece::Fixed(text) | Piece::Placeholder(text) => !text.contains(['{', '}']),
    };
    pieces.retain(|piece| *piece != Piece::Fixed(""));
    pieces.iter().all(balanced).then_some(pieces)
}

/// Reads the template of ghosts' localparts.
pub(super) fn ghost_localpart(node: &Node, _: &Folders) -> Result<GhostTemplate, Refusal> {
    let text = scalar(node)?;
    let usable = |piece: &Piece<'_>| match piece {
        Piece::Fixed(text) => text.bytes().all(is_localpart_byte),
        Piece::Placeholder(name) => matches!(*name, "id" | "username"),
    };
    if !pieces(text).is_some_and(|pieces| pieces.iter().all(usable)) {
        return Err(
            "must consist of lower-case letters, digits and `._=/+-`, with {id} and maybe {username}".into(),
        );
    }
    text.to_owned()
        .try_into()
        .map_err(|_| "must hold {id} once: without it two Gitter people could become one ghost".into())
}

/// Reads the template of ghosts' display names.
pub(super) fn ghost_display_name(node: &Node, _: &Folders) -> Result<String, Refusal> {
    let text = scalar(node)?;
    let pieces = pieces(text).unwrap_or_default();
    let placeholders: Vec<_> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(*name),
            Piece::Fixed(_) => None,
        })
        .collect();
    if !placeholders.is_empty()
        && placeholders
            .iter()
            .all(|name| matches!(*name, "display_name" | "username"))
    {
        Ok(text.to_owned())
    } else {
        Err("must hold {display_name} or {username}, and no other braces".into())
    }
}

/// Reads what the localparts of room aliases begin with.
pub(super) fn alias_prefix(node: &Node, _: &Folders) -> Result<String, Refusal> {
    let text = scalar(node)?;
    if text.bytes().all(is_localpart_byte) {
        Ok(text.to_owned())
    } else {
        Err("must consist of lower-case letters, digits and `._=/+-`".into())
    }
}

/// Whether a byte may stand in a localpart (Matrix specification, appendix "User Identifiers").
const fn is_localpart_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase()
        || byte.is_ascii_digit()
        || matches!(byte, b'.' | b'_' | b'=' | b'/' | b'+' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_told_apart() {
        use Piece::{Fixed, Placeholder};
        assert_eq!(
            pieces("gitter_{username}-{id}"),
            Some(vec![
                Fixed("gitter_"),
                Placeholder("username"),
                Fixed("-"),
                Placeholder("id")
            ])
        );
        assert_eq!(pieces("{id}"), Some(vec![Placeholder("id")]));
        assert_eq!(pieces(""), Some(vec![]));
        for broken in ["{id", "id}", "{{id}}", "{a{b}"] {
            assert_eq!(pieces(broken), None, "{broken}");
        }
    }
}
