//! Words, numbers, times and signs of the status page. What others wrote is cut and kept to itself.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use crate::duration::span;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Well,
    /// It goes on by itself.
    Busy,
    /// Somebody should know.
    Attention,
    /// Somebody has to do something.
    Trouble,
}

impl Level {
    /// The class of what is shown so.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Busy => "busy",
            Self::Attention => "attention",
            Self::Trouble => "trouble",
        }
    }

    /// Its sign: each has a shape of its own, so that colour alone says nothing.
    pub(super) fn sign(self) -> Markup {
        let (shape, mark) = match self {
            Self::Well => ("M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z", "m5 8.2 2.1 2.1L11 6.2"),
            Self::Busy => ("M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z", "M8 4.5V8l2.4 1.6"),
            Self::Attention => ("M8 1.2 15.2 14H.8Z", "M8 6v3.6M8 11.8v.1"),
            Self::Trouble => ("M5 1h6l4 4v6l-4 4H5l-4-4V5Z", "m5.6 5.6 4.8 4.8m0-4.8-4.8 4.8"),
        };
        html! {
            svg class={ "sign " (self.class()) } viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
                path.shape d=(shape) {}
                path.mark d=(mark) {}
            }
        }
    }
}

/// What others wrote: at most so many characters, without those that steer a terminal or the direction of writing.
pub(super) fn cut(text: &str, most: usize) -> String {
    let is_steering = |sign: char| {
        sign.is_control()
            || matches!(sign, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut signs = text.chars();
    let mut shown: String = signs
        .by_ref()
        .take(most)
        .map(|sign| if is_steering(sign) { '\u{fffd}' } else { sign })
        .collect();
    if signs.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The same, apart from the direction of writing around it.
pub(super) fn foreign(text: &str, most: usize) -> Markup {
    html! { bdi { (cut(text, most)) } }
}

/// A time, in words that the script keeps true.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(format!("{time:.0}")) title=(exact(time)) data-ago { (words_ago(time, now)) }
    }
}

/// How long ago something was, in words that the script keeps true.
pub(super) fn age(time: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(format!("{time:.0}")) title={ "since " (exact(time)) } data-age { (span(now.duration_since(time))) }
    }
}

fn words_ago(time: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(time);
    if passed < SignedDuration::from_secs(5) {
        return "just now".to_owned();
    }
    format!("{} ago", span(passed))
}

/// A time, exactly.
pub(super) fn exact(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A number with its noun.
pub(super) fn count(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A number with its thousands set apart.
pub(super) fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digit != '-' && !shown.ends_with('-') {
            // A narrow space that does not break.
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, words) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
            (-1_000, "-1\u{202f}000"),
            (-100, "-100"),
        ] {
            assert_eq!(grouped(number), words);
        }
        assert_eq!(count(1, "room", "rooms"), "1 room");
        assert_eq!(count(2, "room", "rooms"), "2 rooms");
    }

    #[test]
    fn what_others_wrote_stays_in_its_place() {
        assert_eq!(cut("abcdef", 3), "abc…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("a\u{202e}b\nc", 9), "a\u{fffd}b\u{fffd}c");
        assert_eq!(foreign("<b>", 9).into_string(), "<bdi>&lt;b&gt;</bdi>");
    }
}
