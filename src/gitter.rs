//! The Gitter side: what the bridge asks of Gitter, and what Gitter tells it.
//!
//! [`client`] speaks the REST API, inside the request budget that `budget` keeps; [`realtime`] keeps rooms
//! subscribed over Bayeux, whose rules are the pure state machine in `bayeux`. Nothing here decides whether
//! to repeat a request, stores anything or catches up on what was missed: that is the bridge's part.
//!
//! Whoever makes a client or starts the realtime side first installs a TLS provider
//! (`rustls::crypto::ring::default_provider().install_default()`).

mod bayeux;
mod budget;
pub mod client;
pub mod error;
mod event;
mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
mod pictures;
mod public_names;
pub mod realtime;
mod token;

pub use self::{
    budget::{BudgetState, Class, Permit},
    client::{ClientSettings, GitterClient, MessagePage, NewMessage, PEOPLE_PAGE},
    error::{GitterError, SetupError},
    files::{FetchedFile, FileClient, FileError},
    pictures::{Picture, PictureClient, PictureError, picture_url},
    realtime::{Realtime, RealtimeEvent, RealtimeSettings, SNAPSHOT, Snapshot},
    token::{Token, is_same as is_same_token},
};

/// The most bytes taken of one reply or one WebSocket message: 64 MiB.
///
/// The longest of both list 100 messages of at most 4,096 UTF-16 units. Their HTML may be a hundred times as
/// long as the text (formulas), so this leaves 640 KiB to each, and still bounds what a broken server costs.
const MAX_REPLY_BYTES: usize = 64 * 1024 * 1024;

/// How the bridge introduces itself.
const USER_AGENT: &str = concat!("gitter-matrix-bridge/", env!("CARGO_PKG_VERSION"));
