//! A bridge between Gitter and Matrix, as a Matrix application service.
//!
//! ```text
//! to_gitter   http::appservice (PUT transactions) -> store::inbox::enqueue, commit, answer 200
//!                 -> bridge::dispatcher -> bridge::portal -> translate::to_gitter (pure) -> bridge::deliver -> gitter::client
//! to_matrix   gitter::realtime (Bayeux) or bridge::catch_up -> store::inbox::enqueue, commit
//!                 -> bridge::dispatcher -> bridge::portal -> translate::to_matrix (pure) -> bridge::deliver -> matrix
//! ```
//!
//! Nothing else moves messages. Imports run one way: `cli`, `http` -> `bridge` -> `translate`, `store`,
//! `matrix`, `gitter` -> `model`, `outcome`, `ids`; a test keeps it so. ARCHITECTURE.md walks one message
//! each way.

pub mod app;
pub mod bridge;
pub mod cache;
pub mod check;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod duration;
pub mod gitter;
pub mod health;
pub mod http;
pub mod ids;
pub mod logging;
pub mod matrix;
pub mod media;
pub mod metrics;
pub mod model;
pub mod names;
pub mod outcome;
pub mod registration;
pub mod store;
pub mod telemetry;
pub mod translate;

/// The version, with the commit it was built from.
pub const VERSION: &str = env!("GITTER_BRIDGE_VERSION");
