//! The inputs that targets begin with: of the fixtures, else what stands in `fuzz/seeds`.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::workspace;

/// Writes the seeds of a target beside what was found before.
pub(super) fn write(target: &str, corpus: &Path) -> Result<()> {
    fs::create_dir_all(corpus)?;
    for (number, seed) in of(target)?.into_iter().enumerate() {
        fs::write(corpus.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

/// The seeds of a target.
pub(super) fn of(target: &str) -> Result<Vec<String>> {
    let all = match target {
        "matrix_event" => inputs("to_gitter")?.iter().map(Value::to_string).collect(),
        "gitter_json" => inputs("to_matrix")?.iter().map(Value::to_string).collect(),
        "transactions" => transactions()?,
        "html" => html()?,
        "names" => texts(&inputs("to_matrix")?, "/model/fromUser/displayName"),
        "config" => vec![read(&workspace::root().join("config.yaml.example"))?],
        _ => Vec::new(),
    };
    Ok(distinct(all.into_iter().chain(written(target)?)))
}

fn distinct(seeds: impl Iterator<Item = String>) -> Vec<String> {
    let mut seeds: Vec<String> = seeds.collect();
    seeds.sort();
    seeds.dedup();
    seeds
}

/// What stands in `fuzz/seeds`.
fn written(target: &str) -> Result<Vec<String>> {
    let folder = workspace::root().join("fuzz/seeds").join(target);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    fs::read_dir(&folder)?.map(|entry| read(&entry?.path())).collect()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// The inputs of all fixtures of a direction.
fn inputs(direction: &str) -> Result<Vec<Value>> {
    let folder = workspace::root().join("tests/fixtures").join(direction);
    let mut inputs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let fixtures: Vec<Value> =
            serde_json::from_str(&read(&path)?).with_context(|| format!("reading {}", path.display()))?;
        inputs.extend(
            fixtures
                .into_iter()
                .filter_map(|mut fixture| Some(fixture.get_mut("input")?.take())),
        );
    }
    Ok(inputs)
}

fn texts(inputs: &[Value], pointer: &str) -> Vec<String> {
    let texts = inputs.iter().filter_map(|input| input.pointer(pointer)?.as_str());
    texts.map(str::to_owned).collect()
}

/// The HTML that either side sends.
fn html() -> Result<Vec<String>> {
    let of_matrix = texts(&inputs("to_gitter")?, "/content/formatted_body");
    let of_gitter = texts(&inputs("to_matrix")?, "/model/html");
    Ok([of_matrix, of_gitter].concat())
}

/// Transactions of three events each, of the portal's room and of another.
fn transactions() -> Result<Vec<String>> {
    let mut events = inputs("to_gitter")?;
    for (number, event) in events.iter_mut().enumerate() {
        if let Some(fields) = event.as_object_mut() {
            let room = if number % 5 == 0 {
                "!other:example.org"
            } else {
                "!r:example.org"
            };
            fields.insert("room_id".to_owned(), room.into());
            fields.insert("event_id".to_owned(), format!("${number}").into());
        }
    }
    Ok(events
        .chunks(3)
        .map(|events| json!({ "events": events }).to_string())
        .collect())
}
