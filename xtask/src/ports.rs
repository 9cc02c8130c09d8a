//! Free ports on loopback, for programs that cannot take port 0 and say which they got.

use std::{
    fs::{File, OpenOptions, create_dir_all},
    net::{Ipv4Addr, TcpListener},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};

/// Below the range that systems take the local ports of outgoing connections from, so that none of those
/// can take a port between its choice here and its use (and while a server is down for a restart).
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// The locks of the ports that this process chose. They are let go as it ends.
static CHOSEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that nothing listens on now, and that no other process that asks here chooses while this one lives.
///
/// # Errors
/// When a hundred ports in a row are taken, or their locks cannot be made.
pub fn free() -> Result<u16> {
    let locks = std::env::temp_dir().join("gitter-bridge-ports");
    create_dir_all(&locks).with_context(|| format!("making {}", locks.display()))?;
    for _ in 0..100 {
        let port = rand::random_range(RANGE);
        let name = locks.join(port.to_string());
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&name)
            .with_context(|| format!("making {}", name.display()))?;
        if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            CHOSEN.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
            return Ok(port);
        }
    }
    bail!(
        "no free port found on 127.0.0.1 between {} and {}",
        RANGE.start,
        RANGE.end
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_chosen_once() {
        let ports: std::collections::BTreeSet<u16> = (0..500).map(|_| free().unwrap()).collect();
        assert_eq!(ports.len(), 500);
    }
}
