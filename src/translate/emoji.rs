//! Emoji by their names: Gitter keeps `:smile:` as typed and draws it in the browser (gitter-api 5.7).
//!
//! The names are gemoji's. ASCII emoticons stay as they are.

/// Replaces the names of emoji in running text. A name that nobody knows stays, and so does one that begins inside of a
/// word, as in a time or a ratio.
pub(super) fn replace(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, from_colon) = rest.split_at(at);
        replaced.push_str(before);
        let in_word = replaced.chars().next_back().is_some_and(char::is_alphanumeric);
        if let Some((emoji, after)) = named(from_colon).filter(|_| !in_word) {
            replaced.push_str(emoji);
            rest = after;
        } else {
            replaced.push(':');
            rest = from_colon.get(1..).unwrap_or_default();
        }
    }
    replaced.push_str(rest);
    replaced
}

/// Replaces the names in a text as it was typed, but not in its code. Words that hold a web address are
/// left to `address`, which gives another word for one or `None` to keep it.
pub(super) fn replace_typed(text: &str, address: impl Fn(&str) -> Option<String>) -> String {
    let outside_code = |text: &str| -> String {
        text.split_inclusive(char::is_whitespace)
            .map(|word| {
                if word.contains("://") {
                    address(word).unwrap_or_else(|| word.to_owned())
                } else {
                    replace(word)
                }
            })
            .collect()
    };
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let (before, code) = rest.split_at(at);
        replaced.push_str(&outside_code(before));
        let ticks = code.len() - code.trim_start_matches('`').len();
        let end = end_of_code(code, ticks).unwrap_or(ticks);
        let (code, after) = code.split_at(end);
        replaced.push_str(code);
        rest = after;
    }
    replaced.push_str(&outside_code(rest));
    replaced
}

/// The emoji whose name a text begins with, and what follows it.
fn named(text: &str) -> Option<(&'static str, &str)> {
    let name_and_rest = text.strip_prefix(':')?;
    let is_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "_+-".contains(it);
    let rest = name_and_rest.trim_start_matches(is_name);
    let name = name_and_rest.strip_suffix(rest)?;
    let after = rest.strip_prefix(':')?;
    emojis::get_by_shortcode(name).map(|emoji| (emoji.as_str(), after))
}

/// Where code ends that begins with so many backticks: after the next run of just as many.
fn end_of_code(code: &str, ticks: usize) -> Option<usize> {
    let mut at = ticks;
    loop {
        let rest = code.get(at..)?;
        let start = at + rest.find('`')?;
        let run = code.get(start..)?;
        let length = run.len() - run.trim_start_matches('`').len();
        at = start + length;
        if length == ticks {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_emoji_are_replaced_and_all_else_stays() {
        for (text, expected) in [
            ("hi :smile:!", "hi 😄!"),
            (":+1::+1:", "👍👍"),
            (":no_such_emoji: :", ":no_such_emoji: :"),
            ("at 10:30:45, 1:b:2", "at 10:30:45, 1:b:2"),
            (":) :D :smile", ":) :D :smile"),
            (":x:smile:", "❌smile:"),
            ("日本語:smile:", "日本語:smile:"),
        ] {
            assert_eq!(replace(text), expected, "{text}");
        }
    }

    #[test]
    fn code_and_addresses_stay_as_typed() {
        for (text, expected) in [
            ("`:smile:` :smile:", "`:smile:` 😄"),
            ("```\n:smile:\n```\n:smile:", "```\n:smile:\n```\n😄"),
            ("`` ` :smile: `` :smile:", "`` ` :smile: `` 😄"),
            ("one ` alone :smile:", "one ` alone 😄"),
            ("http://a.example/:smile: :smile:", "http://a.example/:smile: 😄"),
        ] {
            assert_eq!(replace_typed(text, |_| None), expected, "{text}");
        }
    }
}
