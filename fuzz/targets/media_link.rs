//! Signed links: nothing verifies but what was signed, in its one spelling, and all that was signed does.

#![no_main]

use std::sync::LazyLock;

use gitter_matrix_bridge::{
    ids::{MediaId, MediaPurpose},
    media::{Claims, LinkError, Signer},
};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use url::Url;

const BASE: &str = "https://bridge.example.org/media/";

/// One that signs with the first key and takes links of the second, and one that signs with the second.
static SIGNERS: LazyLock<[Signer; 2]> = LazyLock::new(|| {
    let url = Url::parse("https://bridge.example.org").expect("an address");
    [&["one", "two"][..], &["two"]].map(|keys| {
        let keys: Vec<SecretString> = keys.iter().map(|key| SecretString::from(*key)).collect();
        Signer::new(&keys, &url).expect("a signer")
    })
});

/// What is said to be signed.
fn check_read(text: &str) {
    if let Ok(claims) = SIGNERS[0].read(text, 0) {
        let made = SIGNERS.iter().filter_map(|signer| signer.link(&claims));
        let spellings: Vec<String> = made.collect();
        assert!(
            spellings.contains(&format!("{BASE}{text}")),
            "{text} was never made"
        );
    }
}

/// What is signed, and what is left of it once a character is another.
fn check_made(bytes: &[u8; 18]) {
    let [purpose, a, b, c, d, id @ .., at] = *bytes;
    let expires = u32::from_be_bytes([a, b, c, d]);
    let claims = Claims {
        id: MediaId::from_bytes(id),
        purpose: MediaPurpose::ALL[usize::from(purpose) % MediaPurpose::ALL.len()],
        expires: Some(expires).filter(|expires| *expires != 0),
    };
    for signer in SIGNERS.iter() {
        let link = signer.link(&claims).expect("a link");
        let signed = link.strip_prefix(BASE).expect("its address");
        assert_eq!(SIGNERS[0].read(signed, -1).as_ref(), Ok(&claims));
        assert_eq!(
            SIGNERS[0].read(signed, i64::from(u32::MAX)).is_ok(),
            claims.expires.is_none()
        );
        let mut changed = signed.as_bytes().to_vec();
        let place = usize::from(at) % changed.len();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("a text");
        assert_eq!(SIGNERS[0].read(&changed, -1), Err(LinkError::Invalid));
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check_read(text);
    }
    if let Some(bytes) = bytes.first_chunk() {
        check_made(bytes);
    }
});
