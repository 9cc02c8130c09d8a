//! What one person may send to Gitter (`bridge.flood_limit`): the request budget is everybody's, and Gitter bans accounts
//! that flood.
//!
//! In memory: after a start everybody may burst anew. The time of a message is what counts, so that what waited for a side
//! that was away does not look like a flood.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use ruma::{OwnedUserId, UserId};

use crate::store::Item;

/// How many minutes of their share a person may use up at once. Nobody writes as much by hand; what is pasted or
/// imported at once still crosses.
const BURST: i64 = 20;

const MINUTE: i64 = 60_000;

/// How much older than its arrival a message may say it is, in milliseconds.
const OLDEST: i64 = 86_400_000;

/// From so many people on, those whose share is whole are forgotten.
const MANY: usize = 1_000;

/// What a person has used of their share, in milliseconds of it.
#[derive(Debug)]
struct Used {
    /// When that was so, in milliseconds since 1970.
    at: i64,
    spent: i64,
    /// What it was last used for: an item that has to wait comes again.
    item: String,
}

impl Used {
    fn by(&self, now: i64) -> i64 {
        (self.spent - (now - self.at).max(0)).max(0)
    }
}

/// What each person has sent of late.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Floods(Mutex<HashMap<OwnedUserId, Used>>);

impl Floods {
    /// Takes the share of a message; `false` if its sender has none left. `limit` is that of the configuration.
    pub(in crate::bridge) fn take(&self, sender: &UserId, item: &Item, limit: u32) -> bool {
        if limit == 0 {
            return true;
        }
        let time = item.source_time.clamp(item.created_at - OLDEST, item.created_at);
        let price = MINUTE / i64::from(limit);
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if people.len() >= MANY {
            people.retain(|_, used| used.by(time) > 0);
        }
        let known = people.entry(sender.to_owned()).or_insert_with(|| Used {
            at: time,
            spent: 0,
            item: String::new(),
        });
        if known.item == item.source_id {
            return true;
        }
        let spent = known.by(time) + price;
        if spent > BURST * MINUTE {
            return false;
        }
        *known = Used {
            at: known.at.max(time),
            spent,
            item: item.source_id.clone(),
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use ruma::user_id;

    use super::*;
    use crate::store::{Direction, LaneKey};

    fn said_at(time: i64, accepted_at: i64) -> Item {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Item {
            lane: LaneKey::live(None, Direction::ToGitter),
            number: 1,
            source_key: String::new(),
            source_id: format!("${}", IDS.fetch_add(1, Ordering::Relaxed)),
            operation: "m.room.message".to_owned(),
            body: String::new(),
            source_time: time,
            attempts: 0,
            first_attempt_at: 0,
            next_attempt_at: 0,
            created_at: accepted_at,
            target: String::new(),
        }
    }

    #[test]
    fn a_person_may_burst_and_then_has_a_share_a_minute() {
        let (floods, ana) = (Floods::default(), user_id!("@ana:example.org"));
        let start = 1_606_816_800_000;
        let take = |time| floods.take(ana, &said_at(time, time), 60);
        assert_eq!((0..1_300).filter(|_| take(start)).count(), 1_200);
        assert_eq!((0..100).filter(|_| take(start + MINUTE)).count(), 60);
        let bo = user_id!("@bo:example.org");
        assert!(
            floods.take(bo, &said_at(start, start), 60),
            "others have their own"
        );
    }

    #[test]
    fn what_was_said_in_its_time_is_no_flood_when_it_comes_late() {
        let (floods, ana) = (Floods::default(), user_id!("@ana:example.org"));
        let (start, arrived) = (1_606_816_800_000, 1_606_816_800_000 + 600 * MINUTE);
        let taken = (0..6_000).filter(|second| {
            let item = said_at(start + second * 1_000 * 6, arrived);
            floods.take(ana, &item, 10)
        });
        assert_eq!(taken.count(), 6_000);
        let from_1970 = (0..300).filter(|_| floods.take(ana, &said_at(0, arrived), 10));
        assert!(from_1970.count() <= 200, "nobody gets a share by an old date");
    }

    #[test]
    fn an_item_that_waits_is_counted_once() {
        let (floods, ana) = (Floods::default(), user_id!("@ana:example.org"));
        let waits = said_at(1, 1);
        assert!((0..5_000).all(|_| floods.take(ana, &waits, 60)));
        assert!((0..1_199).all(|_| floods.take(ana, &said_at(1, 1), 60)));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let (floods, ana) = (Floods::default(), user_id!("@ana:example.org"));
        assert!((0..5_000).all(|_| floods.take(ana, &said_at(1, 1), 0)));
    }
}
