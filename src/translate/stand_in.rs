//! Stand-ins for links that only delivery can make, since signing needs a key (DESIGN 6.4):
//! `{media:mxc://server/id}`, `{thumbnail:mxc://server/id}` and `{fulltext:$event}`.
//!
//! Nothing that people write may look like one: [`begins`] is for those who write text.

use super::people::units;

const KINDS: [&str; 3] = ["media:", "thumbnail:", "fulltext:"];

/// The stand-in for a file.
pub(super) fn media(mxc: &str) -> String {
    format!("{{media:{mxc}}}")
}

/// The stand-in for a small picture of a file.
pub(super) fn thumbnail(mxc: &str) -> String {
    format!("{{thumbnail:{mxc}}}")
}

/// The stand-in for the full text of an event.
pub(super) fn full_text(event: &ruma::EventId) -> String {
    format!("{{fulltext:{event}}}")
}

/// Whether an `mxc:` address can stand in a stand-in: its two parts have no characters but those that the
/// specification allows (client-server API, "Matrix content (mxc://) URIs").
pub(super) fn is_media(mxc: &str) -> bool {
    let parts = mxc.strip_prefix("mxc://").and_then(|rest| rest.split_once('/'));
    parts.is_some_and(|(server, id)| {
        let is_server = |it: char| it.is_ascii_alphanumeric() || "-.:[]".contains(it);
        let is_id = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
        !server.is_empty() && !id.is_empty() && server.chars().all(is_server) && id.chars().all(is_id)
    })
}

/// Whether what follows a `{` makes a stand-in of it.
pub(super) fn begins(after: &str) -> bool {
    KINDS.iter().any(|kind| after.starts_with(kind))
}

/// The UTF-16 units of a text in which every stand-in counts as `link_units`.
pub(super) fn length(text: &str, link_units: usize) -> usize {
    let mut total = 0;
    let mut rest = text;
    while let Some((before, _, behind)) = next(rest) {
        total += units(before) + link_units;
        rest = behind;
    }
    total + units(rest)
}

/// The stand-ins of a text, without their brackets.
pub(super) fn all(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, stand_in, behind)) = next(rest) {
        found.push(stand_in);
        rest = behind;
    }
    found
}

/// Writes links in place of the stand-ins; `None` if one has no link.
pub(super) fn replace<'a>(text: &str, link: impl Fn(&str) -> Option<&'a String>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, stand_in, behind)) = next(rest) {
        out.push_str(before);
        out.push_str(link(stand_in)?);
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

/// Writes one link in place of all stand-ins. It shows no picture, so of pictures their names are left.
pub(super) fn replace_with_link(text: &str, link: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, stand_in, behind)) = next(rest) {
        out.push_str(before);
        rest = behind;
        let picture = out.rfind("![").filter(|_| stand_in.starts_with("thumbnail:"));
        match picture.zip(behind.strip_prefix(')')) {
            Some((start, behind)) if out.ends_with("](") => {
                out.truncate(out.len() - "](".len());
                out.replace_range(start..start + "![".len(), "");
                rest = behind;
            }
            _ => out.push_str(link),
        }
    }
    out.push_str(rest);
    out
}

/// The next stand-in without its brackets, and what is before and behind it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('{').find_map(|(at, _)| {
        let (before, rest) = text.split_at_checked(at)?;
        // What people wrote is escaped.
        if before.ends_with('\\') {
            return None;
        }
        let (inner, behind) = rest.get(1..)?.split_once('}')?;
        begins(inner).then_some((before, inner, behind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_counts_as_a_signed_link() {
        assert_eq!(length("a {b} {media:mxc://a/b}{fulltext:$x}!", 120), 7 + 240);
        assert_eq!(length("{media:", 120), 7);
    }

    #[test]
    fn one_link_stands_for_all() {
        let text = "[![a \\[b](\\{x}]({thumbnail:mxc://a/b})]({media:mxc://a/b}) [f]({media:mxc://a/c})";
        assert_eq!(replace_with_link(text, "L"), "[a \\[b](\\{x}](L) [f](L)");
    }

    #[test]
    fn only_well_formed_media_can_stand_in() {
        assert!(is_media("mxc://example.org:8448/aB_-9"));
        for odd in [
            "mxc://a",
            "mxc:///a",
            "mxc://a/b}",
            "mxc://a/b/c",
            "https://a/b",
            "mxc://a/",
        ] {
            assert!(!is_media(odd), "{odd}");
        }
    }
}
