//! Encrypted files (client-server API, "Sending encrypted attachments"): decrypted as they pass.

use aes::Aes256;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit as _, StreamCipher as _},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// Decrypts a file chunk by chunk. The newest chunk is kept back until the next one comes, and the last until
/// the whole is known to be what was sent.
pub(super) struct Decryption {
    cipher: Ctr128BE<Aes256>,
    hash: Sha256,
    expected: Vec<u8>,
    kept: Bytes,
}

impl Decryption {
    /// With the `file` of an event (JSON); `None` if its keys cannot be used.
    pub(super) fn new(file: &str) -> Option<Self> {
        let file: Value = serde_json::from_str(file).ok()?;
        let text = |pointer: &str| file.pointer(pointer).and_then(Value::as_str);
        if text("/key/alg") != Some("A256CTR") {
            return None;
        }
        let key = URL_SAFE.decode(text("/key/k")?).ok()?;
        let iv = STANDARD.decode(text("/iv")?).ok()?;
        let expected = STANDARD.decode(text("/hashes/sha256")?).ok()?;
        Some(Self {
            cipher: Ctr128BE::<Aes256>::new_from_slices(&key, &iv).ok()?,
            hash: Sha256::new(),
            expected,
            kept: Bytes::new(),
        })
    }

    /// Takes a chunk and gives the one before it.
    pub(super) fn take(&mut self, chunk: &Bytes) -> Bytes {
        self.hash.update(chunk);
        let mut chunk = chunk.to_vec();
        self.cipher.apply_keystream(&mut chunk);
        std::mem::replace(&mut self.kept, chunk.into())
    }

    /// Gives the last chunk if the file is what was sent.
    pub(super) fn finish(self) -> Option<Bytes> {
        let is_same = bool::from(self.hash.finalize().as_slice().ct_eq(&self.expected));
        is_same.then_some(self.kept)
    }
}
