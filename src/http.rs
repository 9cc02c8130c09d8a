//! The two listeners: what the homeserver calls, and what operators call.

pub mod admin;
pub mod appservice;
mod connection;
mod error;
mod exchange;
pub mod health;
mod listener;
pub mod media;
mod request;
mod thirdparty;

pub use self::{
    exchange::Exchange,
    listener::{Limits, serve},
};
