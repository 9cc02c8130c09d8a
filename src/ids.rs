//! Identifiers of both sides: made and parsed here, opaque everywhere else.
//!
//! This module does no I/O and imports nothing of the project.

mod item;

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ruma::{OwnedUserId, ServerName, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::item::ItemId;

/// Why a text is not an identifier of the kind asked for.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a {kind}")]
pub struct IdError {
    kind: &'static str,
    text: String,
}

/// Declares a newtype over a Gitter object id.
///
/// Gitter's ids are 24 hexadecimal digits, but nothing here needs more than that they are short and
/// safe in a URL path, so only that is checked.
macro_rules! gitter_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as Gitter writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The time in the id, to the second; `None` where the id is not a Mongo object id.
            pub fn time(&self) -> Option<Timestamp> {
                if self.0.len() != 24 || !self.0.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return None;
                }
                let seconds = i64::from_str_radix(self.0.get(..8)?, 16).ok()?;
                Timestamp::from_second(seconds).ok()
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                if is_path_safe(&text) {
                    Ok(Self(text))
                } else {
                    Err(IdError { kind: $kind, text })
                }
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

fn is_path_safe(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

gitter_id!(
    /// A Gitter room ("troupe"); stable across renames of its URI.
    GitterRoomId,
    "Gitter room id"
);
gitter_id!(
    /// A Gitter group ("community"), which rooms belong to.
    GitterGroupId,
    "Gitter group id"
);
gitter_id!(
    /// A Gitter user; stable across renames.
    GitterUserId,
    "Gitter user id"
);
gitter_id!(
    /// A Gitter chat message. Its first four bytes are the time of its making, in whole seconds.
    GitterMessageId,
    "Gitter message id"
);

impl GitterMessageId {
    /// The smallest id that a message made in the second of `time` can have: a position for `afterId`.
    pub fn first_of_second(time: Timestamp) -> Self {
        let seconds = u32::try_from(time.as_second()).unwrap_or(0);
        Self(format!("{seconds:08x}0000000000000000"))
    }
}

/// What a signed link is for. It is part of what is signed, and a word in the table `media`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaPurpose {
    /// A file.
    Media,
    /// A small picture of a file.
    Thumbnail,
    /// A person's picture.
    Avatar,
    /// The whole of a text that was cut.
    FullText,
}

impl MediaPurpose {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Media, Self::Thumbnail, Self::Avatar, Self::FullText];

    /// The word in tables and stand-ins.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Thumbnail => "thumbnail",
            Self::Avatar => "avatar",
            Self::FullText => "fulltext",
        }
    }
}

impl FromStr for MediaPurpose {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let found = Self::ALL.into_iter().find(|purpose| purpose.as_str() == text);
        found.ok_or_else(|| IdError {
            kind: "purpose of media",
            text: text.to_owned(),
        })
    }
}

/// The random id of something that signed links lead to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaId {
    bytes: [u8; 12],
    text: String,
}

impl MediaId {
    /// An id of 96 bits, which nobody must be able to guess.
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        Self {
            bytes,
            text: URL_SAFE_NO_PAD.encode(bytes),
        }
    }

    /// The bits.
    pub fn as_bytes(&self) -> &[u8; 12] {
        &self.bytes
    }

    /// The 16 characters in the table.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for MediaId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 12]>::try_from(bytes).ok());
        bytes.map(Self::from_bytes).ok_or_else(|| IdError {
            kind: "media id",
            text: text.to_owned(),
        })
    }
}

/// A Matrix user id as Gitter's virtual users carry it: without the leading `@` (gitter-api 2.2).
pub fn external_id(user: &UserId) -> &str {
    user.as_str().trim_start_matches('@')
}

/// The localpart template of ghosts (`bridge.ghost_localpart`), with `{id}` and maybe `{username}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GhostTemplate {
    before_id: String,
    after_id: String,
}

impl Default for GhostTemplate {
    fn default() -> Self {
        Self {
            before_id: "gitter_{username}-".to_owned(),
            after_id: String::new(),
        }
    }
}

impl TryFrom<String> for GhostTemplate {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        match text.split_once("{id}") {
            Some((before_id, after_id)) if !after_id.contains("{id}") => Ok(Self {
                before_id: before_id.to_owned(),
                after_id: after_id.to_owned(),
            }),
            _ => Err(IdError {
                kind: "ghost localpart template with one {id}",
                text,
            }),
        }
    }
}

impl From<GhostTemplate> for String {
    fn from(template: GhostTemplate) -> Self {
        format!("{}{{id}}{}", template.before_id, template.after_id)
    }
}

impl GhostTemplate {
    /// The Matrix id of the ghost of a Gitter user that has none yet. The stored id wins over this one
    /// once a ghost exists, so a rename on Gitter does not move it.
    ///
    /// # Errors
    /// When the localpart would be longer than Matrix allows (255 bytes for the whole id).
    pub fn make(
        &self,
        server_name: &ServerName,
        id: &GitterUserId,
        username: &str,
    ) -> Result<OwnedUserId, IdError> {
        let username = escape_localpart(&username.to_lowercase());
        let fill = |template: &str| template.replace("{username}", &username);
        let text = format!(
            "@{}{}{}:{server_name}",
            fill(&self.before_id),
            id.as_str().to_lowercase(),
            fill(&self.after_id)
        );
        if text.len() > 255 {
            return Err(IdError {
                kind: "Matrix user id of at most 255 bytes",
                text,
            });
        }
        UserId::parse(&text).map_err(|_| IdError {
            kind: "Matrix user id",
            text,
        })
    }
}

/// Bytes outside `[a-z0-9._/-]` become `=xx` (Matrix specification, appendix "Mapping from other character sets").
fn escape_localpart(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut escaped, byte| {
            if byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._/-".contains(&byte) {
                escaped.push(char::from(byte));
            } else {
                let _ = write!(escaped, "={byte:02x}");
            }
            escaped
        })
}

/// The transaction id of one event sent to Matrix: the same whenever the same thing is sent again, and
/// unlike that of anything else (DESIGN 3.1: some homeservers leave the room or the sender out of their key).
pub fn transaction_id(fields: &[&str]) -> String {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update(field.len().to_be_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize()
        .iter()
        .take(20)
        .fold(String::from("gmb"), |text, byte| text + &format!("{byte:02x}"))
}
