//! The part of docs/commands.md about commands in chat, from their table.

use std::fmt::Write as _;

use super::table::{TABLE, Who};

/// The commands as a table for people, in Markdown.
pub fn page() -> String {
    let mut page = "| command | what it does | for whom |\n|---|---|---|\n".to_owned();
    for entry in &TABLE {
        let who = match entry.who {
            Who::Everyone => "everyone",
            Who::Moderators => "moderators",
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {who} |",
            entry.usage().replace('|', "\\|"),
            entry.help
        );
    }
    page
}
