//! Finds mentions in plain text (gitter-api 5.6). Pure.

/// A piece of a text; the pieces put together are the text again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'text> {
    /// No mention.
    Text(&'text str),
    /// `@name`, without the `@`.
    User(&'text str),
    /// `@/name`, without the `@/`.
    Group(&'text str),
}

/// Splits a text at its mentions.
pub(super) fn split_mentions(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut searched = 0;
    while let Some((start, mention)) = next_mention(rest, searched) {
        let (before, from_sign) = rest.split_at(start);
        let length = match mention {
            Piece::Text(found) => found.len(),
            Piece::User(name) => "@".len() + name.len(),
            Piece::Group(name) => "@/".len() + name.len(),
        };
        if let Piece::Text(_) = mention {
            searched = start + length;
            continue;
        }
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(mention);
        rest = from_sign.split_at(length).1;
        searched = 0;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// The next `@` from byte `from` on: a mention, or the lone sign as text where it is none.
fn next_mention(text: &str, from: usize) -> Option<(usize, Piece<'_>)> {
    let start = from + text.get(from..)?.find('@')?;
    let (before, from_sign) = text.split_at(start);
    let after = from_sign.strip_prefix('@')?;
    let sign = Piece::Text("@");
    if let Some(after) = after.strip_prefix('/') {
        let name = leading(after, |byte| {
            byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
        });
        let mention = if name.is_empty() { sign } else { Piece::Group(name) };
        return Some((start, mention));
    }
    let in_mail_address = before.bytes().next_back().is_some_and(is_mail_byte);
    let name = leading(after, |byte| {
        byte.is_ascii_alphanumeric() || b"_.:-[]".contains(&byte)
    })
    .trim_end_matches(['_', '.', ':', '-']);
    let mention = if name.is_empty() || in_mail_address {
        sign
    } else {
        Piece::User(name)
    };
    Some((start, mention))
}

fn leading(text: &str, wanted: impl Fn(u8) -> bool) -> &str {
    let end = text.bytes().position(|byte| !wanted(byte)).unwrap_or(text.len());
    text.split_at(end).0
}

/// Whether the byte can stand before the `@` of a mail address.
fn is_mail_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_follow_gitters_grammar() {
        let cases = [
            (
                "hi @wren!",
                vec![Piece::Text("hi "), Piece::User("wren"), Piece::Text("!")],
            ),
            (
                "@wren:example.org.",
                vec![Piece::User("wren:example.org"), Piece::Text(".")],
            ),
            ("@a_b_", vec![Piece::User("a_b"), Piece::Text("_")]),
            ("@x_[m]:e.org", vec![Piece::User("x_[m]:e.org")]),
            ("@@wren", vec![Piece::Text("@"), Piece::User("wren")]),
            ("\u{e9}@wren", vec![Piece::Text("\u{e9}"), Piece::User("wren")]),
            (
                "@/all, x@/all",
                vec![Piece::Group("all"), Piece::Text(", x"), Piece::Group("all")],
            ),
        ];
        for (text, pieces) in cases {
            assert_eq!(split_mentions(text), pieces, "{text}");
        }
    }

    #[test]
    fn mail_addresses_and_lone_signs_mention_no_one() {
        for text in ["mail x@wren now", "a @ b @- @/", "@\u{e9}", "@"] {
            assert_eq!(split_mentions(text), [Piece::Text(text)]);
        }
    }
}
