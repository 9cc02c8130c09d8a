//! What people type as plain text and Gitter still reads as mentions.

use ruma::UserId;

use super::{
    Context,
    body::{Body, MarkKind},
    escape, people,
};

/// How a message may notify everyone in the Gitter room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announcements {
    /// A typed `@/all` stays one.
    pub(super) all: bool,
    /// An `@room` becomes `@/all`.
    pub(super) room: bool,
}

/// Marks the mentions that Gitter reads by itself. Addresses must be marked before.
pub(super) fn mark(body: &mut Body, announcements: Announcements, context: &Context) {
    let text = body.text().to_owned();
    for (start, _) in text.match_indices('@') {
        let before = text.get(..start).unwrap_or_default();
        let after = text.get(start + 1..).unwrap_or_default();
        if before.ends_with(escape::is_email_character) {
            continue;
        }
        let (length, mention) = match group(after) {
            Some("all") if announcements.all => ("/all".len(), "@/all".to_owned()),
            Some(_) => continue,
            None => {
                let name = mentioned_name(after);
                (name.len(), mention_of(name, announcements, context))
            }
        };
        if length > 0 {
            body.mark(start..start + 1 + length, MarkKind::Mention(mention));
        }
    }
}

fn mention_of(name: &str, announcements: Announcements, context: &Context) -> String {
    if name == "room" && announcements.room {
        return "@/all".to_owned();
    }
    UserId::parse(format!("@{name}"))
        .ok()
        .and_then(|user| people::ghost_mention(&user, context))
        .unwrap_or_else(|| format!("@{name}"))
}

fn group(after: &str) -> Option<&str> {
    let name = after.strip_prefix('/')?;
    let rest = name.trim_start_matches(|it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-');
    name.get(..name.len() - rest.len())
}

/// The name at the start of a text that Gitter would read as mentioned. An underscore in front of
/// punctuation ends it, since it could end an emphasis too.
fn mentioned_name(after: &str) -> &str {
    let mut end = 0;
    let mut characters = after.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let is_loose =
            character == '_' && !next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_');
        if is_loose || !escape::is_mention_character(character) {
            break;
        }
        if character.is_ascii_alphanumeric() {
            end = at + 1;
        }
    }
    after.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_in_a_letter_or_digit() {
        assert_eq!(mentioned_name("wren: hello"), "wren");
        assert_eq!(mentioned_name("wren_gitlab, hello"), "wren_gitlab");
        assert_eq!(mentioned_name("wren_.b"), "wren");
        assert_eq!(mentioned_name("ana:example.org"), "ana:example.org");
    }
}
