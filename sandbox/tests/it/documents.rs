//! What docs/sandbox.md says of the tests.

use std::{fs, path::Path};

/// All sources below a folder, one after the other.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all += &fs::read_to_string(path).unwrap();
        }
    }
    all
}

#[test]
fn every_test_that_the_table_names_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = ["src", "tests", "../tests/clients"]
        .map(|folder| sources(&here.join(folder)))
        .concat();
    let document = fs::read_to_string(here.join("../docs/sandbox.md")).unwrap();
    let named: Vec<&str> = document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| {
            quoted.contains('_')
                && quoted
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        })
        .collect();
    assert!(named.len() > 40, "the table names {} tests", named.len());
    for name in named {
        assert!(
            sources.contains(&format!("fn {name}(")),
            "there is no test {name}"
        );
    }
}
