//! `translate`, line by line.

use std::io::{BufRead as _, BufReader, Write as _};

use gitter_matrix_bridge::translate::{Context, to_gitter, to_matrix};
use serde_json::{Value, json};

use super::*;

fn context() -> Value {
    json!({
        "server_name": "example.org", "now": "2020-12-01T10:00:00Z", "web_url": "https://gitter.example.org",
        "portal": {
            "gitter_room_id": "5f0000000000000000000a01", "gitter_uri": "tidepool/harbour",
            "matrix_room_id": "!r:example.org",
        },
    })
}

fn event(body: &str) -> Value {
    json!({
        "type": "m.room.message", "event_id": "$e1", "sender": "@ana:example.org", "origin_server_ts": 1_606_816_800_000_i64,
        "content": { "msgtype": "m.text", "body": body },
    })
}

fn fixture(input: &Value) -> String {
    json!({ "name": "a fixture", "context": context(), "input": input, "expected": {} }).to_string()
}

fn run(direction: &str, input: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut child = program(folder.path(), ["translate", direction])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn each_line_gives_what_translation_makes_of_it() {
    let events = [event("one"), event("two **three**")];
    let input: Vec<_> = events.iter().map(fixture).collect();
    let told = run("to-gitter", &input.join("\n")).printed(0);
    let context: Context = serde_json::from_value(context()).unwrap();
    let expected = events.map(|event| {
        let event = serde_json::value::to_raw_value(&event).unwrap();
        serde_json::to_string(&to_gitter::translate(&event, &context)).unwrap() + "\n"
    });
    assert_eq!(told, expected.concat());

    let operation = json!({ "operation": "remove", "model": { "id": "5f0000000000000000000d01" } });
    let told = run("to-matrix", &fixture(&operation)).printed(0);
    let operation: to_matrix::Operation = serde_json::from_value(operation).unwrap();
    let expected = serde_json::to_string(&to_matrix::translate(&operation, &context)).unwrap();
    assert_eq!(told, expected + "\n");
}

#[test]
fn a_line_that_is_no_fixture_is_answered_in_its_place() {
    let good = fixture(&event("hi"));
    let input = format!("{good}\nnonsense\n\n{{\"context\": {{}}}}\n[]\n{good}");
    let run = run("to-gitter", &input);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let is_error = |value: &Value| value.get("error").is_some_and(Value::is_string);
    let errors: Vec<_> = lines.iter().map(is_error).collect();
    assert_eq!(errors, [false, true, true, true, true, false], "{lines:?}");
}

#[test]
fn bytes_that_are_no_text_are_answered_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = program(folder.path(), ["translate", "to-matrix"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"\xff\xfe\n{}\n").unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(
        (run.code, run.stdout.lines().count()),
        (Some(1), 2),
        "{}",
        run.stdout
    );
}

#[test]
fn an_answer_comes_before_the_next_line_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = program(folder.path(), ["translate", "to-gitter"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        writeln!(input, "{}", fixture(&event("hi"))).unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        assert!(answer.starts_with('{') && answer.ends_with('\n'), "{answer}");
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
