//! Mongo object ids: what Gitter calls every user, group, room and message.
//!
//! Made and parsed here; no I/O and no clock, the time is passed in.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where the counter starts over.
const COUNTER_END: u32 = 1 << 24;

/// A 12-byte object id: 4 bytes of seconds, 5 bytes of the process, 3 bytes of a counter. It orders as its
/// 24 hexadecimal digits do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId([u8; 12]);

/// A text that is not 24 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an object id: 24 hexadecimal digits are needed")]
pub struct NotAnObjectId(String);

impl FromStr for ObjectId {
    type Err = NotAnObjectId;

    fn from_str(text: &str) -> Result<Self, NotAnObjectId> {
        let wrong = || NotAnObjectId(text.to_owned());
        if text.len() != 24 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| wrong())?;
        let [_, _, _, _, bytes @ ..] = number.to_be_bytes();
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for ObjectId {
    type Error = NotAnObjectId;

    fn try_from(text: String) -> Result<Self, NotAnObjectId> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Makes object ids. Each is greater than all before it, even when the clock goes back.
pub(crate) struct ObjectIdMaker {
    process: [u8; 5],
    seconds: u32,
    counter: u32,
}

impl ObjectIdMaker {
    /// A maker with the five bytes that tell this process from others.
    pub(crate) fn new(process: [u8; 5]) -> Self {
        Self {
            process,
            seconds: 0,
            counter: 0,
        }
    }

    /// The next id, made at `now`.
    pub(crate) fn next(&mut self, now: Timestamp) -> ObjectId {
        let seconds = u32::try_from(now.as_second()).unwrap_or(0);
        self.seconds = self.seconds.max(seconds);
        self.counter += 1;
        if self.counter == COUNTER_END {
            // Borrows a second from the future: the order matters more than the time.
            self.counter = 0;
            self.seconds += 1;
        }
        let [s0, s1, s2, s3] = self.seconds.to_be_bytes();
        let [p0, p1, p2, p3, p4] = self.process;
        let [_, c0, c1, c2] = self.counter.to_be_bytes();
        ObjectId([s0, s1, s2, s3, p0, p1, p2, p3, p4, c0, c1, c2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id: ObjectId = "5f0000000000000000000A01".parse().unwrap();
        assert_eq!(id.to_string(), "5f0000000000000000000a01");
        assert_eq!(id.to_string().parse::<ObjectId>().unwrap(), id);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "zzz", "5f0000000000000000000a0", "+f0000000000000000000a01"] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_rise_through_a_full_counter_and_a_clock_that_goes_back() {
        let mut maker = ObjectIdMaker::new([1, 2, 3, 4, 5]);
        let late = Timestamp::from_second(1_600_000_000).unwrap();
        let early = Timestamp::from_second(1_599_999_000).unwrap();
        let first = maker.next(late);
        assert!(first.to_string().starts_with("5f5e1000"));
        maker.counter = COUNTER_END - 2;
        let ids = [first, maker.next(early), maker.next(early), maker.next(late)];
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }
}
