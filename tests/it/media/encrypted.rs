//! Encrypted files are decrypted on their way, and not finished unless they are what was sent.

use aes::Aes256;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Setup, header, sent};

const KEY: [u8; 32] = [7; 32];
const IV: [u8; 16] = [9; 16];

fn encrypted(plain: &[u8]) -> Vec<u8> {
    let mut bytes = plain.to_vec();
    Ctr128BE::<Aes256>::new(&KEY.into(), &IV.into()).apply_keystream(&mut bytes);
    bytes
}

fn content(mxc: &str, bytes: &[u8]) -> Value {
    json!({ "body": "a.png", "info": { "mimetype": "image/png" }, "file": {
        "url": mxc, "v": "v2", "iv": STANDARD_NO_PAD.encode(IV),
        "key": { "alg": "A256CTR", "ext": true, "k": URL_SAFE_NO_PAD.encode(KEY), "key_ops": ["encrypt", "decrypt"], "kty": "oct" },
        "hashes": { "sha256": STANDARD_NO_PAD.encode(Sha256::digest(bytes)) } } })
}

#[tokio::test]
async fn an_encrypted_file_is_decrypted_on_its_way() {
    let setup = Setup::start().await;
    for size in [0, 1, 300_000_u32] {
        let plain: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let bytes = encrypted(&plain);
        let mxc = setup
            .homeserver
            .add_media("application/octet-stream", bytes.clone());
        for stand_in in ["media", "thumbnail"] {
            let link = setup
                .link(&format!("{stand_in}:{mxc}"), &content(&mxc, &bytes))
                .await;
            let answer = sent(setup.get(&link).header("range", "bytes=0-3")).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(header(&answer, "content-type"), "image/png");
            assert_eq!(header(&answer, "accept-ranges"), "");
            assert_eq!(answer.bytes().await.unwrap(), plain);
        }
    }
}

#[tokio::test]
async fn a_changed_encrypted_file_is_never_finished() {
    let setup = Setup::start().await;
    let sent_bytes = encrypted(&vec![5; 300_000]);
    let mut stored = sent_bytes.clone();
    stored[299_999] ^= 1;
    let mxc = setup.homeserver.add_media("application/octet-stream", stored);
    let link = setup
        .link(&format!("media:{mxc}"), &content(&mxc, &sent_bytes))
        .await;
    let request = setup.get(&link).send().await;
    let whole = match request {
        Ok(answer) => answer.bytes().await.map(|bytes| bytes.len()),
        Err(error) => Err(error),
    };
    assert!(whole.is_err(), "{whole:?}");
}
