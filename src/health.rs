//! Whether the bridge is ready, and what it waits for.
//!
//! It is kept in memory, so that asking costs nothing and troubles nobody; those who look tell it what they saw. What
//! it says is for everybody who reaches a listener: names of keys and sides, no addresses, no secrets.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tracing::{info, warn};

/// What has to be there before the bridge is ready, in the order in which it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The tokens of both sides, in their files.
    Credentials,
    /// The database.
    Database,
    /// The homeserver, which knows the bridge.
    Homeserver,
    /// The Gitter account, whose token Gitter takes.
    Account,
    /// A connection to Gitter's realtime channel, where a room is linked.
    Realtime,
}

const PARTS: [(Part, &str); 5] = [
    (Part::Credentials, "credentials"),
    (Part::Database, "database"),
    (Part::Homeserver, "homeserver"),
    (Part::Account, "account"),
    (Part::Realtime, "realtime"),
];

/// One part, as `/ready` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartView {
    part: &'static str,
    ok: bool,
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// What `/ready` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthView {
    ready: bool,
    parts: Vec<PartView>,
    warnings: Vec<String>,
}

impl HealthView {
    /// Whether every part is there.
    pub const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Each part, in the order in which they are waited for.
    pub fn parts(&self) -> &[PartView] {
        &self.parts
    }

    /// What an operator has to know, though the bridge works.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl PartView {
    /// Its word.
    pub const fn part(&self) -> &'static str {
        self.part
    }

    /// Why it is not there, for operators; `None` if it is.
    pub fn lack(&self) -> Option<&str> {
        self.detail.as_deref().filter(|_| !self.ok)
    }

    /// Since when it is so.
    pub const fn since(&self) -> Timestamp {
        self.since
    }
}

#[derive(Debug)]
struct Inner {
    parts: [PartView; PARTS.len()],
    warning: Option<String>,
}

/// A handle; cloning gives another to the same.
#[derive(Debug, Clone)]
pub struct Health {
    inner: Arc<Mutex<Inner>>,
}

impl Default for Health {
    fn default() -> Self {
        let since = Timestamp::now();
        let parts = PARTS.map(|(_, part)| PartView {
            part,
            ok: false,
            since,
            detail: Some("not looked at yet".to_owned()),
        });
        Self {
            inner: Arc::new(Mutex::new(Inner { parts, warning: None })),
        }
    }
}

impl Health {
    /// A part is there.
    pub fn works(&self, part: Part) {
        self.set(part, None);
    }

    /// A part is not there, and why; for operators, with the key to look at.
    pub fn lacks(&self, part: Part, detail: impl Into<String>) {
        self.set(part, Some(detail.into()));
    }

    /// Something that an operator has to know, though the bridge works; `None` once it is over.
    pub fn warn(&self, warning: Option<String>) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).warning = warning;
    }

    /// What holds now.
    pub fn view(&self) -> HealthView {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        HealthView {
            ready: inner.parts.iter().all(|part| part.ok),
            parts: inner.parts.to_vec(),
            warnings: inner.warning.iter().cloned().collect(),
        }
    }

    fn set(&self, part: Part, detail: Option<String>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let was_ready = inner.parts.iter().all(|part| part.ok);
        let place = PARTS.iter().position(|(known, _)| *known == part);
        let Some(view) = place.and_then(|place| inner.parts.get_mut(place)) else {
            return;
        };
        let (ok, name) = (detail.is_none(), view.part);
        if view.ok != ok {
            view.ok = ok;
            view.since = Timestamp::now();
        }
        let why = detail.clone().unwrap_or_default();
        view.detail = detail;
        let is_ready = inner.parts.iter().all(|part| part.ok);
        drop(inner);
        if was_ready && !is_ready {
            warn!(health.part = name, why, "The bridge is not ready");
        } else if !was_ready && is_ready {
            info!("The bridge is ready");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_every_part_is_there() {
        let health = Health::default();
        for (part, _) in PARTS {
            assert!(!health.view().is_ready());
            health.works(part);
        }
        let view = health.view();
        assert!(view.is_ready() && view.parts.iter().all(|part| part.detail.is_none()));
        health.lacks(Part::Realtime, "no connection");
        let since = health.view().parts[4].since;
        health.lacks(Part::Realtime, "still none");
        let view = health.view();
        assert!(!view.is_ready());
        assert_eq!(view.parts[4].detail.as_deref(), Some("still none"));
        assert_eq!(view.parts[4].since, since, "since when it is so");
        health.works(Part::Realtime);
        health.warn(Some("look".to_owned()));
        let view = health.view();
        assert!(view.is_ready(), "a warning takes nothing away");
        assert_eq!(view.warnings, ["look"]);
    }
}
