//! The two listeners: what the homeserver calls, and what operators call.

pub mod admin;
pub mod appservice;
mod error;
pub mod media;
mod thirdparty;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves a router until the token is cancelled; requests under way are finished.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}
