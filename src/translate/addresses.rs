//! Web addresses in plain text, as Gitter finds them.

use super::{
    Context,
    body::{Body, MarkKind, PLACEHOLDER},
    escape, link,
};

/// Marks every address that Gitter can show as it is, and those that have a page on Gitter as links to it.
pub(super) fn mark(body: &mut Body, context: &Context) {
    let text = body.text().to_owned();
    let has_markup = body.has_markup();
    let mut offset = 0;
    for word in text.split_inclusive(|it: char| it.is_whitespace() || it == PLACEHOLDER) {
        let beside_markup = word.ends_with(PLACEHOLDER);
        let shown = word.trim_end_matches(PLACEHOLDER);
        if let Some(found) = find_address(shown) {
            let address = found.address;
            match link::to_gitter(address, context) {
                Some(target) => found.mark_as_link(body, offset, &target, &target),
                None if beside_markup || (has_markup && found.ends_emphasis()) => {
                    let scheme = if found.has_scheme { "" } else { "http://" };
                    found.mark_as_link(body, offset, address, &format!("{scheme}{address}"));
                }
                None => found.mark(body, offset),
            }
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
        let before = body.text().get(..start).unwrap_or_default();
        if self.is_read_right(before) {
            body.mark(start..end + self.tail.len(), MarkKind::Address);
        } else {
            let scheme = if self.has_scheme { "" } else { "http://" };
            self.mark_as_link(body, offset, self.address, &format!("{scheme}{}", self.address));
        }
    }

    fn mark_as_link(&self, body: &mut Body, offset: usize, label: &str, href: &str) {
        let start = offset + self.before.len();
        let kind = MarkKind::Link {
            label: label.to_owned(),
            href: href.to_owned(),
        };
        body.mark(start..start + self.address.len(), kind);
    }

    /// Whether Gitter would see the end of emphasis in it.
    fn ends_emphasis(&self) -> bool {
        [self.address, self.tail]
            .iter()
            .any(|it| it.contains('*') || it.contains("~~"))
    }

    /// Whether Gitter, left alone, would link just this address. `before`: all text before it.
    fn is_read_right(&self, before: &str) -> bool {
        if !self.has_scheme {
            let is_plain = |it: char| it.is_ascii_alphanumeric() || "./-=%,+".contains(it);
            return self.tail.is_empty() && self.address.chars().all(is_plain);
        }
        !self.tail.contains(|it| "<>!*~`".contains(it)) && (!self.tail.contains(')') || is_bracketed(before))
    }
}

/// Whether Gitter knows that a `)` after an address is not part of it: by a `(` in the text just before,
/// back to anything that it reads by itself.
fn is_bracketed(before: &str) -> bool {
    let is_boundary = |it: char| "\\*_~`[]<>&$@#!:\n".contains(it);
    let text = before.rsplit(is_boundary).next().unwrap_or_default();
    text.matches('(').count() > text.matches(')').count()
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

/// Whether an address begins apart from a word or mention that Gitter would draw into it, is of no other
/// scheme, and ends in a space that all renderers take for one.
fn stands_alone(before: &str, next: Option<char>) -> bool {
    !before.contains('@')
        && !before.ends_with("://")
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
    let is_direction =
        |it: char| matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let has_trap = has_entity
        || run.contains(is_direction)
        || ["](", "@/", "$$", "{", "}"].iter().any(|trap| run.contains(trap));
    let scheme = if has_scheme { "" } else { "http://" };
    let can_be_shown = || link::can_be_shown(&format!("{scheme}{address}"));
    (has_plain_host(address, has_scheme) && !has_trap && can_be_shown()).then_some(address)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str) -> Vec<String> {
        let mut body = Body::new(text);
        mark(&mut body, &super::super::tests::context(true, false));
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
        assert_eq!(marked("(see https://example.org)."), ["https://example.org)."]);
        assert_eq!(marked("b) https://example.org)"), ["https://example.org"]);
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
}
