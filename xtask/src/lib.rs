//! What the project's own commands and its end-to-end tests share: a real Synapse, a private PostgreSQL,
//! the sandbox and the bridge as child processes, and small clients for the people on both sides.
//!
//! Everything started here listens on loopback at a free port, writes its log to a file, keeps its data in
//! a folder that the caller gives, and ends with the process that started it, however that one ends.
//!
//! Nothing here is part of the bridge, and the bridge uses nothing of it. Errors are [`anyhow`]'s, since
//! their only reader is a person at a terminal.

pub mod bridge;
pub mod chaos;
pub mod compare;
pub mod container;
pub mod demo;
pub mod fuzz;
pub mod gitter;
pub mod http;
pub mod matrix;
pub mod npm;
pub mod packages;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod progress;
pub mod said;
pub mod sandbox;
pub mod screenshots;
pub mod synapse;
pub mod test;
pub mod wait;
pub mod workspace;
