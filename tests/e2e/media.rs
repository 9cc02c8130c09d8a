//! Files, both ways, against a homeserver that gives media only to who is signed in.

mod from_gitter;
mod from_matrix;

use sha2::{Digest as _, Sha256};

/// A picture with 90 times 60 pixels.
const PNG: &[u8] = include_bytes!("media/boat.png");

/// An animated picture: two frames of 3 times 2 pixels.
const GIF: &[u8] =
    b"GIF89a\x03\0\x02\0\x80\0\0\0\0\0\xff\xff\xff!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0!\xf9\x04\0\x0a\0\0\0\
,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84\x51\0!\xf9\x04\0\x0a\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84\x51\0;";

/// The beginning of a document, and its end.
const PDF: &[u8] =
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n\
trailer<</Root 1 0 R>>\n%%EOF\n";

/// What begins as a file of some type and goes on with what no compression or chance makes.
fn large(head: &[u8], length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    bytes.extend_from_slice(head);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex = |text: String, byte: &u8| text + &format!("{byte:02x}");
    digest.iter().fold(String::new(), hex)
}
