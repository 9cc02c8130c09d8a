//! Runs every translation fixture: `tests/fixtures/{to_gitter,to_matrix}/*.json`, arrays of the objects that
//! DESIGN 6.4 describes. `detail` and the marker `im.gitter.source` are not compared.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use gitter_matrix_bridge::translate::{Context, to_gitter, to_matrix};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

#[derive(Deserialize)]
struct Fixture {
    name: String,
    context: Context,
    input: Box<RawValue>,
    expected: Value,
}

#[test]
fn to_gitter_fixtures() {
    run("to_gitter", |fixture| {
        serde_json::to_value(to_gitter::translate(&fixture.input, &fixture.context)).unwrap()
    });
}

#[test]
fn to_matrix_fixtures() {
    run("to_matrix", |fixture| {
        let operation = serde_json::from_str(fixture.input.get()).unwrap();
        serde_json::to_value(to_matrix::translate(&operation, &fixture.context)).unwrap()
    });
}

fn run(direction: &str, translate: impl Fn(&Fixture) -> Value) {
    let mut names = BTreeSet::new();
    let mut failures = String::new();
    for (file, fixture) in fixtures(direction) {
        let name = &fixture.name;
        assert!(names.insert(name.clone()), "two fixtures are called {name:?}");
        let expected = comparable(fixture.expected.clone());
        let actual = comparable(translate(&fixture));
        if actual != expected {
            writeln!(failures, "\n{file}: {name}\n{}", difference(&expected, &actual)).unwrap();
        }
    }
    assert!(names.len() >= 60, "only {} fixtures were found", names.len());
    assert!(failures.is_empty(), "{failures}");
}

fn fixtures(direction: &str) -> Vec<(String, Fixture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(direction);
    let mut fixtures = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let read: Vec<Fixture> = serde_json::from_slice(&fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{file} cannot be read: {error}"));
        fixtures.extend(read.into_iter().map(|fixture| (file.clone(), fixture)));
    }
    fixtures
}

/// A translation without what is not compared.
fn comparable(mut translation: Value) -> Value {
    if let Some(fields) = translation.as_object_mut() {
        fields.remove("detail");
    }
    let actions = translation.get_mut("actions").and_then(Value::as_array_mut);
    for action in actions.into_iter().flatten() {
        if let Some(content) = action.get_mut("content").and_then(Value::as_object_mut) {
            content.remove("im.gitter.source");
        }
    }
    translation
}

/// Both values line by line: `-` only expected, `+` only made.
fn difference(expected: &Value, actual: &Value) -> String {
    let expected = serde_json::to_string_pretty(expected).unwrap();
    let actual = serde_json::to_string_pretty(actual).unwrap();
    let (left, right): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    let same = |(left, right): &(&&str, &&str)| left == right;
    let start = left.iter().zip(&right).take_while(same).count();
    let shorter = left.len().min(right.len()) - start;
    let end = left
        .iter()
        .rev()
        .zip(right.iter().rev())
        .take(shorter)
        .take_while(same)
        .count();
    let mut text = String::new();
    for (mark, lines) in [
        (' ', &left[..start]),
        ('-', &left[start..left.len() - end]),
        ('+', &right[start..right.len() - end]),
        (' ', &left[left.len() - end..]),
    ] {
        for line in lines {
            writeln!(text, "{mark} {line}").unwrap();
        }
    }
    text
}
