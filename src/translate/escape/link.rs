//! Links, and characters as HTML entities.

use std::fmt::Write as _;

/// Writes a Markdown link; the label shows exactly, and no mention or other link comes to be inside it.
pub(in crate::translate) fn link(label: &str, href: &str) -> String {
    let mut written = label_of(label);
    written.push('(');
    for character in href.chars() {
        match character {
            // What would end the link, begin a title or end markup, or make a stand-in.
            '(' | ')' | '*' | '`' | '<' | '>' | '"' | '\'' | '\\' | ' ' | '{' | '}' => {
                let _ = write!(written, "%{:02X}", u32::from(character));
            }
            '~' if written.ends_with('~') => written.push_str("%7E"),
            _ => written.push(character),
        }
    }
    written.push(')');
    written
}

/// Writes a Markdown link to a stand-in, which is written as it is.
pub(in crate::translate) fn link_to_stand_in(label: &str, stand_in: &str) -> String {
    format!("{}({stand_in})", label_of(label))
}

fn label_of(label: &str) -> String {
    let mut written = String::from("[");
    for character in label.chars() {
        match character {
            '[' | ']' | '*' | '<' | '&' | '@' | '$' | '`' | '{' => push_entity(&mut written, character),
            '\\' | '_' | '~' | '#' => written.extend(['\\', character]),
            _ if character.is_whitespace() || character.is_control() => written.push(' '),
            // Gitter would write it as `%E2%80%AE`.
            '\u{202e}' => {}
            _ => written.push(character),
        }
    }
    written.push(']');
    written
}

/// Writes a character as an entity that Gitter passes on; without one, as it is.
pub(super) fn push_entity(out: &mut String, character: char) {
    let entity = match character {
        '[' => "&lsqb;",
        ']' => "&rsqb;",
        '*' => "&ast;",
        '<' => "&lt;",
        '&' => "&amp;",
        '@' => "&commat;",
        '$' => "&dollar;",
        '=' => "&equals;",
        ':' => "&colon;",
        '/' => "&sol;",
        '?' => "&quest;",
        '%' => "&percnt;",
        '^' => "&Hat;",
        '\'' => "&apos;",
        '`' => "&grave;",
        '{' => "&lcub;",
        '|' => "&vert;",
        _ => return out.push(character),
    };
    out.push_str(entity);
}
