//! The plain text of a Matrix message on its way to Gitter, with marks on what must stay whole.
//!
//! Nothing is escaped here: that depends on where a text begins and ends, so it comes after splitting.

use std::ops::Range;

use crate::names;

/// A text and its marks, in order and apart from each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Body {
    text: String,
    marks: Vec<Mark>,
}

/// A place in the text that is written as something else, and never split.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    /// Where, in bytes of the text.
    pub(super) range: Range<usize>,
    /// What it becomes.
    pub(super) kind: MarkKind,
}

impl Mark {
    /// Whether it begins or ends emphasis.
    fn is_emphasis(&self) -> bool {
        matches!(&self.kind, MarkKind::Markup { plain, .. } if plain.is_empty())
    }
}

/// What a marked place becomes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MarkKind {
    /// A Gitter mention, with its `@`.
    Mention(String),
    /// A Markdown link.
    Link {
        /// What people see.
        label: String,
        /// Where it leads.
        href: String,
    },
    /// An address that Gitter links by itself, as long as nothing in it is escaped.
    Address,
    /// Markdown that stands for [`PLACEHOLDER`] in the text.
    Markup {
        /// The Markdown.
        markdown: String,
        /// What is written where the markup has to go.
        plain: String,
    },
}

/// What stands in the text for markup. Nothing that people write keeps it.
pub(super) const PLACEHOLDER: char = '\u{fffc}';

/// A stretch of a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    /// Plain text.
    Text(&'a str),
    /// A marked place, with its text.
    Marked(&'a str, &'a MarkKind),
}

impl Body {
    /// A body without marks, from text as a client sent it. Differences that Gitter does not keep are
    /// levelled here: kinds of line breaks and spaces, tabs, invisible control characters, space at the
    /// ends of lines, empty lines beyond one.
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: normalise(text),
            marks: Vec::new(),
        }
    }

    /// A body from text that is level already, with its marks in order.
    pub(super) fn with_marks(text: String, marks: Vec<Mark>) -> Self {
        Self { text, marks }
    }

    /// The body without its markup, but with its mentions and links.
    pub(super) fn without_markup(&self) -> Self {
        self.without_such_markup(|_| true)
    }

    /// The body without the markup that is told by its Markdown.
    pub(super) fn without_such_markup(&self, goes: impl Fn(&str) -> bool) -> Self {
        let mut plain = Self::default();
        for piece in self.pieces() {
            match piece {
                Piece::Text(text) => plain.text.push_str(text),
                Piece::Marked(
                    _,
                    MarkKind::Markup {
                        plain: text,
                        markdown,
                    },
                ) if goes(markdown) => {
                    plain.text.push_str(text);
                }
                Piece::Marked(text, kind) => plain.push_marked(text, kind.clone()),
            }
        }
        plain
    }

    /// Adds a marked text at the end.
    fn push_marked(&mut self, text: &str, kind: MarkKind) {
        let start = self.text.len();
        self.text.push_str(text);
        let range = start..self.text.len();
        self.marks.push(Mark { range, kind });
    }

    /// Adds another body at the end.
    pub(super) fn append(&mut self, between: &str, other: &Self) {
        if !self.text.is_empty() {
            self.text.push_str(between);
        }
        for piece in other.pieces() {
            match piece {
                Piece::Text(text) => self.text.push_str(text),
                Piece::Marked(text, kind) => self.push_marked(text, kind.clone()),
            }
        }
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The marks, in order.
    pub(super) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Whether there is anything that people would see.
    pub(super) fn is_visible(&self) -> bool {
        is_visible(&self.text)
    }

    /// Whether no mark touches this place.
    pub(super) fn is_free(&self, range: &Range<usize>) -> bool {
        let next = self.marks.partition_point(|mark| mark.range.end <= range.start);
        self.marks
            .get(next)
            .is_none_or(|mark| range.end <= mark.range.start)
    }

    /// Whether there is markup in it, such as emphasis.
    pub(super) fn has_markup(&self) -> bool {
        self.marks
            .iter()
            .any(|mark| matches!(mark.kind, MarkKind::Markup { .. }))
    }

    /// The mark that a place is within, other than at its ends.
    pub(super) fn mark_around(&self, place: usize) -> Option<&Mark> {
        let next = self.marks.partition_point(|mark| mark.range.end <= place);
        self.marks.get(next).filter(|mark| mark.range.start < place)
    }

    /// Marks a place, unless it is marked already.
    pub(super) fn mark(&mut self, range: Range<usize>, kind: MarkKind) {
        if self.is_free(&range) && self.text.get(range.clone()).is_some_and(|text| !text.is_empty()) {
            let index = self.marks.partition_point(|mark| mark.range.start < range.start);
            self.marks.insert(index, Mark { range, kind });
        }
    }

    /// A part of the body, without the space around it. A mark that is cut is no mark any more, except
    /// that the beginning of an address stays one.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let Some(text) = self.text.get(range.clone()) else {
            return Self::default();
        };
        let start = range.start + (text.len() - text.trim_start().len());
        let text = text.trim();
        let end = start + text.len();
        let marks = self.marks.iter().filter_map(|mark| {
            let is_cut_address = mark.kind == MarkKind::Address && mark.range.start >= start;
            let kept = mark.range.start >= start && mark.range.start < end;
            (kept && (mark.range.end <= end || is_cut_address)).then(|| Mark {
                range: mark.range.start - start..mark.range.end.min(end) - start,
                kind: mark.kind.clone(),
            })
        });
        Self {
            marks: marks.collect(),
            text: text.to_owned(),
        }
    }

    /// Cuts the body: emphasis that is open there ends in the first half and begins again in the second.
    pub(super) fn cut_at(&self, place: usize) -> (Self, Self) {
        let (place, open) = self.emphasis_at(place);
        let mut head = self.slice(0..place);
        let mut tail = Self::default();
        for (index, kind) in open.iter().rev().enumerate() {
            head.push_marker(kind, index > 0);
        }
        for (index, kind) in open.iter().enumerate() {
            tail.push_marker(kind, index > 0);
        }
        let rest = self.slice(place..self.text.len());
        for piece in rest.pieces() {
            match piece {
                Piece::Text(text) => tail.text.push_str(text),
                Piece::Marked(text, kind) => tail.push_marked(text, kind.clone()),
            }
        }
        (head, if rest.text.is_empty() { rest } else { tail })
    }

    /// Adds a marker of emphasis; of two in a row, something invisible keeps Gitter from reading one long marker.
    fn push_marker(&mut self, kind: &MarkKind, follows_another: bool) {
        if follows_another {
            self.text.push('\u{200b}');
        }
        self.push_marked(PLACEHOLDER.encode_utf8(&mut [0; 4]), kind.clone());
    }

    /// The emphasis that is open at a place, outermost first, and the place itself, moved so that no emphasis begins
    /// just before it or ends just behind.
    fn emphasis_at(&self, mut place: usize) -> (usize, Vec<&MarkKind>) {
        let mut open: Vec<(usize, &MarkKind)> = Vec::new();
        for mark in self.marks.iter().filter(|mark| mark.is_emphasis()) {
            let at = open.iter().position(|(_, kind)| **kind == mark.kind);
            let between =
                |from: usize, to: usize| self.text.get(from..to).is_none_or(|text| text.trim().is_empty());
            if mark.range.end <= place {
                match at {
                    Some(at) => drop(open.remove(at)),
                    None => open.push((mark.range.start, &mark.kind)),
                }
            } else if let Some(at) =
                at.filter(|_| mark.range.start == place || between(place, mark.range.start))
            {
                place = mark.range.end;
                open.remove(at);
            } else {
                break;
            }
        }
        while let Some((start, kind)) = open.pop() {
            let inner = start + PLACEHOLDER.len_utf8();
            if self
                .text
                .get(inner..place)
                .is_some_and(|text| !text.trim().is_empty())
            {
                open.push((start, kind));
                break;
            }
            place = start;
        }
        (place, open.into_iter().map(|(_, kind)| kind).collect())
    }

    /// The body as alternating text and marked places.
    pub(super) fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::with_capacity(self.marks.len() * 2 + 1);
        let mut position = 0;
        let text = |range: Range<usize>| self.text.get(range).unwrap_or_default();
        for mark in &self.marks {
            pieces.push(Piece::Text(text(position..mark.range.start)));
            pieces.push(Piece::Marked(text(mark.range.clone()), &mark.kind));
            position = mark.range.end;
        }
        pieces.push(Piece::Text(text(position..self.text.len())));
        pieces.retain(|piece| !matches!(piece, Piece::Text("")));
        pieces
    }
}

/// Whether there is anything in a text that people would see.
pub(super) fn is_visible(text: &str) -> bool {
    text.chars().any(|character| !names::is_blank(character))
}

/// Levels what Gitter's renderer would change anyway (gitter-api 5.2): it takes `U+2424` for a line break,
/// a no-break space for a space and a tab for four, and more than one empty line for one.
pub(super) fn normalise(text: &str) -> String {
    let mut levelled = String::with_capacity(text.len());
    for character in text.replace("\r\n", "\n").chars() {
        match character {
            '\r' | '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{2424}' => {
                levelled.push('\n');
            }
            '\t' => levelled.push_str("    "),
            '\u{a0}' => levelled.push(' '),
            '\u{feff}' | PLACEHOLDER => {}
            _ if character.is_control() => {}
            _ => levelled.push(character),
        }
    }
    let mut lines = Vec::new();
    for line in levelled.lines().map(str::trim_end) {
        if !(line.is_empty() && lines.last().is_none_or(|last: &&str| last.is_empty())) {
            lines.push(line);
        }
    }
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_breaks_spaces_and_empty_lines() {
        assert_eq!(
            normalise(" a\u{a0}b \r\n\r\n \n\tc\rd\u{2424}e\u{7} \n"),
            "a b\n\n    c\nd\ne"
        );
    }

    #[test]
    fn a_slice_keeps_whole_marks_and_cut_addresses() {
        let mut body = Body::new("hi Wren, see https://example.org/long");
        body.mark(3..7, MarkKind::Mention("@wren".to_owned()));
        body.mark(13..37, MarkKind::Address);
        assert_eq!(body.slice(0..5).marks(), []);
        let end = body.slice(3..30);
        assert_eq!(end.text(), "Wren, see https://example.o"[..27].trim_end());
        assert_eq!(
            end.marks()
                .iter()
                .map(|mark| mark.range.clone())
                .collect::<Vec<_>>(),
            [0..4, 10..27]
        );
    }

    #[test]
    fn a_place_is_marked_once() {
        let mut body = Body::new("hello");
        body.mark(0..3, MarkKind::Address);
        body.mark(2..5, MarkKind::Mention("@no".to_owned()));
        assert_eq!(body.marks().len(), 1);
    }
}
