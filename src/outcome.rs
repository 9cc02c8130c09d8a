//! How an item ends: `bridged`, `skipped(reason)` or `failed(reason)` (DESIGN 2).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Declares the reasons once, with the words that go into tables, metrics and answers.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// Why an item was skipped or has failed. The words are part of the contract with operators.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason { $($(#[$doc])* $name),+ }

        impl Reason {
            /// The reason's word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }

        impl FromStr for Reason {
            type Err = UnknownReason;

            fn from_str(word: &str) -> Result<Self, UnknownReason> {
                match word { $($word => Ok(Self::$name),)+ _ => Err(UnknownReason(word.to_owned())) }
            }
        }
    };
}

/// A word that is not a [`Reason`].
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a reason")]
pub struct UnknownReason(String);

reasons! {
    /// The bridge's own message, seen again on the side it was sent to.
    OwnEcho = "own_echo",
    /// A virtual user that another bridge posted.
    OtherBridge = "other_bridge",
    /// Overtaken by a later edit or deletion before it was sent.
    Superseded = "superseded",
    /// The other side has nothing like it.
    NoEquivalent = "no_equivalent",
    /// This version does not translate it yet.
    NotTranslated = "not_translated",
    /// Nothing would be left to show.
    Empty = "empty",
    /// An update that changed nothing that people see.
    NotAnEdit = "not_an_edit",
    /// It came before the rooms were linked.
    OlderThanPortal = "older_than_portal",
    /// Its sender may not do this.
    NotAllowed = "not_allowed",
    /// It is encrypted.
    Encrypted = "encrypted",
    /// It was redacted before it could cross.
    Redacted = "redacted",
    /// What it refers to no longer exists.
    Gone = "gone",
    /// The other side refused it.
    Forbidden = "forbidden",
    /// What it refers to is not known.
    NotFound = "not_found",
    /// It is larger than the other side takes.
    TooLarge = "too_large",
    /// Gitter took it and did not store it (gitter-api 5.8).
    SilentBan = "silent_ban",
    /// It was retried for `bridge.give_up_after`.
    GaveUp = "gave_up",
    /// An operator dropped it.
    DroppedByOperator = "dropped_by_operator",
    /// It cannot be read.
    BadEvent = "bad_event",
    /// The Gitter room is not public any more.
    PrivateRoom = "private_room",
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How an item ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is on the other side.
    Bridged,
    /// It needs nothing on the other side; the text says more for people.
    Skipped(Reason, String),
    /// It could not cross; the text says more for people.
    Failed(Reason, String),
}

impl Outcome {
    /// The words for how it ended, and why; the latter is empty for what crossed.
    pub const fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Bridged => ("bridged", ""),
            Self::Skipped(reason, _) => ("skipped", reason.as_str()),
            Self::Failed(reason, _) => ("failed", reason.as_str()),
        }
    }

    /// What it says for people.
    pub fn detail(&self) -> &str {
        match self {
            Self::Bridged => "",
            Self::Skipped(_, detail) | Self::Failed(_, detail) => detail,
        }
    }
}
