//! Pictures that could not be had lately, so that each message of a person is not held up by them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use boot_time::Instant;

/// How long a picture is not asked for again.
const REST: Duration = Duration::from_mins(10);

/// The most pictures remembered; beyond it all are forgotten, and may be tried.
const MOST: usize = 10_000;

/// Addresses of pictures, and when they were last asked for in vain.
#[derive(Debug, Default)]
pub(super) struct AbsentPictures {
    failed: Mutex<HashMap<String, Instant>>,
}

impl AbsentPictures {
    /// Whether there is a picture and it may be asked for now.
    pub(super) fn may_try(&self, source: &str) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        !source.is_empty() && failed.get(source).is_none_or(|at| at.elapsed() > REST)
    }

    /// Notes that a picture could not be had.
    pub(super) fn note(&self, source: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= MOST {
            failed.clear();
        }
        failed.insert(source.to_owned(), Instant::now());
    }
}
