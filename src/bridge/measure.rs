//! Reads what is measured at the moment of asking: backlogs, portals, and the budget.

use std::time::Duration;

use super::{Bridge, BridgeError, now};
use crate::{
    metrics::{Backlog, Budget, Reading},
    store::{Direction, PortalState, account, ledger, life, portal},
};

const STATES: [PortalState; 5] = [
    PortalState::Active,
    PortalState::CatchingUp,
    PortalState::Paused,
    PortalState::Private,
    PortalState::Broken,
];

impl Bridge {
    /// What there is to do, and what it may cost.
    pub async fn reading(&self) -> Result<Reading, BridgeError> {
        let now = now();
        let mut tx = self.db.read().await?;
        let backlogs = ledger::backlogs(&mut tx).await?;
        let states = portal::count_states(&mut tx).await?;
        let paused = account::count_paused(&mut tx).await?;
        let unconfirmed = life::unconfirmed(&mut tx, self.confirmed_since(now)).await?;
        let unconfirmed = u32::try_from(unconfirmed.len()).unwrap_or(u32::MAX);
        let portals = STATES.map(|state| {
            let found = states.iter().find(|(found, _)| *found == state);
            (state.as_str(), found.map_or(0, |(_, portals)| count(*portals)))
        });
        let to_gitter = backlogs
            .iter()
            .find(|backlog| backlog.direction == Direction::ToGitter);
        let to_gitter = to_gitter.map_or(0, |backlog| count(backlog.waiting));
        let budget = self.gitter.budget().map(|budget| Budget {
            limit: budget.limit,
            remaining: budget.remaining,
            wait: budget.live_wait,
            backlog_wait: self.gitter.wait_behind(to_gitter).max(budget.live_wait),
            queue: budget
                .waiting
                .map(|(class, count)| (class.as_str(), count))
                .into(),
        });
        let backlogs = backlogs.map(|backlog| Backlog {
            direction: backlog.direction.as_str(),
            waiting: count(backlog.waiting),
            failed: count(backlog.failed),
            oldest: duration(backlog.oldest.map_or(0, |oldest| now - oldest)),
            lanes: count(backlog.lanes),
            deepest: count(backlog.deepest),
        });
        let nearness = self.nearness.percents();
        Ok(Reading {
            backlogs: backlogs.into(),
            portals: portals.into(),
            unconfirmed,
            accounts: vec![
                ("silent_ban", count(paused)),
                ("token_refused", u32::from(self.gitter.token().is_refused())),
            ],
            nearness: nearness
                .map(|(trigger, percent)| (trigger, f64::from(count(percent)) / 100.0))
                .into(),
            budget,
        })
    }
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
