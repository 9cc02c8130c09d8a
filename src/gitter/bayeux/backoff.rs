//! How long to wait before the next attempt to connect.

use std::time::Duration;

use rand::{RngExt as _, rngs::SmallRng};

const FIRST_CEILING: Duration = Duration::from_secs(2);
const LAST_CEILING: Duration = Duration::from_mins(1);

/// Delays of 1 to 2 s, 2 to 4 s and so on up to 30 to 60 s; random inside that, so that the sockets of one
/// lost server do not all come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    ceiling: Duration,
    random: SmallRng,
}

impl Backoff {
    pub(super) fn new(random: SmallRng) -> Self {
        Self {
            ceiling: FIRST_CEILING,
            random,
        }
    }

    pub(super) fn next(&mut self) -> Duration {
        let delay = self.random.random_range(self.ceiling / 2..=self.ceiling);
        self.ceiling = (self.ceiling * 2).min(LAST_CEILING);
        delay
    }

    pub(super) fn reset(&mut self) {
        self.ceiling = FIRST_CEILING;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn delays_grow_to_a_minute_differ_and_start_anew() {
        let mut backoff = Backoff::new(SmallRng::seed_from_u64(1));
        let mut delays: Vec<_> = (0..8).map(|_| backoff.next()).collect();
        for (delay, ceiling) in delays.iter().zip([2, 4, 8, 16, 32, 60, 60, 60]) {
            let ceiling = Duration::from_secs(ceiling);
            assert!((ceiling / 2..=ceiling).contains(delay), "{delays:?}");
        }
        backoff.reset();
        delays.push(backoff.next());
        assert!(delays[8] <= FIRST_CEILING);
        delays.sort_unstable();
        delays.dedup();
        assert_eq!(delays.len(), 9, "{delays:?}");
    }
}
