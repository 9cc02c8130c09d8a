//! The two listeners: what the homeserver calls, and what operators call.

pub mod admin;
pub mod appservice;
mod connection;
mod error;
mod listener;
pub mod media;
mod request;
mod thirdparty;

pub use self::listener::{Limits, serve};
