//! Aliases that people try: which Gitter URIs they may stand for. There are never more than can be held, and among them
//! is the one that the alias was made of.

#![no_main]

use gitter_matrix_bridge::bridge::alias::fuzzing;
use libfuzzer_sys::fuzz_target;
use ruma::server_name;

const PREFIX: &str = "gitter_";

/// What one question may take.
const MOST_BYTES: usize = 8 * 1024 * 1024;

fuzz_target!(|text: &str| {
    let server_name = server_name!("example.org");
    let uris = |alias: &str| fuzzing::uris_of(alias, PREFIX, server_name);
    for alias in [text.to_owned(), format!("#{PREFIX}{text}:example.org")] {
        let Some(uris) = uris(&alias) else { continue };
        let bytes: usize = uris.iter().map(String::len).sum();
        assert!(bytes <= MOST_BYTES, "{bytes} bytes of URIs");
        for uri in &uris {
            let parts: Vec<&str> = uri.split('/').collect();
            assert!(
                parts.len() > 1 && parts.iter().all(|part| !part.is_empty()),
                "{uri}"
            );
        }
    }
    let parts: Vec<&str> = text.split('/').collect();
    let is_uri = (2..=3).contains(&parts.len()) && parts.iter().all(|part| !part.is_empty());
    if is_uri && let Some(alias) = fuzzing::alias_of(text, PREFIX, server_name) {
        assert!(alias.as_str().len() <= 255, "{} bytes", alias.as_str().len());
        // A server's name after a colon in it would be another's.
        if !text.contains(':') {
            assert!(
                uris(alias.as_str()).is_some_and(|uris| uris.iter().any(|uri| uri == text)),
                "{alias}"
            );
        }
    }
});
