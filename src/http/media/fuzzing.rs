//! The parsers of this endpoint that nothing outside sees, for the fuzz targets (`fuzz/`). Built for them alone.

use bytes::Bytes;
use http::HeaderValue;

use super::{
    content::{self, Part},
    decrypt::Decryption,
};

/// The bytes, the last included, that a `Range` asks for of a file: all of it, a part, or nothing that there is.
pub fn range(range: &str, length: u64) -> Option<(u64, u64)> {
    match content::part(Some(range), length) {
        Part::Whole => Some((0, length.saturating_sub(1))),
        Part::Bytes(first, last) => Some((first, last)),
        Part::Unsatisfiable => None,
    }
}

/// The type that a file is sent as, whether it may be shown, and `Content-Disposition`.
pub fn offer(declared: &str, name: &str) -> (String, bool, HeaderValue) {
    let (content_type, shown) = content::content_type(declared);
    (content_type, shown, content::disposition(shown, name))
}

/// An encrypted file, decrypted in two pieces; `None` if its keys cannot be used, or it is not what was sent.
pub fn decrypt(file: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decryption = Decryption::new(file)?;
    let (one, two) = bytes.split_at(bytes.len() / 2);
    let mut decrypted = Vec::new();
    for piece in [one, two] {
        decrypted.extend_from_slice(&decryption.take(&Bytes::copy_from_slice(piece)));
    }
    decrypted.extend_from_slice(&decryption.finish()?);
    Some(decrypted)
}
