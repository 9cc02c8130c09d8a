//! `docs/commands.md` says what can be asked of the bridge, in chat and on the command line. What is behind its markers is
//! generated from the tables and help texts of the program. To write it anew:
//!
//! `BLESS=1 cargo test --test commands_page`

#![cfg(test)]

use std::{env, fs, path::Path};

const CHAT: &str = "<!-- Generated up to the next mark: BLESS=1 cargo test --test commands_page -->\n";
const CHAT_END: &str = "<!-- The end of what is generated -->\n";
const PROGRAM: &str = "<!-- Generated from here on: BLESS=1 cargo test --test commands_page -->\n";

/// The page with what is generated in its places.
fn generated(page: &str) -> String {
    let (before, rest) = page.split_once(CHAT).expect("the page has the mark of the chat");
    let (_, rest) = rest
        .split_once(CHAT_END)
        .expect("the page has the mark behind it");
    let (between, _) = rest
        .split_once(PROGRAM)
        .expect("the page has the mark of the program");
    let chat = gitter_matrix_bridge::bridge::command::page();
    let program = gitter_matrix_bridge::cli::page();
    let page = format!("{before}{CHAT}\n{chat}\n{CHAT_END}{between}{PROGRAM}\n{program}");
    format!("{}\n", page.trim_end())
}

#[test]
fn the_page_says_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let page = fs::read_to_string(&path).unwrap();
    let generated = generated(&page);
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &generated).unwrap();
    } else {
        assert!(
            page == generated,
            "docs/commands.md is not what the program says: BLESS=1 cargo test --test commands_page"
        );
    }
}

#[test]
fn every_command_is_there_once() {
    let program = gitter_matrix_bridge::cli::page();
    for title in ["serve", "room link", "room settings", "item retry", "completions"] {
        let heading = format!("### {title}\n");
        assert_eq!(program.matches(&heading).count(), 1, "{title}");
    }
    assert!(
        !program.contains("--config"),
        "what all commands take is said once"
    );
}
