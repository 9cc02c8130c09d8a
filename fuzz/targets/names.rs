//! Names that people give themselves: what they look like is the same in either case, and with what cannot be seen.

#![no_main]

use gitter_matrix_bridge::names;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    let key = names::key(name);
    assert!(!key.chars().any(names::is_blank), "{key:?}");
    assert_eq!(names::key(&format!(" {name}\u{200b}")), key);
    assert!(
        key.len() <= 64 * (name.len() + 1),
        "{} bytes of {}",
        key.len(),
        name.len()
    );
    let _ = names::key_of(name, "ana");
});
