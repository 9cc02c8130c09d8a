//! Splitting a long text into messages that Gitter takes: at most 4,096 UTF-16 units each, as written.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    body::{Body, MarkKind},
    escape, stand_in,
};

/// The most UTF-16 units of a Gitter message (gitter-api 5.2).
pub(super) const MAX_UNITS: usize = 4096;

/// How a text becomes messages.
pub(super) struct Plan<'a> {
    /// Markdown before the text of each part.
    pub(super) prefix: &'a str,
    /// Markdown before the prefix of the first part: paragraphs of their own.
    pub(super) opening: &'a str,
    /// Markdown at the end of the last part if the text did not fit into all of them.
    pub(super) cut_note: &'a str,
    /// The most parts; at least one is made.
    pub(super) max_parts: u32,
    /// A part that has Markdown of its own before its text, and that Markdown.
    pub(super) correction: Option<(usize, &'a str)>,
    /// What a stand-in counts for.
    pub(super) link_units: usize,
}

impl Plan<'_> {
    /// What stands before the text of a part.
    pub(super) fn lead(&self, part: usize) -> String {
        let opening = if part == 0 { self.opening } else { "" };
        match self.correction {
            Some((at, lead)) if at == part => format!("{opening}{lead}{}", self.prefix),
            _ => format!("{opening}{}", self.prefix),
        }
    }

    /// The most parts.
    pub(super) fn most_parts(&self) -> usize {
        usize::try_from(self.max_parts).unwrap_or(usize::MAX)
    }

    /// The length of Markdown as Gitter will count it.
    pub(super) fn length(&self, markdown: &str) -> usize {
        stand_in::length(markdown, self.link_units)
    }
}

/// Writes a body as the Markdown of one message or several. It is cut between paragraphs, else lines, else
/// words, else characters; never inside a mention, a link or an escape.
pub(super) fn split(body: &Body, plan: &Plan<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = body.clone();
    loop {
        let lead = plan.lead(parts.len());
        if rest.text().len() <= horizon(&rest, MAX_UNITS) {
            let whole = escape::markdown(&rest, &lead);
            if plan.length(&whole) <= MAX_UNITS {
                parts.push(whole);
                return parts;
            }
        }
        let is_last = parts.len() + 1 >= plan.most_parts();
        let note = if is_last { plan.cut_note } else { "" };
        let room = Room::of(MAX_UNITS.saturating_sub(plan.length(note)));
        let end = cut(&rest, &lead, room, plan);
        let head = rest.slice(0..end);
        parts.push(escape::markdown(&head, &lead) + note);
        rest = rest.slice(end..rest.text().len());
        if is_last || rest.text().is_empty() {
            return parts;
        }
    }
}

/// How much fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// The UTF-16 units.
    pub(super) units: usize,
    /// Those that each line needs beside its text.
    pub(super) indent: usize,
}

impl Room {
    /// Room for lines that need nothing beside their text.
    pub(super) fn of(units: usize) -> Self {
        Self { units, indent: 0 }
    }

    /// What Markdown takes of it.
    pub(super) fn cost(self, markdown: &str, plan: &Plan<'_>) -> usize {
        let lines = if self.indent == 0 {
            0
        } else {
            markdown.split('\n').count()
        };
        plan.length(markdown) + self.indent * lines
    }
}

/// How much of a text can fit at most, in bytes: a unit is at most three of plain text, and only marks may become
/// shorter, but addresses stay as they are.
fn horizon(body: &Body, units: usize) -> usize {
    let may_shrink = body.marks().iter().filter(|mark| mark.kind != MarkKind::Address);
    let marked: usize = may_shrink.map(|mark| mark.range.len()).sum();
    units * 3 + marked
}

/// Where to cut a text that is too long: the last good place at which what is before it fits.
pub(super) fn cut(body: &Body, lead: &str, room: Room, plan: &Plan<'_>) -> usize {
    let horizon = horizon(body, room.units);
    let text = body.text();
    let fits = |end: usize| room.cost(&escape::markdown(&body.slice(0..end), lead), plan) <= room.units;
    let is_candidate = |place: &usize| (1..=horizon).contains(place) && is_between(body, *place);
    let places = text.grapheme_indices(true).map(|(at, _)| at);
    let places: Vec<usize> = places
        .take_while(|at| *at <= horizon)
        .filter(is_candidate)
        .collect();
    let count = places.partition_point(|end| fits(*end));
    let furthest = count.checked_sub(1).and_then(|last| places.get(last).copied());
    // Nothing fits only where the lead alone fills a message; one character goes on, so that there is an end.
    let furthest = furthest.unwrap_or_else(|| text.graphemes(true).next().map_or(0, str::len));
    // What is before it fits as well, most likely: each look means to write the text.
    let last_after = |pattern: &str| {
        let places = text.rmatch_indices(pattern).map(|(at, _)| at);
        places
            .skip_while(|at| *at > furthest)
            .take_while(|at| *at >= furthest / 2)
            .find(|at| is_candidate(at) && fits(*at))
    };
    ["\n\n", "\n", " "]
        .into_iter()
        .find_map(last_after)
        .unwrap_or(furthest)
}

/// Whether a place is outside all marks. Only an address that begins the text may be cut, since it may be
/// too long by itself.
fn is_between(body: &Body, place: usize) -> bool {
    body.mark_around(place)
        .is_none_or(|mark| mark.kind == MarkKind::Address && mark.range.start == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::people::units;

    fn parts(text: &str, max_parts: u32) -> Vec<String> {
        let plan = Plan {
            prefix: "",
            opening: "",
            cut_note: " (cut)",
            max_parts,
            correction: None,
            link_units: 120,
        };
        split(&Body::new(text), &plan)
    }

    #[test]
    fn cuts_between_paragraphs_lines_and_words() {
        for separator in ["\n\n", "\n", " "] {
            let text = vec!["word".repeat(100); 20].join(separator);
            let parts = parts(&text, 4);
            assert_eq!(parts.join(separator), text);
            assert!(parts.iter().all(|part| units(part) <= MAX_UNITS));
            assert_eq!(parts.len(), 2);
        }
    }

    #[test]
    fn never_cuts_an_escape_or_a_pair_of_surrogates() {
        for (character, written) in [("*", 2), ("🐦", 2), ("<", 4)] {
            let parts = parts(&character.repeat(5000), 8);
            let sizes: Vec<usize> = parts.iter().map(|part| units(part)).collect();
            assert_eq!(sizes.iter().sum::<usize>(), 5000 * written);
            assert!(sizes.iter().all(|size| size % written == 0), "{sizes:?}");
        }
    }

    #[test]
    fn never_cuts_a_mention() {
        let mut body = Body::new(&"x".repeat(4090));
        let text = format!("{}@wren", "x".repeat(4093));
        body.clone_from(&Body::new(&text));
        body.mark(4093..4098, MarkKind::Mention("@wren".to_owned()));
        let plan = Plan {
            prefix: "",
            opening: "",
            cut_note: "",
            max_parts: 4,
            correction: None,
            link_units: 120,
        };
        assert_eq!(split(&body, &plan), ["x".repeat(4093), "@wren".to_owned()]);
    }

    /// Names may be much longer than the mentions that are written for them.
    #[test]
    fn what_becomes_shorter_than_it_was_is_not_cut() {
        let name = "W".repeat(500);
        let mut body = Body::new(&vec![name.as_str(); 40].join(" "));
        for number in 0..40 {
            let start = number * 501;
            body.mark(start..start + 500, MarkKind::Mention("@wren".to_owned()));
        }
        let plan = Plan {
            prefix: "",
            opening: "",
            cut_note: "",
            max_parts: 4,
            correction: None,
            link_units: 120,
        };
        assert_eq!(split(&body, &plan), [vec!["@wren"; 40].join(" ")]);
    }

    #[test]
    fn the_last_part_says_that_it_was_cut() {
        let parts = parts(&"word ".repeat(5000), 2);
        assert_eq!(parts.len(), 2);
        assert!(parts[1].ends_with("word (cut)"));
        assert!(units(&parts[1]) <= MAX_UNITS);
    }

    #[test]
    fn an_address_longer_than_a_message_is_cut() {
        let text = format!("https://example.org/{}", "a".repeat(5000));
        let mut body = Body::new(&text);
        body.mark(0..text.len(), MarkKind::Address);
        let plan = Plan {
            prefix: "",
            opening: "",
            cut_note: "",
            max_parts: 4,
            correction: None,
            link_units: 120,
        };
        assert_eq!(split(&body, &plan).concat(), text);
    }
}
