//! The id of an item: its place in the ledger, as one word that needs no escaping in an address or a shell.
//!
//! What the words in it mean is the ledger's business; here they are only put together and taken apart.

use std::{fmt, str::FromStr};

use super::{IdError, is_path_safe};

/// The id of an item. An item keeps it, unless it is held when it gets it: then it has another once it has its
/// place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemId {
    direction: String,
    purpose: String,
    number: i64,
    room: String,
}

impl ItemId {
    /// The id of the item with this number, in the lane of this direction, purpose and Gitter room; the room is
    /// empty for what belongs to no portal.
    pub fn make(direction: &str, purpose: &str, number: i64, room: &str) -> Self {
        Self {
            direction: direction.to_owned(),
            purpose: purpose.to_owned(),
            number,
            room: room.to_owned(),
        }
    }

    /// The word for the direction.
    pub fn direction(&self) -> &str {
        &self.direction
    }

    /// The word for the purpose.
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The number in the lane.
    pub const fn number(&self) -> i64 {
        self.number
    }

    /// The Gitter room's id; empty for what belongs to no portal.
    pub fn room(&self) -> &str {
        &self.room
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.direction, self.purpose, self.number)?;
        if self.room.is_empty() {
            return Ok(());
        }
        write!(formatter, ".{}", self.room)
    }
}

impl FromStr for ItemId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse(text).ok_or_else(|| IdError {
            kind: "item id",
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<ItemId> {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let mut parts = text.split('.');
    let (direction, purpose) = (parts.next()?, parts.next()?);
    let number = parts.next()?;
    // One way to write a number, so that one item has one id.
    let number = number
        .parse::<i64>()
        .ok()
        .filter(|read| *read > 0 && read.to_string() == number)?;
    let room = parts.next();
    let is_id =
        is_word(direction) && is_word(purpose) && room.is_none_or(is_path_safe) && parts.next().is_none();
    is_id.then(|| ItemId::make(direction, purpose, number, room.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_from_its_text() {
        for (id, text) in [
            (
                ItemId::make("to_gitter", "live", 17, "5f0000000000000000000a01"),
                "to_gitter.live.17.5f0000000000000000000a01",
            ),
            (
                ItemId::make("to_matrix", "history", i64::MAX, ""),
                "to_matrix.history.9223372036854775807",
            ),
        ] {
            assert_eq!(id.to_string(), text);
            assert_eq!(text.parse::<ItemId>().unwrap(), id);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "$event",
            "5f0000000000000000000a01",
            "to_gitter.live",
            "to_gitter.live.x",
            "to_gitter.live.+1",
            "to_gitter.live.01",
            "to_gitter.live.0",
            "to_gitter.live.1.",
            "to_gitter.live.1.a/b",
            "to_gitter.live.1.a.b",
            "TO.live.1",
            ".live.1",
        ] {
            assert!(text.parse::<ItemId>().is_err(), "{text}");
        }
    }
}
