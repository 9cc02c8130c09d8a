//! The two rooms as people see them, next to each other. Pure.

use std::collections::HashMap;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};

use crate::{
    matrix::Event,
    sandbox::{Message, VirtualUser},
};

/// A message as either side shows it.
struct Line {
    id: String,
    root: Option<String>,
    author: String,
    emote: bool,
    text: String,
}

/// Puts the Matrix room on the left and the Gitter room on the right. `names` gives what people of
/// either side are called.
pub(super) fn side_by_side(matrix: &[Event], names: &HashMap<String, String>, gitter: &[Message]) -> String {
    let left: Vec<Line> = matrix.iter().map(|event| on_matrix(event, names)).collect();
    let right: Vec<Line> = gitter.iter().map(|message| on_gitter(message, names)).collect();
    let (left, right) = (show(&left), show(&right));
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_header(["On Matrix", "On Gitter"]);
    for row in 0..left.len().max(right.len()) {
        let cell = |side: &[String]| side.get(row).cloned().unwrap_or_default();
        table.add_row([cell(&left), cell(&right)]);
    }
    table.to_string()
}

fn on_matrix(event: &Event, names: &HashMap<String, String>) -> Line {
    Line {
        id: event.event_id.clone(),
        root: event.thread_root().map(str::to_owned),
        author: names.get(&event.sender).unwrap_or(&event.sender).clone(),
        emote: event.is_emote(),
        text: event.body().to_owned(),
    }
}

fn on_gitter(message: &Message, names: &HashMap<String, String>) -> Line {
    // Gitter's flair for people from Matrix.
    let flair = |user: &VirtualUser| format!("{} [m]", user.display_name);
    let own_name = || names.get(&message.author).unwrap_or(&message.author).clone();
    Line {
        id: message.id.clone(),
        root: message.parent_id.clone(),
        author: message.virtual_user.as_ref().map_or_else(own_name, flair),
        emote: message.status,
        text: message.shown_text().to_owned(),
    }
}

/// Each message on a line, threads indented below their first message.
fn show(lines: &[Line]) -> Vec<String> {
    let mut shown = Vec::new();
    for line in lines.iter().filter(|line| line.root.is_none()) {
        shown.push(line.to_string());
        let thread = lines
            .iter()
            .filter(|reply| reply.root.as_deref() == Some(line.id.as_str()));
        shown.extend(thread.map(|reply| format!("    | {reply}")));
    }
    shown
}

impl std::fmt::Display for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { author, text, .. } = self;
        if self.emote {
            write!(formatter, "* {author} {text}")
        } else {
            write!(formatter, "{author}: {text}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, root: Option<&str>, emote: bool) -> Line {
        Line {
            id: id.to_owned(),
            root: root.map(str::to_owned),
            author: "Ana".to_owned(),
            emote,
            text: format!("says {id}"),
        }
    }

    #[test]
    fn threads_stand_below_their_first_message() {
        let lines = [
            line("1", None, false),
            line("2", None, true),
            line("3", Some("1"), false),
        ];
        assert_eq!(show(&lines), ["Ana: says 1", "    | Ana: says 3", "* Ana says 2"]);
    }

    #[test]
    fn both_sides_are_shown_to_the_end() {
        let event = Event {
            event_id: "$1".to_owned(),
            sender: "@ana:localhost".to_owned(),
            kind: "m.room.message".to_owned(),
            origin_server_ts: 0,
            content: serde_json::json!({ "body": "hello" }),
        };
        let names = HashMap::from([("@ana:localhost".to_owned(), "Ana".to_owned())]);
        let table = side_by_side(&[event], &names, &[]);
        assert!(table.contains("Ana: hello"), "{table}");
        assert!(table.contains("On Gitter"), "{table}");
    }
}
