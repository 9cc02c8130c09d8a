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
    let mut offset = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if let Some(found) = find_address(word) {
            found.mark(body, offset);
        }
        offset += word.len();
    }
}

/// An address in a word.
struct Found<'a> {
    /// What is before it.
    before: &'a str,
    /// The address.
    address: &'a str,
    /// What is after it.
    tail: &'a str,
    has_scheme: bool,
}

impl Found<'_> {
    fn mark(&self, body: &mut Body, offset: usize) {
        let start = offset + self.before.len();
        let end = start + self.address.len();
        if self.is_read_right() {
            body.mark(start..end + self.tail.len(), MarkKind::Address);
        } else {
            let scheme = if self.has_scheme { "" } else { "http://" };
            let kind = MarkKind::Link {
                label: self.address.to_owned(),
                href: format!("{scheme}{}", self.address),
            };
            body.mark(start..end, kind);
        }
    }

    /// Whether Gitter, left alone, would link just this address.
    fn is_read_right(&self) -> bool {
        if !self.has_scheme {
            let is_plain = |it: char| it.is_ascii_alphanumeric() || "./-=%,+".contains(it);
            return self.tail.is_empty() && self.address.chars().all(is_plain);
        }
        let bracket = self.tail.find(')');
        let is_bracketed = bracket == Some(0) && self.before.ends_with('(');
        (bracket.is_none() || is_bracketed) && !self.tail.contains(|it| "<>!*~`".contains(it))
    }
}

/// The address in a word, which goes on to the next space; `None` also for one that Gitter would not show
/// as it is.
fn find_address(word: &str) -> Option<Found<'_>> {
    let next = word.chars().next_back();
    let word = word.trim_end();
    let (at, has_scheme) = address_start(word)?;
    let (before, run) = word.split_at_checked(at)?;
    let (address, tail) = run.split_at_checked(address(run, has_scheme)?.len())?;
    stands_alone(before, next).then_some(Found {
        before,
        address,
        tail,
        has_scheme,
    })
}

/// Where in a word Gitter would find an address, and whether it has a scheme there: `https://...`,
/// `www. ...`, or a host with a short last label and a slash.
///
/// Those without scheme must not be left to chance: unless such an address ends its word cleanly, Gitter
/// takes exponential time over it, gives up after three seconds, and shows the Markdown as typed.
fn address_start(word: &str) -> Option<(usize, bool)> {
    let schemes = ["http://", "https://"]
        .into_iter()
        .filter_map(|scheme| word.find(scheme));
    if let Some(start) = schemes.min() {
        return Some((start, true));
    }
    let hosts = word.match_indices('/').filter_map(|(slash, _)| {
        let before = word.get(..slash)?;
        let outside =
            before.trim_end_matches(|it: char| it.is_ascii_alphanumeric() || it == '.' || it == '-');
        let (name, last) = before.get(outside.len()..)?.rsplit_once('.')?;
        let is_short_word = (2..=4).contains(&last.len()) && last.chars().all(|it| it.is_ascii_alphabetic());
        (!name.is_empty() && is_short_word).then_some(outside.len())
    });
    hosts
        .take(1)
        .chain(word.find("www."))
        .min()
        .map(|start| (start, false))
}

/// Whether an address begins apart from a word or mention that Gitter would draw into it, and ends in a
/// space that all renderers take for one.
fn stands_alone(before: &str, next: Option<char>) -> bool {
    !before.contains('@')
        && !before.ends_with(|last: char| last.is_alphanumeric() || last == '_')
        && next.is_none_or(|next| !next.is_whitespace() || next.is_ascii_whitespace())
}

/// The address at the start of a run without spaces; `None` for one that Gitter would not show as it is.
fn address(run: &str, has_scheme: bool) -> Option<&str> {
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
    (has_plain_host(address, has_scheme) && !has_trap).then_some(address)
}

fn has_plain_host(address: &str, has_scheme: bool) -> bool {
    let rest = match address.split_once("://") {
        Some((_, rest)) if has_scheme => rest,
        _ => address,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
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
        assert_eq!(
            marked("a/b example.org/a, www.example.org"),
            ["example.org/a", "www.example.org"]
        );
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
