//! Locks by name, for what must not be done twice at once in this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::OwnedMutexGuard;

/// Locks that exist only while somebody has or wants them.
#[derive(Debug, Default)]
pub(super) struct KeyedLocks {
    locks: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl KeyedLocks {
    /// Waits until nobody else has the lock of this name.
    pub(super) async fn lock(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            locks.get(name).and_then(Weak::upgrade).unwrap_or_else(|| {
                let lock = Arc::default();
                locks.insert(name.to_owned(), Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_name_at_a_time() {
        let locks = KeyedLocks::default();
        let one = locks.lock("a").await;
        let other = locks.lock("b").await;
        let again = tokio::time::timeout(Duration::ZERO, locks.lock("a")).await;
        assert!(again.is_err());
        drop((one, other));
        drop(locks.lock("a").await);
        drop(locks.lock("b").await);
        assert_eq!(locks.locks.lock().unwrap().len(), 1, "what nobody wants goes");
    }
}
