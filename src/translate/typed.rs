//! What people type as plain text and Gitter still reads: addresses and mentions.

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

/// Marks what Gitter reads by itself.
pub(super) fn mark(body: &mut Body, announcements: Announcements, context: &Context) {
    mark_addresses(body);
    mark_mentions(body, announcements, context);
}

fn mark_addresses(body: &mut Body) {
    let text = body.text().to_owned();
    let mut done = 0;
    for (separator, _) in text.match_indices("://") {
        let before = text.get(done..separator).unwrap_or_default();
        let scheme = if before.ends_with("https") {
            "https"
        } else {
            "http"
        };
        if !before.ends_with(scheme) {
            continue;
        }
        let start = separator - scheme.len();
        let run = text.get(start..).unwrap_or_default();
        let run = run.split(char::is_whitespace).next().unwrap_or_default();
        // Whatever else such a run holds, it belongs to the address.
        done = start + run.len();
        if stands_alone(&text, start, done)
            && let Some(address) = address(run)
        {
            mark_address(body, start, run, address);
        }
    }
}

fn mark_address(body: &mut Body, start: usize, run: &str, address: &str) {
    if needs_its_own_end(run, address) {
        let kind = MarkKind::Link {
            label: address.to_owned(),
            href: address.to_owned(),
        };
        body.mark(start..start + address.len(), kind);
    } else {
        body.mark(start..start + run.len(), MarkKind::Address);
    }
}

/// Whether a run begins as a word of its own, and ends in a space that all renderers take for one.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).unwrap_or_default();
    let next = text.get(end..).and_then(|rest| rest.chars().next());
    !before.ends_with(char::is_alphanumeric) && next.is_none_or(|next| next.is_ascii_whitespace())
}

/// The address at the start of a run without spaces; `None` for one that Gitter would not show as it is.
fn address(run: &str) -> Option<&str> {
    let mut address = run.split(['<', '>']).next().unwrap_or_default();
    let closing = address.matches(')').count();
    let mut unbalanced = closing.saturating_sub(address.matches('(').count());
    loop {
        address = address.trim_end_matches(|it| ".,:;\"']!*~`".contains(it));
        match address.strip_suffix(')') {
            Some(shorter) if unbalanced > 0 => address = shorter,
            _ => break,
        }
        unbalanced -= 1;
    }
    let has_entity = run
        .match_indices('&')
        .any(|(at, _)| run.get(at + 1..).is_some_and(escape::is_entity));
    let has_trap = has_entity || ["](", "@/", "$$"].iter().any(|trap| run.contains(trap));
    (has_plain_host(address) && !has_trap).then_some(address)
}

/// Whether Gitter, left alone, would take what follows the address into it.
fn needs_its_own_end(run: &str, address: &str) -> bool {
    run.get(address.len()..)
        .is_some_and(|tail| tail.contains(|it| "<>!*~`".contains(it)))
}

fn has_plain_host(address: &str) -> bool {
    let authority = address
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', '#']).next())
        .unwrap_or_default();
    let host = match authority.split_once(':') {
        Some((host, port)) if port.chars().all(|digit| digit.is_ascii_digit()) => host,
        Some(_) => return false,
        None => authority,
    };
    host.starts_with(char::is_alphanumeric)
        && host.ends_with(char::is_alphanumeric)
        && host
            .chars()
            .all(|it| it.is_alphanumeric() || it == '-' || it == '.')
}

fn mark_mentions(body: &mut Body, announcements: Announcements, context: &Context) {
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

    fn marked(text: &str) -> Vec<String> {
        let mut body = Body::new(text);
        mark_addresses(&mut body);
        body.marks()
            .iter()
            .map(|mark| body.text()[mark.range.clone()].to_owned())
            .collect()
    }

    #[test]
    fn addresses_are_whole_runs() {
        assert_eq!(
            marked("see https://example.org/a_b_c."),
            ["https://example.org/a_b_c."]
        );
        assert_eq!(marked("(http://localhost:5000)"), ["http://localhost:5000)"]);
    }

    #[test]
    fn an_address_before_markup_gets_its_own_end() {
        assert_eq!(marked("<https://example.org/a>"), ["https://example.org/a"]);
        assert_eq!(
            marked("**https://example.org/a_(b)**"),
            ["https://example.org/a_(b)"]
        );
    }

    #[test]
    fn odd_addresses_are_text() {
        for text in [
            "http://",
            "xhttp://a.org",
            "http://a*b*",
            "http://e.org/?a&amp;b",
            "HTTP://a.org",
        ] {
            assert_eq!(marked(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_name_ends_in_a_letter_or_digit() {
        assert_eq!(mentioned_name("wren: hello"), "wren");
        assert_eq!(mentioned_name("wren_gitlab, hello"), "wren_gitlab");
        assert_eq!(mentioned_name("wren_.b"), "wren");
        assert_eq!(mentioned_name("ana:example.org"), "ana:example.org");
    }
}
