//! Warns before Gitter bans the account silently, as far as that can be seen coming (gitter-api 5.8): texts that a
//! young account repeats, and messages that others remove, which reports may have done.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use tracing::warn;

use super::{Bridge, BridgeError, now};
use crate::{ids::GitterUserId, store::account};

/// Between two looks, in milliseconds.
const BETWEEN: i64 = 60_000;

/// Up to this age an account is banned for repeating itself.
const YOUNG: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How long a repeated text counts, in milliseconds.
const REPEATS_COUNT: i64 = 12 * 3_600_000;

/// How long a report counts, in milliseconds.
const REPORTS_COUNT: i64 = 5 * 86_400_000;

/// So many messages that reports removed ban the account: each weighs 2 at least, and 5 are too much.
const REMOVALS: i64 = 3;

/// From this part of what bans, in percent, there is a warning.
const NEAR: i64 = 60;

/// Fewer repeats are near no limit.
const LEAST: i64 = 6;

/// How near the account is to each trigger, in percent.
#[derive(Debug, Default)]
pub(super) struct Nearness {
    repeats: AtomicI64,
    removals: AtomicI64,
}

impl Nearness {
    /// By the word for the trigger.
    pub(super) fn percents(&self) -> [(&'static str, i64); 2] {
        [
            ("repeats", self.repeats.load(Ordering::Relaxed)),
            ("removals", self.removals.load(Ordering::Relaxed)),
        ]
    }
}

/// Looks now and then, and warns of each thing once.
#[derive(Debug, Default)]
pub(super) struct Watch {
    looked_at: i64,
    warned_of: BTreeSet<String>,
    removals: i64,
}

impl Watch {
    /// Looks, if it is time.
    pub(super) async fn look(&mut self, bridge: &Bridge) -> Result<(), BridgeError> {
        let now = now();
        if now - self.looked_at < BETWEEN {
            return Ok(());
        }
        self.looked_at = now;
        self.repeats(bridge, now).await?;
        self.removals(bridge, now).await
    }

    async fn repeats(&mut self, bridge: &Bridge, now: i64) -> Result<(), BridgeError> {
        let account = &bridge.account;
        if !is_young(&account.user_id, now) {
            bridge.nearness.repeats.store(0, Ordering::Relaxed);
            return Ok(());
        }
        let mut tx = bridge.db.read().await?;
        let repeats = account::repeats(&mut tx, &account.user_id, now - REPEATS_COUNT, LEAST).await?;
        drop(tx);
        let mut nearest = 0;
        let mut near = BTreeSet::new();
        for (text, times) in repeats {
            let percent = times * 100 / limit_of(&text);
            nearest = nearest.max(percent);
            if percent < NEAR {
                continue;
            }
            if !self.warned_of.contains(&text) {
                warn!(
                    account.name = account.username,
                    times,
                    limit = limit_of(&text),
                    "People repeat a text; Gitter bans an account younger than 14 days silently when it posts one text \
                     more often than that in 12 hours"
                );
            }
            near.insert(text);
        }
        self.warned_of = near;
        bridge.nearness.repeats.store(nearest, Ordering::Relaxed);
        Ok(())
    }

    async fn removals(&mut self, bridge: &Bridge, now: i64) -> Result<(), BridgeError> {
        let account = &bridge.account;
        let mut tx = bridge.db.read().await?;
        let removals = account::removed(&mut tx, &account.user_id, now - REPORTS_COUNT).await?;
        drop(tx);
        let percent = removals * 100 / REMOVALS;
        if percent >= NEAR && removals > self.removals {
            warn!(
                account.name = account.username,
                removals,
                "Others have removed messages of Matrix people on Gitter in the last five days. If that was for reports, \
                 three of them ban the account silently: look who is reported, and why"
            );
        }
        self.removals = removals;
        bridge.nearness.removals.store(percent, Ordering::Relaxed);
        Ok(())
    }
}

/// How often a young account may post a text in 12 hours.
fn limit_of(text: &str) -> i64 {
    match text.encode_utf16().count() {
        0..10 => 100,
        10..20 => 20,
        _ => 10,
    }
}

/// The id tells when an account was made.
fn is_young(account: &GitterUserId, now: i64) -> bool {
    let made = account.time().map_or(0, Timestamp::as_millisecond);
    now - made < i64::try_from(YOUNG.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_may_be_repeated_more_often() {
        for (text, limit) in [
            ("Yes!", 100),
            ("123456789", 100),
            ("1234567890", 20),
            ("good morning", 20),
            ("1234567890123456789", 20),
            ("good morning, everybody", 10),
        ] {
            assert_eq!(limit_of(text), limit, "{text}");
        }
    }

    #[test]
    fn an_account_is_young_for_two_weeks() {
        let account: GitterUserId = "5fc614c00000000000000c01".parse().unwrap();
        let (made, day) = (0x5fc6_14c0 * 1_000, 86_400_000);
        assert!(is_young(&account, made + 13 * day));
        assert!(!is_young(&account, made + 15 * day));
    }
}
