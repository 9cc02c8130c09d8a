//! The part of docs/commands.md about the command line, from its help texts.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::Cli;

/// How wide help texts are in the page.
const WIDTH: usize = 100;

/// Each command with its help, in Markdown.
pub fn page() -> String {
    let mut root = Cli::command()
        .term_width(WIDTH)
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .mut_arg("config", |config| config.hide(true));
    root.build();
    let mut page = String::new();
    add(&mut page, &root, &[]);
    page
}

/// Adds a command, or those that it consists of.
fn add(page: &mut String, command: &Command, before: &[&str]) {
    let name = [before, &[command.get_name()]].concat();
    let parts: Vec<&Command> = command
        .get_subcommands()
        .filter(|part| !part.is_hide_set() && part.get_name() != "help")
        .collect();
    for part in &parts {
        add(page, part, &name);
    }
    if parts.is_empty() {
        let help = command.clone().term_width(WIDTH).render_help().to_string();
        let title = name.get(1..).unwrap_or_default().join(" ");
        let _ = write!(page, "### {title}\n\n```\n{}\n```\n\n", trimmed(&help));
    }
}

/// Without the space that nobody sees.
fn trimmed(help: &str) -> String {
    let lines: Vec<&str> = help.trim().lines().map(str::trim_end).collect();
    lines.join("\n")
}
