//! The Matrix side: a client that acts as the bot or as any ghost, and the marker its events carry.
//!
//! One call here is one request. Nothing is retried, remembered or decided: whether to send again, and
//! when, is `bridge::deliver`'s business alone, and which ghosts and devices exist is the store's. Every
//! method that changes something for a user names that user; rooms are read as the bot.

mod account;
mod account_data;
mod client;
mod endpoint;
mod error;
mod event;
pub mod marker;
mod media;
mod room;
mod transport;

pub use self::{
    account::{DeviceMemory, GitterUser},
    client::{ClientSettings, MatrixClient},
    endpoint::Endpoint,
    error::MatrixError,
    event::{EventPage, HistoryPage, PastEvent, Redact, SendEvent, redacted_by},
    marker::SourceMarker,
    media::{Download, ThumbnailSize},
    room::{JoinedMember, Membership, NewRoom, RoomAccess},
};
