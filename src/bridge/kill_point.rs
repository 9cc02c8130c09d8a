//! Places where tests let the process die, or take a promise away from it, to see what that costs.
//!
//! Only with the feature `kill-points`, and there only where the environment's `FAILPOINTS` names one; otherwise all
//! of it compiles to nothing. Never in a release.

use crate::store::Direction;

/// A step of the flow that the process may die after.
#[derive(Debug, Clone, Copy)]
pub(super) enum KillPoint {
    /// What a side said is written, and not committed.
    Taken,
    /// It is committed, and nobody was told.
    Accepted,
    /// A lane is claimed.
    Claimed,
    /// An item's actions are written, and not committed.
    Translated,
    /// They are committed.
    Frozen,
    /// A ghost is known to the homeserver, which is not noted.
    Registered,
    /// A ghost's profile is set, which is not noted.
    Shown,
    /// A ghost's device is made, which is not noted.
    DeviceMade,
    /// A ghost has joined, which is not noted.
    Joined,
    /// It is noted that a message is about to be deleted.
    DeletionNoted,
    /// A Matrix room is made for a Gitter room, which is not noted.
    RoomMade,
    /// An attempt is open, and its request has not left.
    Opened,
    /// The other side has answered, which is not noted.
    Answered,
    /// What came of the request is written, and not committed.
    Settled,
    /// It is committed.
    Arrived,
}

impl KillPoint {
    #[cfg(feature = "kill-points")]
    const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Accepted => "accepted",
            Self::Claimed => "claimed",
            Self::Translated => "translated",
            Self::Frozen => "frozen",
            Self::Registered => "registered",
            Self::Shown => "shown",
            Self::DeviceMade => "device_made",
            Self::Joined => "joined",
            Self::DeletionNoted => "deletion_noted",
            Self::RoomMade => "room_made",
            Self::Opened => "opened",
            Self::Answered => "answered",
            Self::Settled => "settled",
            Self::Arrived => "arrived",
        }
    }

    /// Ends the process here and now, without a word, if the point `<direction>.<step>` is set.
    #[cfg(feature = "kill-points")]
    pub(super) fn reached(self, direction: Direction) {
        let name = format!("{}.{}", direction.as_str(), self.as_str());
        fail::fail_point!(&name, |_| std::process::abort());
    }

    /// Nothing, in this build.
    #[cfg(not(feature = "kill-points"))]
    pub(super) const fn reached(self, direction: Direction) {
        let _ = (self, direction);
    }
}

/// Whether a message of unknown outcome is never found again on Gitter.
#[cfg(feature = "kill-points")]
pub(super) fn looks_in_vain() -> bool {
    fail::fail_point!("without_recovery", |_| true);
    false
}

/// No, in this build.
#[cfg(not(feature = "kill-points"))]
pub(super) const fn looks_in_vain() -> bool {
    false
}

/// Whether a transaction is answered before it is committed.
#[cfg(feature = "kill-points")]
pub(super) fn answers_first() -> bool {
    fail::fail_point!("answer_first", |_| true);
    false
}

/// No, in this build.
#[cfg(not(feature = "kill-points"))]
pub(super) const fn answers_first() -> bool {
    false
}
