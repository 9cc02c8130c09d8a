//! `docs/translation.md` is the fixtures as tables for people. Its introduction is written by hand; everything behind
//! the marker is generated. To write it anew:
//!
//! `BLESS=1 cargo test --test translation_page`

#![cfg(test)]

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path};

use comrak::{
    Arena, Options,
    nodes::{AstNode, NodeValue},
    parse_document,
};
use serde_json::{Map, Value};

const MARKER: &str = "<!-- Generated from here on: BLESS=1 cargo test --test translation_page -->\n";

/// The most characters of a text that are shown.
const SHOWN: usize = 160;

/// What each file of fixtures is about.
const FILES: [(&str, &str); 28] = [
    ("to_gitter/text", "Plain text, notices and `/me` lines."),
    (
        "to_gitter/formatted",
        "The HTML of a message becomes Gitter's Markdown.",
    ),
    (
        "to_gitter/escaping",
        "What people type shows on Gitter as they typed it.",
    ),
    (
        "to_gitter/mentions",
        "Who is mentioned on Gitter, and who is not.",
    ),
    (
        "to_gitter/links",
        "Links to bridged rooms and messages lead to Gitter.",
    ),
    (
        "to_gitter/attachments",
        "Files, stickers, places, polls and reactions.",
    ),
    ("to_gitter/people", "How Gitter shows the sender."),
    (
        "to_gitter/prefix",
        "Where the account may not use virtual users, the name stands in the text.",
    ),
    (
        "to_gitter/threads",
        "Threads and replies find their place in Gitter's threads.",
    ),
    (
        "to_gitter/edits",
        "An edit changes the message, or is posted as a correction.",
    ),
    ("to_gitter/redactions", "A redaction deletes what crossed."),
    (
        "to_gitter/bans",
        "A ban of a ghost is one on Gitter, where an admin there allowed it.",
    ),
    (
        "to_gitter/policy",
        "Whom the Matrix room's moderators do not let speak.",
    ),
    ("to_gitter/long", "Long text becomes several messages."),
    (
        "to_gitter/splitting",
        "Long formatted text keeps its blocks whole.",
    ),
    ("to_gitter/skips", "What does not cross, and why."),
    (
        "to_gitter/commands",
        "Commands to the bridge, and people who are not bridged.",
    ),
    ("to_matrix/text", "Plain text, `/me` lines and emoji."),
    (
        "to_matrix/html",
        "Gitter's HTML becomes HTML that Matrix clients show.",
    ),
    (
        "to_matrix/links",
        "Links to rooms and messages, issues and commits, and pictures.",
    ),
    ("to_matrix/edits", "A change of a message that crossed."),
    (
        "to_matrix/deletions",
        "A removed message, or one that Gitter kept without its text.",
    ),
    ("to_matrix/bans", "Somebody is banned on Gitter, or is no more."),
    (
        "to_matrix/uploads",
        "A message that is nothing but a file of Gitter's.",
    ),
    ("to_matrix/mentions", "Whom a message from Gitter mentions."),
    ("to_matrix/people", "Who a message from Gitter comes from."),
    ("to_matrix/threads", "Gitter's threads as Matrix shows them."),
    ("to_matrix/skips", "What does not cross, and why."),
];

#[test]
fn the_page_shows_every_fixture() {
    let path = root().join("docs/translation.md");
    let page = fs::read_to_string(&path).unwrap();
    let (introduction, generated) = page.split_once(MARKER).expect("the page has its marker");
    let tables = tables();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{introduction}{MARKER}{tables}")).unwrap();
    } else {
        assert!(
            generated == tables,
            "docs/translation.md is out of date: BLESS=1 cargo test --test translation_page"
        );
    }
}

#[test]
fn the_introduction_names_every_file() {
    let page = fs::read_to_string(root().join("docs/translation.md")).unwrap();
    let (introduction, _) = page.split_once(MARKER).expect("the page has its marker");
    let rows: String = introduction
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    for file in fixtures().keys() {
        assert!(
            FILES.iter().any(|(name, _)| name == file),
            "give {file} a sentence in FILES"
        );
        assert!(
            rows.contains(&format!("`{file}`")),
            "the introduction's table does not name `{file}`"
        );
    }
}

#[test]
fn a_cell_shows_its_text_whatever_is_in_it() {
    for text in [
        "a|b",
        "\\|",
        "`x` ``y``",
        "`",
        "``` \\",
        "<b>&amp;</b>",
        "*a* _b_ [c](d)",
        "http://a.example",
        "a\\",
        "||",
    ] {
        let table = format!("| a | b |\n|---|---|\n| {} | end |\n", code(text));
        let shown = cells(&table);
        assert_eq!(shown, ["a", "b", text, "end"], "{table}");
    }
    assert_eq!(code("a\nb\u{200b}"), "`a⏎b⟨200b⟩`");
}

/// The text of a table's cells as a viewer shows it.
fn cells(table: &str) -> Vec<String> {
    fn text<'a>(node: &'a AstNode<'a>) -> String {
        match &node.data.borrow().value {
            NodeValue::Code(code) => code.literal.clone(),
            NodeValue::Text(text) => text.to_string(),
            _ => node.children().map(text).collect(),
        }
    }
    let arena = Arena::new();
    let mut options = Options::default();
    options.extension.table = true;
    parse_document(&arena, table, &options)
        .descendants()
        .filter(|node| matches!(node.data.borrow().value, NodeValue::TableCell))
        .map(text)
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fixtures by their file, such as `to_gitter/text`.
fn fixtures() -> BTreeMap<String, Vec<Value>> {
    let mut files = BTreeMap::new();
    for direction in ["to_gitter", "to_matrix"] {
        for entry in fs::read_dir(root().join("tests/fixtures").join(direction)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy();
            let read = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            files.insert(format!("{direction}/{name}"), read);
        }
    }
    files
}

fn tables() -> String {
    let mut out = String::new();
    let fixtures = fixtures();
    for (direction, heading) in [
        ("to_gitter/", "From Matrix to Gitter"),
        ("to_matrix/", "From Gitter to Matrix"),
    ] {
        writeln!(out, "\n## {heading}").unwrap();
        for (file, sentence) in FILES.iter().filter(|(file, _)| file.starts_with(direction)) {
            write!(
                out,
                "\n### `{file}`\n\n{sentence}\n\n| fixture | comes in | goes out |\n|---|---|---|\n"
            )
            .unwrap();
            for fixture in fixtures.get(*file).into_iter().flatten() {
                let name = prose(string(fixture, "name"));
                let (comes, goes) = (comes_in(fixture), goes_out(fixture));
                writeln!(out, "| {name} | {comes} | {goes} |").unwrap();
            }
        }
    }
    out
}

/// What a fixture translates: its settings where they are not the usual ones, and the message.
fn comes_in(fixture: &Value) -> String {
    let context = &fixture["context"];
    let mut facts: Vec<String> = Vec::new();
    for (key, value) in context["settings"].as_object().into_iter().flatten() {
        facts.push(format!("with {}", code(&format!("{key}: {}", plain(value)))));
    }
    if context["virtual_users"] == false {
        facts.push("without virtual users".to_owned());
    }
    for (key, value) in context["policy"].as_object().into_iter().flatten() {
        facts.push(format!("with {}", code(&format!("{key}: {}", plain(value)))));
    }
    let input = &fixture["input"];
    match input.get("operation") {
        Some(operation) => {
            if operation != "create" {
                facts.push(prose(&plain(operation)));
            }
            let model = &input["model"];
            fields(model, &["text", "html", "status", "parentId"], &mut facts);
            if model["fromUser"]["username"] != "wren" {
                facts.extend(labelled("fromUser", model["fromUser"].get("username")));
            }
            fields(model, &["user", "virtualUser"], &mut facts);
        }
        None => event_in(input, &mut facts),
    }
    joined(&facts)
}

fn event_in(event: &Value, facts: &mut Vec<String>) {
    if event["type"] != "m.room.message" {
        facts.extend(labelled("type", event.get("type")));
    }
    fields(event, &["state_key", "redacts"], facts);
    let mut content = &event["content"];
    relation(content, facts);
    if let Some(new) = content.get("m.new_content") {
        content = new;
    }
    let mut unusual = content.as_object().cloned().unwrap_or_default();
    for known in ["format", "m.relates_to", "m.new_content"] {
        unusual.remove(known);
    }
    if unusual.get("msgtype").is_some_and(|kind| kind == "m.text") {
        unusual.remove("msgtype");
    }
    facts.extend(
        unusual
            .iter()
            .filter_map(|(key, value)| labelled(key, Some(value))),
    );
}

fn relation(content: &Value, facts: &mut Vec<String>) {
    let relates_to = &content["m.relates_to"];
    let id = |value: &Value| code(value["event_id"].as_str().unwrap_or_default());
    match relates_to["rel_type"].as_str() {
        Some("m.thread") => facts.push(format!("in the thread of {}", id(relates_to))),
        Some("m.replace") => facts.push(format!("edits {}", id(relates_to))),
        Some("m.annotation") => facts.push(format!(
            "reacts to {} with {}",
            id(relates_to),
            code(&plain(&relates_to["key"]))
        )),
        _ => {}
    }
    if let Some(answered) = relates_to.get("m.in_reply_to") {
        facts.push(format!("answers {}", id(answered)));
    }
}

/// What a fixture is expected to become.
fn goes_out(fixture: &Value) -> String {
    let expected = &fixture["expected"];
    if let Some(reason) = expected.get("skipped") {
        return format!("skipped: {}", code(&plain(reason)));
    }
    let actions = expected["actions"].as_array().into_iter().flatten();
    let actions: Vec<String> = actions.map(|action| action_out(action, fixture)).collect();
    actions.join("<br>")
}

fn action_out(action: &Value, fixture: &Value) -> String {
    let mut facts = Vec::new();
    match string(action, "action") {
        "delete" => facts.push(format!("delete {}", code(&plain(&action["message_id"])))),
        // On Matrix the content's relation says what it edits.
        "edit" => facts.extend(labelled("edit", action.get("message_id"))),
        "redact" => facts.push(format!("redact {}", code(&plain(&action["event_id"])))),
        word @ ("ban" | "unban") => {
            facts.push(word.to_owned());
            fields(
                action,
                &["username", "remove_messages", "user", "reason"],
                &mut facts,
            );
        }
        _ => {}
    }
    if action["status"] == true {
        facts.push("`/me`".to_owned());
    }
    if let Some(parent) = action["parent_id"].as_str() {
        facts.push(format!("in the thread of {}", code(parent)));
    }
    let shown = &action["virtual_user"]["display_name"];
    let members = fixture["context"]["members"].as_array().into_iter().flatten();
    if shown.is_string() && !members.clone().any(|member| member["display_name"] == *shown) {
        facts.push(format!("as {}", code(&plain(shown))));
    }
    fields(action, &["text"], &mut facts);
    if let Some(content) = action.get("content").and_then(Value::as_object) {
        content_out(content, &mut facts);
    }
    joined(&facts)
}

fn content_out(content: &Map<String, Value>, facts: &mut Vec<String>) {
    let value = Value::Object(content.clone());
    relation(&value, facts);
    if value["msgtype"] != "m.text" {
        facts.extend(labelled("msgtype", content.get("msgtype")));
    }
    fields(&value, &["url", "body", "formatted_body"], facts);
    if value["m.mentions"].as_object().is_some_and(|it| !it.is_empty()) {
        facts.extend(labelled("m.mentions", content.get("m.mentions")));
    }
}

fn fields(of: &Value, keys: &[&str], facts: &mut Vec<String>) {
    facts.extend(keys.iter().filter_map(|key| labelled(key, of.get(*key))));
}

fn labelled(key: &str, value: Option<&Value>) -> Option<String> {
    let value = value.filter(|value| !value.is_null())?;
    Some(format!("{key} {}", code(&plain(value))))
}

fn joined(facts: &[String]) -> String {
    if facts.is_empty() {
        return "-".to_owned();
    }
    facts.join("; ")
}

fn string<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text as code in a cell, cut, with signs for what cannot be seen.
fn code(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).map(visible).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    if shown.is_empty() {
        return "nothing".to_owned();
    }
    if shown.contains("\\|") {
        // Viewers differ on a backslash before a bar in code.
        return format!("<code>{}</code>", entities(&shown));
    }
    let longest = shown.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let is_edge = |it: char| it == '`' || it == ' ';
    let pad = if shown.starts_with(is_edge) || shown.ends_with(is_edge) {
        " "
    } else {
        ""
    };
    // Tables are cut into cells before code is read, so a bar in code is escaped too.
    format!("{fence}{pad}{}{pad}{fence}", shown.replace('|', "\\|"))
}

fn entities(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if character.is_ascii_punctuation() {
            write!(out, "&#{};", u32::from(character)).unwrap();
        } else {
            out.push(character);
        }
    }
    out
}

fn visible(character: char) -> String {
    let is_hidden = |it: char| {
        it.is_control()
            || matches!(it, '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffc}')
    };
    match character {
        '\n' => "⏎".to_owned(),
        _ if is_hidden(character) => format!("⟨{:x}⟩", u32::from(character)),
        _ => character.to_string(),
    }
}

/// A text in a cell in which nothing is markup.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if character.is_ascii_punctuation() && !",.:;'-()/".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
