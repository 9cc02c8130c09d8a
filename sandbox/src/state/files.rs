//! Uploads: files on the sandbox's own files host, and the messages that show them (gitter-api 6).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Caller, State};
use crate::refusal::Refusal;

/// The most bytes of an upload to a room.
pub(crate) const MAX_UPLOAD: usize = 20 * 1024 * 1024;
/// What the random part of an upload's URL is made of.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// An uploaded file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Its MIME type, as the uploader said.
    pub(crate) content_type: String,
    /// What is in it.
    pub(crate) bytes: Vec<u8>,
}

impl State {
    /// Keeps a file, and posts the message that the web client's upload makes: one link, around a thumbnail if
    /// it is an image. Gives that message and the file's URL.
    pub(crate) fn upload(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        room_id: &str,
        name: &str,
        file: File,
    ) -> Result<(Value, String), Refusal> {
        if name.is_empty() || name.contains('/') {
            return Err(Refusal::bad_request(
                "the name of the file is empty or has a slash",
            ));
        }
        if file.bytes.len() > MAX_UPLOAD {
            return Err(Refusal::too_large("the file is larger than an upload may be"));
        }
        let key = made_up_key();
        let room = self.writable_room(caller, room_id)?.id;
        let base = format!("{}/{room}/{key}", self.rules.web_url);
        let url = format!("{base}/{}", in_url(name));
        let text = if file.content_type.starts_with("image/") {
            format!("[![{name}]({base}/thumb/{})]({url})", in_url(name))
        } else {
            format!("[{name}]({url})")
        };
        let message = self.create_message(now, caller, room_id, &json!({ "text": text }))?;
        self.files.insert(place(&room.to_string(), &key, name), file);
        Ok((message, url))
    }

    /// A file by the parts of its URL. No token is asked for.
    pub(crate) fn file(&self, room_id: &str, key: &str, name: &str) -> Result<File, Refusal> {
        let file = self.files.get(&place(room_id, key, name));
        file.cloned().ok_or(Refusal::not_found("there is no such file"))
    }

    /// The URL that a URL of the image proxy stands for.
    pub(crate) fn original_of(&self, digest: &str, hex: &str) -> Option<String> {
        let proxy = self.rules.image_proxy.as_ref()?;
        proxy.original(digest, hex)
    }

    /// A picture's URL as it is shown: through the image proxy if there is one.
    pub(super) fn picture_url(&self, url: &str) -> String {
        let proxy = self.rules.image_proxy.as_ref();
        proxy.map_or_else(|| url.to_owned(), |proxy| proxy.proxied(url))
    }
}

fn place(room_id: &str, key: &str, name: &str) -> String {
    format!("{room_id}/{key}/{name}")
}

/// Four letters or digits.
fn made_up_key() -> String {
    let bytes: [u8; 4] = rand::random();
    let letters = bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
    letters.map(|letter| char::from(*letter)).collect()
}

/// A name with all but letters, digits and `-._~` percent-encoded, so that it ends neither URL nor link.
fn in_url(name: &str) -> String {
    name.bytes().fold(String::new(), |encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded + &char::from(byte).to_string()
        } else {
            encoded + &format!("%{byte:02X}")
        }
    })
}
