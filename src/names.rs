//! Names of people, and which of them look alike. Shows nothing and keeps nothing: names cross as people chose them.

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

/// Whether a character takes no room or shows nothing: joiners, marks of direction, fillers, selectors of variants.
pub fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// What a name looks like at a glance: equal for names that differ only in case, in space, in what cannot be seen, in
/// the form of their letters, or in letters that look the same in another alphabet (Unicode's UTS 39, "skeleton").
///
/// It is for comparing, and stored: when it changes, names stored before are found again at their next event.
pub fn key(name: &str) -> String {
    let seen: String = name.nfkc().filter(|it| !is_blank(*it)).collect();
    // Letters look alike in either case: I like l, O like 0.
    let lower: String = skeleton(&seen).flat_map(char::to_lowercase).collect();
    skeleton(&lower)
        .filter(|it| !is_blank(*it))
        .map(|it| if it == 'i' { 'l' } else { it })
        .collect()
}

/// The key of the name that a Matrix user goes by: the display name, or without a visible one the id's local part.
pub fn key_of(display_name: &str, localpart: &str) -> String {
    let is_shown = display_name.chars().any(|it| !is_blank(it));
    key(if is_shown { display_name } else { localpart })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_one_key() {
        for other in [
            "wREN of the reef",
            "Wren\u{200b} of\u{a0}the\u{202e} Reef",
            "\u{ff37}\u{ff52}\u{ff45}\u{ff4e} of the Reef",
            "Wr\u{435}n \u{43e}f th\u{435} Reef",
            "\u{1d416}ren of the Reef\u{fe0f}",
            "Wren 0f the Reef",
        ] {
            assert_eq!(key(other), key("Wren of the Reef"), "{other}");
        }
        assert_eq!(key("Iris"), key("lr1s"));
        assert_eq!(key("\u{3164}"), "");
    }

    #[test]
    fn names_that_do_not_look_alike_have_keys_of_their_own() {
        let names = [
            "Ana",
            "Anna",
            "An\u{e1}",
            "Wren",
            "Wrens",
            "\u{5d0}\u{5e0}\u{5d4}",
            "\u{1f426}",
        ];
        for (index, one) in names.iter().enumerate() {
            assert!(
                names.iter().skip(index + 1).all(|other| key(one) != key(other)),
                "{one}"
            );
        }
    }

    #[test]
    fn without_a_visible_name_the_id_counts() {
        assert_eq!(key_of("\u{2800}", "ana"), key_of("Ana", "kelp"));
    }
}
