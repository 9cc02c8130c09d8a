//! Free ports on loopback, for programs that cannot take port 0 and say which they got.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// Below the range that systems take the local ports of outgoing connections from, so that none of those
/// can take a port between its choice here and its use (and while a server is down for a restart).
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that nothing listens on now, chosen at random so that processes running side by side hardly ever
/// choose the same one.
///
/// # Errors
/// When a hundred ports in a row are taken.
pub fn free() -> Result<u16> {
    for _ in 0..100 {
        let port = rand::random_range(RANGE);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!(
        "no free port found on 127.0.0.1 between {} and {}",
        RANGE.start,
        RANGE.end
    );
}
