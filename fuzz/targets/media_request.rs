//! What a reader of `/media/` and the sender of a file decide of an answer: `Range`, the file's type and name, and the
//! keys of an encrypted one. One a line: the range, the type, the name; then the keys and the bytes.

#![no_main]

use gitter_matrix_bridge::http::media::fuzzing;
use libfuzzer_sys::fuzz_target;

const LENGTHS: [u64; 5] = [0, 1, 2, 1_000, u64::MAX];

fn check_range(range: &str) {
    for length in LENGTHS {
        if let Some((first, last)) = fuzzing::range(range, length) {
            assert!(
                first <= last && (last < length || length == 0),
                "{first}-{last} of {length}"
            );
        }
    }
}

fn check_offer(declared: &str, name: &str) {
    let (content_type, shown, disposition) = fuzzing::offer(declared, name);
    let runs = ["html", "svg", "xml", "script"];
    assert!(
        runs.iter().all(|word| !content_type.contains(word)),
        "{content_type}"
    );
    assert!(
        content_type
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    );
    let disposition = disposition.to_str().expect("plain text");
    assert_eq!(disposition.starts_with("inline; "), shown, "{disposition}");
    assert_eq!(disposition.matches('"').count(), 2, "{disposition}");
    assert!(!disposition.contains(['/', '\\']), "{disposition}");
}

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    check_range(line());
    check_offer(line(), line());
    let (keys, bytes) = (line(), line().as_bytes());
    if let Some(decrypted) = fuzzing::decrypt(keys, bytes) {
        assert_eq!(decrypted.len(), bytes.len());
    }
});
