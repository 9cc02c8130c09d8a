//! What people wrote on Matrix is what Gitter shows: generated messages are translated, rendered by Gitter's own
//! renderer, and looked at.
//!
//! A few hundred cases of each kind; the variable `PROPTEST_CASES` asks for more.

mod tree;
mod view;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
};

use gitter_matrix_bridge::translate::{Context, GitterAction, Translation, to_gitter};
use proptest::{
    prop_assert, prop_assert_eq,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json, value::to_raw_value};

use self::view::{Line, view};
use crate::node::Node;

/// Gitter gives a text up after three seconds, and shows its Markdown as typed (gitter-api 5.2).
const MOST_MILLISECONDS: u64 = 1_000;

/// Gitter's renderer, waiting for texts.
struct Renderer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Renderer {
    fn start(node: &Node) -> Self {
        let mut command = node.script("markdown_lines.js").into_std();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take().unwrap(),
            stdout: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn html(&mut self, markdown: &str) -> Result<String, TestCaseError> {
        writeln!(self.stdin, "{}", json!(markdown)).unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        match (answer["html"].as_str(), answer["ms"].as_u64()) {
            (Some(html), Some(time)) if time < MOST_MILLISECONDS => Ok(html.to_owned()),
            _ => Err(TestCaseError::fail(format!("{markdown:?} gives {answer}"))),
        }
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn context() -> Context {
    serde_json::from_value(json!({
        "server_name": "example.org",
        "now": "2020-12-01T10:00:00Z",
        "web_url": "https://gitter.example.org",
        "portal": {
            "gitter_room_id": "5f0000000000000000000a01",
            "gitter_uri": "tidepool/harbour",
            "matrix_room_id": "!r:example.org",
        },
        "settings": { "max_parts": 1000 },
    }))
    .unwrap()
}

/// The Markdown of a message, part by part; none if it does not cross.
fn markdown(content: &Value) -> Vec<String> {
    let event = json!({
        "type": "m.room.message",
        "event_id": "$e1",
        "sender": "@ana:example.org",
        "content": content,
    });
    match to_gitter::translate(&to_raw_value(&event).unwrap(), &context()) {
        Translation::Actions { actions } => {
            let texts = actions.into_iter().map(|action| match action {
                GitterAction::Send { text, .. } => text,
                other => panic!("not a message: {other:?}"),
            });
            texts.collect()
        }
        Translation::Skipped { .. } => Vec::new(),
    }
}

/// Compares what a message says with what Gitter shows of it.
fn compare(written: &str, said: &[Line], renderer: &mut Renderer) -> Result<(), TestCaseError> {
    let html = renderer.html(written)?;
    let shown = view(&html);
    if shown == said {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "said: {said:#?}\nshown: {shown:#?}\nMarkdown: {written:?}\nhtml: {html:?}"
    )))
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

#[tokio::test]
async fn gitter_shows_plain_texts_as_written() {
    let Some(node) = Node::find().await else { return };
    let renderer = std::cell::RefCell::new(Renderer::start(&node));
    let result = runner(Config::default().cases).run(&tree::text(24), |text| {
        let content = json!({ "msgtype": "m.text", "body": text });
        let Some(written) = markdown(&content).pop() else {
            return Ok(());
        };
        let html = tree::plain_html(&text);
        compare(&written, &view(&html), &mut renderer.borrow_mut())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn gitter_shows_formatted_texts_as_written() {
    let Some(node) = Node::find().await else { return };
    let renderer = std::cell::RefCell::new(Renderer::start(&node));
    let result = runner(Config::default().cases).run(&tree::html(), |html| {
        let said = view(&html);
        if said.is_empty() {
            return Ok(());
        }
        let written = markdown(&formatted(&html)).pop();
        let written = written.ok_or_else(|| TestCaseError::fail("it does not cross"))?;
        compare(&written, &said, &mut renderer.borrow_mut())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

fn formatted(html: &str) -> Value {
    json!({
        "msgtype": "m.text",
        "body": "",
        "format": "org.matrix.custom.html",
        "formatted_body": html,
    })
}

/// What was said, without the space and whatever it was in.
fn letters(lines: &[Line]) -> String {
    lines.iter().flat_map(Line::letters).collect()
}

#[tokio::test]
async fn gitter_shows_all_of_what_is_split() {
    let Some(node) = Node::find().await else { return };
    let renderer = std::cell::RefCell::new(Renderer::start(&node));
    let cases = Config::default().cases / 8;
    let result = runner(cases).run(&tree::long_html(), |html| {
        let said = view(&html);
        let mut shown = String::new();
        for part in markdown(&formatted(&html)) {
            prop_assert!(part.encode_utf16().count() <= 4096);
            shown += &letters(&view(&renderer.borrow_mut().html(&part)?));
        }
        prop_assert_eq!(letters(&said), shown);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
