//! What a transaction tells once it is committed: to the metrics, and to the traces of items.

use std::time::{Duration, SystemTime};

use super::{Direction, LaneKey, ledger::Place};
use crate::{metrics, outcome::Outcome, telemetry};

/// What is to be told, in order.
#[derive(Debug)]
pub(super) struct News {
    begun: SystemTime,
    accepted: Vec<Subject>,
    settled: Vec<Settled>,
    /// Which way items crossed, and how long it took.
    delivered: Vec<(Direction, Duration)>,
}

/// An item, as far as anybody is told of it.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// Where it is.
    pub(super) place: Place,
    /// What repeats of it are known by.
    pub(super) source_key: String,
    /// The event or Gitter message it came from.
    pub(super) source_id: String,
}

#[derive(Debug)]
struct Settled {
    direction: Direction,
    outcome: Outcome,
    times: u64,
    /// Which item it is, where that is known.
    subject: Option<Subject>,
}

impl News {
    /// Of a transaction that begins now.
    pub(super) fn new() -> Self {
        Self {
            begun: SystemTime::now(),
            accepted: Vec::new(),
            settled: Vec::new(),
            delivered: Vec::new(),
        }
    }

    /// An item crossed, in so many milliseconds.
    pub(super) fn delivered(&mut self, direction: Direction, took: i64) {
        let took = Duration::from_millis(u64::try_from(took).unwrap_or(0));
        self.delivered.push((direction, took));
    }

    /// An item is new.
    pub(super) fn accepted(&mut self, subject: impl FnOnce() -> Subject) {
        if telemetry::is_on() {
            self.accepted.push(subject());
        }
    }

    /// An item got its outcome.
    pub(super) fn settled(&mut self, lane: &LaneKey, outcome: &Outcome, subject: impl FnOnce() -> Subject) {
        self.settled.push(Settled {
            direction: lane.direction,
            outcome: outcome.clone(),
            times: 1,
            subject: telemetry::is_on().then(subject),
        });
    }

    /// Items that nobody has looked at one by one got their outcome.
    pub(super) fn settled_together(&mut self, direction: Direction, outcome: &Outcome, times: u64) {
        self.settled.push(Settled {
            direction,
            outcome: outcome.clone(),
            times,
            subject: None,
        });
    }

    /// Tells it, after the commit.
    pub(super) fn tell(self) {
        for (direction, took) in &self.delivered {
            metrics::delivered(direction.as_str(), *took);
        }
        for subject in &self.accepted {
            subject.tell(|item| item.accepted(self.begun));
        }
        for settled in &self.settled {
            metrics::settled(settled.direction.as_str(), &settled.outcome, settled.times);
            let (outcome, reason) = settled.outcome.words();
            if let Some(subject) = &settled.subject {
                subject.tell(|item| item.settled(outcome, reason));
            }
        }
    }
}

impl Subject {
    fn tell(&self, tell: impl FnOnce(telemetry::Item<'_>)) {
        let LaneKey { room, direction, .. } = &self.place.lane;
        tell(telemetry::Item {
            direction: direction.as_str(),
            source_key: &self.source_key,
            id: &self.place.id().to_string(),
            source: &self.source_id,
            room,
        });
    }
}
