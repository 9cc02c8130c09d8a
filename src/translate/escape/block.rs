//! The beginnings of lines that Gitter would read as headings, quotes, lists, rules, tables or code.

use super::Writer;

impl Writer {
    /// Writes the beginning of a line so that it begins no block; returns the rest of the line.
    ///
    /// `is_lone_line`: it is all there is, so a leading `#7` is an issue reference and can stay. Among
    /// other lines Gitter would swallow the line break after it.
    pub(super) fn block_start<'a>(&mut self, line: &'a str, is_lone_line: bool) -> &'a str {
        let rest = line.trim_start_matches(' ');
        if rest.len() < line.len() {
            for _ in rest.len()..line.len() {
                self.out.push_str("&nbsp;");
            }
            return rest;
        }
        if is_rule_or_table_row(line) {
            for character in line.chars() {
                match character {
                    '-' | '|' => self.backslash(character),
                    '=' => self.entity('='),
                    _ => self.raw(character),
                }
            }
            return "";
        }
        let mut characters = line.chars();
        let first = characters.next();
        let after = characters.as_str();
        match first {
            Some('#') if !(is_lone_line && is_issue(after)) => self.backslash('#'),
            Some('>') => self.backslash('>'),
            Some(bullet @ ('-' | '+')) if is_item(after) => self.backslash(bullet),
            Some('0'..='9') => return self.list_number(line),
            _ => return line,
        }
        after
    }

    fn list_number<'a>(&mut self, line: &'a str) -> &'a str {
        let rest = line.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let mut characters = rest.chars();
        match characters.next() {
            Some(delimiter @ ('.' | ')')) if is_item(characters.as_str()) => {
                let number = line.len() - rest.len();
                self.out.push_str(line.get(..number).unwrap_or_default());
                self.backslash(delimiter);
                characters.as_str()
            }
            _ => line,
        }
    }
}

/// Whether a line is a rule, the line under a heading, or the one between a table's head and body.
fn is_rule_or_table_row(line: &str) -> bool {
    line.contains(['-', '=']) && line.chars().all(|it| "-=|: ".contains(it))
}

/// Whether what follows a bullet or number makes it a list item.
fn is_item(after: &str) -> bool {
    after.is_empty() || after.starts_with(' ')
}

/// Whether what follows a `#` at the start of a line makes it an issue reference to Gitter.
fn is_issue(after: &str) -> bool {
    let rest = after.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let digits = after.len() - rest.len();
    (1..=6).contains(&digits) && !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
}
