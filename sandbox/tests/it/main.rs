//! The sandbox from outside: over real HTTP and a real WebSocket, as a bridge meets it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod accounts;
mod bayeux_client;
mod documents;
mod faults;
mod files;
mod fixture;
mod messages;
mod moderation;
mod page;
mod people;
mod polling;
mod program;
mod realtime;
mod rooms;
