//! Files that Gitter's server hands out: its word for the type, then the bytes.

#![no_main]

use gitter_matrix_bridge::gitter::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (declared, rest) = bytes.split_at(end);
    let declared = String::from_utf8_lossy(declared);
    let file = fuzzing::file(rest.get(1..).unwrap_or_default(), &declared).expect("a file");
    let content = file.content();
    assert_eq!(content["msgtype"], file.message_type());
    assert_eq!(content["info"]["w"].is_u64(), file.dimensions.is_some());
    // What is declared alone makes no picture of it.
    if rest.len() <= 1 {
        assert_ne!(file.message_type(), "m.image");
    }
});
