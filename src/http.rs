//! The two listeners: what the homeserver calls, and what operators call.

pub mod admin;
pub mod appservice;
mod error;

use std::future::Future;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves a router until the token is cancelled; requests under way are finished.
///
/// # Errors
/// When the listener breaks.
pub fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> impl Future<Output = std::io::Result<()>> {
    async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    }
}
