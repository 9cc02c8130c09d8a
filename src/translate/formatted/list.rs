//! Items of lists. Between them Gitter reads much that it does not read elsewhere.

use super::block::{Block, Kind, RULE, indented, join};

/// What Gitter's renderer takes for spaces before a line (gitter-api 5.2).
const SPACES: [char; 3] = [' ', '\t', '\u{a0}'];

/// An item of a list. A list inside it follows without an empty line.
pub(super) fn item(blocks: &[Block], bullet: &str) -> String {
    let text = match blocks {
        [first, rest @ ..] if matches!(first.kind, Kind::Paragraph(_)) && is_list(rest) => {
            format!("{}\n{}", first.markdown, join(rest))
        }
        // With the bullet before it, it would be a longer rule or a heading.
        [first, ..] if first.markdown == RULE || begins_underlined(first) => {
            format!("\u{200b}\n\n{}", join(blocks))
        }
        _ => join(blocks),
    };
    indented(&without_definitions(&text), bullet, &" ".repeat(bullet.len()))
}

fn is_list(blocks: &[Block]) -> bool {
    matches!(blocks.first().map(|first| &first.kind), Some(Kind::Item { .. }))
}

/// Whether the second line of a block, one of code, makes a heading of the first.
fn begins_underlined(block: &Block) -> bool {
    let second = block.markdown.lines().nth(1).unwrap_or_default();
    let is_underline = second
        .chars()
        .all(|it| ['=', '-'].contains(&it) || SPACES.contains(&it));
    matches!(block.kind, Kind::Code { .. }) && is_underline
}

/// Text in which no line begins the definition of a link, since that would end a list even in code. What people
/// write outside code is escaped already.
fn without_definitions(text: &str) -> String {
    // Whether a bracket that is open at the end of a line ends with a colon, or only behind this text.
    let mut is_definition = true;
    let mut lines: Vec<String> = Vec::new();
    for line in text.rsplit('\n') {
        let inner = line.trim_start_matches(SPACES);
        if let Some((_, after)) = inner.split_once(']') {
            is_definition = after.starts_with(':');
        }
        let shield = if is_definition && inner.starts_with('[') {
            "\u{200b}"
        } else {
            ""
        };
        let indent = line.get(..line.len() - inner.len()).unwrap_or_default();
        lines.push(format!("{indent}{shield}{inner}"));
    }
    lines.reverse();
    lines.join("\n")
}
