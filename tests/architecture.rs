//! The shape of the source, kept by reading it: who may import whom, what must stay pure, and how long a
//! file may be (DESIGN 8). That functions stay short is clippy's part (`too-many-lines-threshold`).
//!
//! Source is read as tokens, so that comments and texts do not count. Tests, whether in a `tests.rs` or
//! behind `#[cfg(test)]`, may do what they need.
#![cfg(test)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Most lines of a file.
const FILE_LINES: usize = 500;

/// What everything may build on; these import only each other.
const BASE: [&str; 7] = ["check", "duration", "ids", "model", "names", "outcome", "VERSION"];

/// What may use no network, file, clock, environment or chance.
const PURE: [&str; 8] = [
    "check",
    "duration",
    "ids",
    "media",
    "model",
    "names",
    "outcome",
    "translate",
];

/// Which modules of ours a module may import, beside itself and [`BASE`].
const MAY_IMPORT: &str = "
    check:
    duration:
    ids:
    model:
    names:
    outcome:
    translate:
    config:
    health:
    metrics:
    logging:      config
    telemetry:    config
    registration: config
    media:        config metrics
    cache:
    store:        config metrics telemetry
    matrix:       config metrics telemetry registration
    gitter:       config metrics telemetry
    bridge:       translate store matrix gitter media cache config metrics telemetry registration
    doctor:       store matrix gitter media config registration
    http:         bridge doctor health translate store matrix gitter media cache config metrics registration
    app:          http health bridge doctor translate store matrix gitter media cache config metrics telemetry registration logging
    cli:          app http bridge doctor translate store matrix gitter media config metrics registration logging
    main:         cli
";

/// What pure modules must not touch.
const IMPURE: &str = "
    std::env std::fs std::io std::net std::process std::thread std::time::Instant std::time::SystemTime
    axum rand reqwest rustls sqlx tokio tower tracing
";

/// Functions that read the clock, whatever the path before them.
const CLOCKS: [&str; 4] = ["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now"];

/// What is wrong with one file; `path` starts from `src`.
fn breaches(path: &str, text: &str) -> Vec<String> {
    if path.ends_with("mod.rs") {
        return vec![format!("{path}: name it after its folder, beside it")];
    }
    let mut breaches = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES {
        breaches.push(format!("{path}: {lines} lines; split it"));
    }
    if path.ends_with("tests.rs") || path.split('/').any(|part| part == "tests") {
        return breaches;
    }
    let Ok(tokens) = text.parse::<TokenStream>() else {
        return vec![format!("{path}: not Rust")];
    };
    let module = module_path(path);
    let Some(own) = module.first().map(String::as_str) else {
        return breaches;
    };
    let mut paths = Vec::new();
    collect(tokens, &[], &mut paths);
    for found in paths {
        let found = absolute(&module, found);
        let told = import_breach(own, &found)
            .into_iter()
            .chain(impurity(own, &found));
        breaches.extend(told.map(|breach| format!("{path}: {breach}")));
    }
    breaches.sort();
    breaches.dedup();
    breaches
}

/// The module that a file holds: `bridge/portal.rs` is `bridge::portal`, and `lib.rs` is none.
fn module_path(path: &str) -> Vec<String> {
    match path.trim_end_matches(".rs") {
        "lib" => Vec::new(),
        module => module.split('/').map(str::to_owned).collect(),
    }
}

/// Finds every path (`a::b::c`) of a file, with the groups of `use` spelled out. Parts behind
/// `#[cfg(test)]` are left out.
fn collect(tokens: TokenStream, prefix: &[String], paths: &mut Vec<Vec<String>>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(hash) if hash.as_char() == '#' && is_test_attribute(tokens.get(at)) => {
                at = after_item(&tokens, at);
            }
            TokenTree::Ident(first) => {
                let mut path = prefix.to_vec();
                path.push(first.to_string());
                while is_separator(&tokens, at) {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(part)) => path.push(part.to_string()),
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            collect(group.stream(), &path, paths);
                        }
                        _ => break,
                    }
                    at += 3;
                }
                paths.push(path);
            }
            // Behind a path, braces hold what is imported; anywhere else they begin anew.
            TokenTree::Group(group) => collect(group.stream(), &[], paths),
            _ => {}
        }
    }
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon =
        |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(tokens.get(at)) && colon(tokens.get(at + 1))
}

fn is_test_attribute(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.to_string().replace(' ', "") == "[cfg(test)]")
}

/// The place behind the item that begins at a place: behind its `;` or its braces.
fn after_item(tokens: &[TokenTree], at: usize) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let length = tokens.iter().skip(at).position(is_end);
    length.map_or(tokens.len(), |length| at + length + 1)
}

/// Resolves `self` and `super`, and writes our own modules as `crate::…`.
fn absolute(module: &[String], path: Vec<String>) -> Vec<String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let crate_root = || vec!["crate".to_owned()];
    match path.first().map(String::as_str) {
        Some("super") => {
            let kept = module.iter().take(module.len().saturating_sub(ups)).cloned();
            crate_root()
                .into_iter()
                .chain(kept)
                .chain(path.into_iter().skip(ups))
                .collect()
        }
        Some("self") => crate_root()
            .into_iter()
            .chain(module.iter().cloned())
            .chain(path.into_iter().skip(1))
            .collect(),
        Some("gitter_matrix_bridge") => crate_root().into_iter().chain(path.into_iter().skip(1)).collect(),
        _ => path,
    }
}

/// What a module may import of ours, if [`MAY_IMPORT`] knows the module.
fn allowed(module: &str) -> Option<&'static str> {
    let mut lines = MAY_IMPORT.lines().filter_map(|line| line.trim().split_once(':'));
    lines.find_map(|(name, allowed)| (name == module).then_some(allowed))
}

fn import_breach(own: &str, path: &[String]) -> Option<String> {
    let [root, imported, ..] = path else {
        return None;
    };
    if root != "crate" || imported == own || BASE.contains(&imported.as_str()) {
        return None;
    }
    if allowed(imported).is_none() {
        return Some(format!(
            "{own} imports {imported}, which has no place in MAY_IMPORT yet"
        ));
    }
    match allowed(own) {
        None => Some(format!("{own} has no place in MAY_IMPORT yet")),
        Some(allowed) if allowed.split_whitespace().any(|name| name == imported) => None,
        Some(_) => Some(format!("{own} must not import {imported}")),
    }
}

fn impurity(own: &str, path: &[String]) -> Option<String> {
    if !PURE.contains(&own) {
        return None;
    }
    let written = path.join("::");
    let touches =
        |impure: &&str| written.starts_with(&format!("{impure}::")) || written == *impure && path.len() > 1;
    let reads = |clock: &&str| written == *clock || written.ends_with(&format!("::{clock}"));
    let impure = IMPURE
        .split_whitespace()
        .find(touches)
        .or_else(|| CLOCKS.into_iter().find(reads))?;
    Some(format!("{own} is pure and must not use {impure}"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    sources
}

#[test]
fn the_source_has_the_shape_of_the_design() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    assert!(files.len() > 10, "only {} files were found", files.len());
    let found: Vec<_> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
            breaches(path, &fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Makes sure that a file is refused with one complaint, or accepted where that is empty.
#[track_caller]
fn expect(path: &str, text: &str, complaint: &str) {
    let found = breaches(path, text);
    let expected: Vec<_> = [complaint]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| format!("{path}: {text}"))
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn imports_against_the_direction_are_found_in_every_form() {
    for text in [
        "use crate::store;",
        "use crate::store::inbox::Inbox;",
        "use crate::{ids::{GitterRoomId, IdError}, store::{self, lane::Lane}};",
        "pub use crate::store as other;",
        "use super::super::store::lane;",
        "fn f() { crate::store::f(); }",
        "fn f() { let x: Vec<crate::store::Lane> = vec![]; }",
        "fn f() { tracing::info!(\"x\", y = crate::store::f()); }",
        "mod inner { fn f() -> Option<crate::store::Lane> { None } }",
        "use gitter_matrix_bridge::store;",
    ] {
        expect("matrix/client.rs", text, "matrix must not import store");
    }
    expect(
        "translate.rs",
        "use crate::config::Config;",
        "translate must not import config",
    );
    expect("ids.rs", "use crate::metrics;", "ids must not import metrics");
    expect(
        "config/value.rs",
        "use crate::translate::Context;",
        "config must not import translate",
    );
    expect(
        "bridge/deliver.rs",
        "use crate::http::media;",
        "bridge must not import http",
    );
    expect("store.rs", "use super::bridge;", "store must not import bridge");
    expect(
        "main.rs",
        "fn main() { gitter_matrix_bridge::store::open() }",
        "main must not import store",
    );
    expect(
        "elsewhere.rs",
        "use crate::store;",
        "elsewhere has no place in MAY_IMPORT yet",
    );
    expect(
        "bridge.rs",
        "use crate::elsewhere;",
        "bridge imports elsewhere, which has no place in MAY_IMPORT yet",
    );
}

#[test]
fn imports_along_the_direction_are_fine() {
    expect(
        "bridge/portal.rs",
        "use crate::{ids::GitterRoomId, store::Lane, translate::Context};",
        "",
    );
    expect(
        "bridge/portal.rs",
        "use super::{deliver, dispatcher}; use self::inner::X;",
        "",
    );
    expect(
        "translate/html.rs",
        "use super::super::translate::{Context, emoji};",
        "",
    );
    expect(
        "matrix.rs",
        "//! Like crate::store.\n/// [`crate::store`]\nfn f() { g(\"crate::store::x\") } // crate::store",
        "",
    );
    expect(
        "matrix.rs",
        "#[cfg(test)]\nmod tests { use crate::store; use std::fs; }",
        "",
    );
    expect(
        "matrix.rs",
        "#[cfg(test)]\nuse crate::store;\nuse crate::config;",
        "",
    );
    expect("matrix/tests.rs", "use crate::store;", "");
    expect("bridge/tests/crash.rs", "use crate::http;", "");
    expect("lib.rs", "pub mod store; pub mod cli;", "");
}

#[test]
fn input_and_output_are_found_in_pure_modules() {
    for (text, impure) in [
        ("use std::fs;", "std::fs"),
        ("use std::{collections::BTreeMap, net::IpAddr};", "std::net"),
        ("use std::time::{Duration, Instant};", "std::time::Instant"),
        ("fn f() { std::env::var(\"x\"); }", "std::env"),
        ("use tokio::sync::Mutex;", "tokio"),
        ("fn f() { rand::random::<u8>(); }", "rand"),
        ("fn f() { jiff::Timestamp::now(); }", "Timestamp::now"),
        (
            "use jiff::Timestamp; fn f() { Timestamp::now(); }",
            "Timestamp::now",
        ),
    ] {
        expect(
            "translate/html.rs",
            text,
            &format!("translate is pure and must not use {impure}"),
        );
        expect("ids.rs", text, &format!("ids is pure and must not use {impure}"));
        expect("matrix/client.rs", text, "");
    }
    expect(
        "translate.rs",
        "use std::{fmt, time::Duration}; use jiff::Timestamp; use randomness::x; fn f(rand: u8) {}",
        "",
    );
}

#[test]
fn long_files_and_mod_files_are_found() {
    expect("matrix/mod.rs", "", "name it after its folder, beside it");
    expect("matrix.rs", &"\n".repeat(500), "");
    expect("matrix.rs", &"\n".repeat(501), "501 lines; split it");
    expect("matrix/tests.rs", &"\n".repeat(501), "501 lines; split it");
    expect("matrix.rs", "fn {", "not Rust");
}
