//! The database: portals, lanes, the inbox, attempts and the map (DESIGN 7).
//!
//! Functions take a transaction, so the caller decides what is committed together. Nothing here sends
//! anything or decides what happens next. Times are milliseconds since 1970, given by the caller.

pub mod account;
pub mod alias;
pub mod attempt;
pub mod awaited;
pub mod ban;
pub mod code;
pub mod command;
pub mod copy;
mod db;
pub mod deleted;
mod error;
pub mod fold;
pub mod forget;
pub mod ghost;
pub mod held;
pub mod inbox;
pub mod installation;
pub mod lane;
pub mod leaving;
pub mod ledger;
pub mod life;
pub mod media;
pub mod member;
pub mod message;
mod news;
pub mod notice;
pub mod opt_out;
pub mod overview;
pub mod person;
pub mod portal;
pub mod probe;
pub mod restored;
pub mod retention;
pub mod room_admin;
pub mod setting;
pub mod space;
#[cfg(test)]
mod tests;
mod value;

pub use self::{
    attempt::{Attempt, AttemptState, NewAttempt},
    db::{Db, Tx},
    error::StoreError,
    ghost::Ghost,
    inbox::{Item, NewItem},
    lane::{Direction, Lane, LaneKey, Purpose},
    media::{Media, MediaState, NewMedia},
    member::Member,
    message::{MappedMessage, MessageKind, Origin},
    portal::{Portal, PortalKind, PortalState},
};
