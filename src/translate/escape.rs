//! Writing plain text as Gitter Markdown that shows exactly that text (gitter-api 5.2, 5.6, 5.7).
//!
//! Gitter's Markdown is an old `marked`: backslashes escape only some characters, and `$`, `@`, `<`, `&`,
//! `=` and `:` are not among them, so those become HTML entities, which it passes on. Left alone on
//! purpose: `@name`, `#7`, `:shortcode:` and bare addresses, which people expect to work.

mod block;
mod link;

use self::link::push_entity;
pub(super) use self::link::{link, link_to_stand_in};
use super::body::{Body, MarkKind, Piece};

const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// Writes a body after `lead`, which is Markdown already (empty, the start of a line, or a whole paragraph).
pub(super) fn markdown(body: &Body, lead: &str) -> String {
    let mut writer = Writer {
        out: lead.to_owned(),
        escape_underscores: has_loose_underscore(body, lead),
        last_is_raw: false,
        has_markup: body.has_markup(),
    };
    let is_lone_line = lead.is_empty() && !body.text().contains('\n');
    let pieces = body.pieces();
    let mut previous: Option<&MarkKind> = None;
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => {
                let starts_line = index == 0 && (lead.is_empty() || lead.ends_with('\n'));
                let text = match previous {
                    Some(MarkKind::Mention(_)) => writer.end_mention(text),
                    Some(MarkKind::Markup { .. }) => writer.end_markup(text),
                    _ => text,
                };
                let text = writer.end_rule(text);
                writer.lines(text, starts_line, is_lone_line);
                previous = None;
            }
            Piece::Marked(text, kind) => {
                if matches!(
                    (previous, kind),
                    (Some(MarkKind::Mention(_)), MarkKind::Link { .. })
                ) {
                    // Gitter would read the bracket of the link as part of the name.
                    writer.out.push(ZERO_WIDTH_SPACE);
                }
                writer.marked(text, kind);
                previous = Some(kind);
            }
        }
    }
    writer.out
}

/// Whether a name is one that Gitter reads whole after `@` (gitter-api 5.6, without its brackets).
pub(super) fn is_mentionable(name: &str) -> bool {
    name.chars().all(is_mention_character) && name.ends_with(|last: char| last.is_ascii_alphanumeric())
}

/// Whether a character may be in a mention.
pub(super) fn is_mention_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_.:-".contains(character)
}

/// Whether Gitter takes a character before `@` for the beginning of an email address.
pub(super) fn is_email_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(character)
}

/// Whether a text begins with an HTML entity's rest, after its `&`.
pub(super) fn is_entity(after: &str) -> bool {
    let name = after.strip_prefix('#').unwrap_or(after);
    let rest = name.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
    rest.len() < name.len() && rest.starts_with(';')
}

/// Whether any underscore could end an emphasis: one that no letter or digit follows. Where none can,
/// `snake_case` stays as it is.
fn has_loose_underscore(body: &Body, lead: &str) -> bool {
    let is_loose = |text: &str| {
        let mut after = text.split('_').skip(1);
        after.any(|after| !after.starts_with(|next: char| next.is_ascii_alphanumeric()))
    };
    is_loose(lead)
        || body.pieces().into_iter().any(|piece| match piece {
            Piece::Text(text) | Piece::Marked(text, MarkKind::Address) => is_loose(text),
            Piece::Marked(_, MarkKind::Mention(text)) => is_loose(text),
            Piece::Marked(_, MarkKind::Link { label, href }) => is_loose(label) || is_loose(href),
            Piece::Marked(_, MarkKind::Markup { markdown, .. }) => is_loose(markdown),
        })
}

struct Writer {
    out: String,
    escape_underscores: bool,
    /// Whether the last character of `out` is text just as it was.
    last_is_raw: bool,
    /// Whether there may be emphasis, whose end Gitter sees behind a backslash too.
    has_markup: bool,
}

impl Writer {
    fn backslash(&mut self, character: char) {
        self.out.push('\\');
        self.out.push(character);
        self.last_is_raw = false;
    }

    fn entity(&mut self, character: char) {
        push_entity(&mut self.out, character);
        self.last_is_raw = false;
    }

    fn raw(&mut self, character: char) {
        self.out.push(character);
        self.last_is_raw = true;
    }

    /// Writes a character so that it joins with nothing around it.
    fn shield(&mut self, character: char) {
        match character {
            '.' | '!' | '#' | '+' | '-' | '_' | '{' | '}' | '|' | '~' | '*' | '`' => {
                self.backslash(character);
            }
            _ => self.entity(character),
        }
    }

    fn lines(&mut self, text: &str, starts_line: bool, is_lone_line: bool) {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.out.push('\n');
                self.last_is_raw = false;
            }
            let rest = if index > 0 || starts_line {
                self.block_start(line, is_lone_line)
            } else {
                line
            };
            self.inline(rest);
        }
    }

    fn inline(&mut self, text: &str) {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let after = characters.as_str();
            match character {
                '*' if self.has_markup => self.entity('*'),
                '\\' | '*' | '`' | '~' | '[' => self.backslash(character),
                '_' if self.escape_underscores => self.backslash('_'),
                // Gitter's links ignore escapes: behind one of our own links this would be a second end.
                ']' if after.starts_with('(') => self.entity(']'),
                ']' => self.backslash(']'),
                '<' if !after.starts_with(' ') => self.entity('<'),
                '&' if is_entity(after) => self.entity('&'),
                '$' if after.starts_with('$') => self.entity('$'),
                // Delivery would take it for one of its stand-ins.
                '{' if super::stand_in::begins(after) => self.backslash('{'),
                // `@/all` would notify everyone.
                '@' if after.starts_with('/') || self.out.ends_with("~~") => self.entity('@'),
                ':' if after.starts_with("//") && self.ends_with_scheme() => self.entity(':'),
                '.' if self.ends_with_www() || is_last_label(after) => self.backslash('.'),
                _ => self.raw(character),
            }
        }
    }

    fn marked(&mut self, text: &str, kind: &MarkKind) {
        match kind {
            MarkKind::Address => self.out.push_str(text),
            MarkKind::Markup { markdown, .. } => {
                self.shield_last(|last| matches!(last, '!' | '@' | '$'));
                let joins_name = markdown.starts_with(['[', '!']) && self.ends_in_name();
                let inner = markdown.trim_start_matches(['`', ' ']);
                let is_code_of_name = markdown.starts_with('`')
                    && inner.trim_start_matches(is_email_character).starts_with('@');
                if joins_name || is_code_of_name || self.out.ends_with("\\~") {
                    self.out.push(ZERO_WIDTH_SPACE);
                }
                // Gitter would see the end of a link before it here.
                match markdown.contains("](") && self.out.contains("](") {
                    true if markdown.starts_with('`') => {
                        self.out.push_str(&markdown.replace("](", "]\u{200b}("));
                    }
                    true if markdown.starts_with('$') => self.out.push_str(&markdown.replace("](", "] (")),
                    _ => self.out.push_str(markdown),
                }
            }
            MarkKind::Mention(mention) => {
                self.shield_last(is_email_character);
                if self.ends_in_joining_marker()
                    || self.out.ends_with(|last: char| last.is_ascii_alphanumeric())
                {
                    self.out.push(ZERO_WIDTH_SPACE);
                }
                self.out.push_str(mention);
            }
            MarkKind::Link { label, href } => {
                self.shield_last(|last| last == '!' || last == '@');
                // Gitter would read the bracket as part of a name just before it.
                if self.ends_in_name() {
                    self.out.push(ZERO_WIDTH_SPACE);
                }
                self.out.push_str(&link(label, href));
            }
        }
        self.last_is_raw = false;
    }

    /// Whether Gitter would read the markers of emphasis or code before a mention as part of an email address.
    fn ends_in_joining_marker(&self) -> bool {
        let before = self.out.trim_end_matches(['*', '~', '`']);
        let markers = self.out.get(before.len()..).unwrap_or_default();
        markers.contains(['~', '`']) || (!markers.is_empty() && before.ends_with(is_email_character))
    }

    fn ends_in_name(&self) -> bool {
        self.out.trim_end_matches(is_mention_character).ends_with('@')
    }

    /// Writes the first character after markup so that it does not belong to it; returns the rest.
    fn end_markup<'a>(&mut self, text: &'a str) -> &'a str {
        let local_part = text.trim_start_matches(is_email_character);
        if local_part.starts_with('@') {
            // Gitter would read the marker as part of an email address.
            self.out.push(ZERO_WIDTH_SPACE);
        }
        match text.strip_prefix('$') {
            Some(rest) => {
                self.entity('$');
                rest
            }
            None => text,
        }
    }

    /// Writes a hyphen with only markup before it on its line so that they make no rule; returns the rest.
    fn end_rule<'a>(&mut self, text: &'a str) -> &'a str {
        let before = self.out.trim_end_matches(['*', '-', '_', ' ']);
        let is_marked = before.len() < self.out.len() && (before.is_empty() || before.ends_with('\n'));
        match text.strip_prefix('-') {
            Some(rest) if is_marked => {
                self.backslash('-');
                rest
            }
            _ => text,
        }
    }

    /// Writes the last character again so that it does not join with what comes next.
    fn shield_last(&mut self, joins: impl Fn(char) -> bool) {
        if self.last_is_raw
            && let Some(last) = self.out.chars().next_back().filter(|last| joins(*last))
        {
            self.out.pop();
            self.shield(last);
        }
    }

    /// Writes the first character after a mention so that it does not belong to it; returns the rest.
    fn end_mention<'a>(&mut self, text: &'a str) -> &'a str {
        let joins = text.trim_start_matches(|it| is_mention_character(it) && !it.is_ascii_alphanumeric());
        let mut characters = text.chars();
        match characters.next() {
            // A pill may end inside a word.
            Some(first) if first.is_ascii_alphanumeric() => {
                self.out.push(ZERO_WIDTH_SPACE);
                text
            }
            Some(first)
                if is_mention_character(first)
                    && joins.starts_with(|next: char| next.is_ascii_alphanumeric()) =>
            {
                self.shield(first);
                characters.as_str()
            }
            _ => text,
        }
    }

    /// Whether what is written ends like the start of an address that is not marked as one, so that it
    /// must not become one.
    fn ends_with_scheme(&self) -> bool {
        let tail: Vec<char> = self.out.chars().rev().take(5).collect();
        let tail: String = tail.iter().rev().collect::<String>().to_ascii_lowercase();
        tail.ends_with("http") || tail == "https" || tail.ends_with("ftp")
    }

    fn ends_with_www(&self) -> bool {
        let before = self.out.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let last = before.len().checked_sub(3).and_then(|start| before.get(start..));
        last.is_some_and(|last| last.eq_ignore_ascii_case("www"))
    }
}

/// Whether what follows a dot makes an address of what is before it to Gitter, which can take exponential
/// time over such an address; those that it handles well are marked (see `typed`).
fn is_last_label(after: &str) -> bool {
    let rest = after.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    (2..=4).contains(&(after.len() - rest.len())) && rest.starts_with('/')
}

#[cfg(test)]
mod tests;
