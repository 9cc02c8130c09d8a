//! The example file, generated from what the sections say of themselves.

use super::{
    section::{Key, Presence, Section, VARIABLE_PREFIX},
    sections::SECTIONS,
};

/// Most characters of a line; a comment that does not fit stands above its key.
const LINE_LENGTH: usize = 140;

/// A configuration file with every key, its default or an example, and what it does.
pub fn example() -> String {
    let mut lines = vec![
        "# Configuration of gitter-matrix-bridge. Check it with `gitter-matrix-bridge config check`.".to_owned(),
        "#".to_owned(),
        "# Required are homeserver.*, the three addresses of gitter, and a token. Every other key may be left out: what".to_owned(),
        "# stands here is what holds then, and keys behind a # have no value.".to_owned(),
        format!("# Every key can be set in the environment too: {VARIABLE_PREFIX}HOMESERVER__URL is homeserver.url. Lists and"),
        "# maps are written there as here; an empty value takes away what the file says.".to_owned(),
        "# Relative paths start from this file's folder; those of files that the bridge writes start from data_dir.".to_owned(),
        "# Lengths of time: 90s, 5m, 24h, 30d. Sizes: 500KiB, 100MiB, 1GiB.".to_owned(),
    ];
    for section in SECTIONS {
        lines.push(String::new());
        add_section(&mut lines, section);
    }
    lines.join("\n") + "\n"
}

fn add_section(lines: &mut Vec<String>, section: &Section) {
    let mut indent = "";
    if !section.name.is_empty() {
        lines.extend(comments("", section.documentation));
        lines.push(format!("{}:", section.name));
        indent = "  ";
    }
    let settings = section.keys.iter().map(|key| format!("{indent}{}", setting(key)));
    let settings: Vec<_> = settings.collect();
    let column = settings.iter().map(String::len).max().unwrap_or_default() + 2;
    for (key, setting) in section.keys.iter().zip(settings) {
        match comments("", key.documentation).as_slice() {
            [comment] if column + comment.len() <= LINE_LENGTH => {
                lines.push(format!("{setting:column$}{comment}"));
            }
            _ => {
                lines.extend(comments(indent, key.documentation));
                lines.push(setting);
            }
        }
    }
}

/// The lines of a documentation as comments, without Markdown's backticks.
fn comments(indent: &str, documentation: &[&str]) -> Vec<String> {
    documentation
        .iter()
        .map(|line| format!("{indent}#{}", line.replace('`', "")))
        .collect()
}

fn setting(key: &Key) -> String {
    let name = key.name;
    match key.presence {
        Presence::Required(value) | Presence::Default(value) | Presence::Shown(value) => {
            format!("{name}: {value}")
        }
        Presence::Hidden(value) => format!("# {name}: {value}"),
    }
}
