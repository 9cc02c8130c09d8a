//! The sandbox as a program: a small Gitter server on one port, until it is told to stop.
//!
//! The first line on stdout says that it is ready and where; logs go to stderr (`RUST_LOG`).

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use clap::Parser;
use gitter_sandbox::{Sandbox, Seed, Settings};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A small Gitter server in memory, for demos and tests.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Where browsers and the bridge reach it; by default http:// and the address it listens on
    #[arg(long)]
    web_url: Option<String>,
    /// Requests a minute for each account and OAuth client; 0 for no limit
    #[arg(long, default_value_t = 100)]
    rate_limit: u32,
    /// Seconds in which a message may be edited
    #[arg(long, default_value_t = 600)]
    edit_window: u64,
    /// Let pictures of virtual users and in messages be fetched through an image proxy
    #[arg(long)]
    image_proxy: bool,
    /// Seconds that a Bayeux connect is held; a client silent for 1.6 times that is dropped
    #[arg(long, default_value_t = 120)]
    connect_timeout: u64,
    /// A JSON file with the users, groups and rooms to start with, in place of the built-in ones
    #[arg(long)]
    seed: Option<PathBuf>,
}

/// The first line on stdout.
#[derive(Serialize)]
struct Announcement<'sandbox> {
    ready: bool,
    api_url: &'sandbox str,
    realtime_url: &'sandbox str,
    web_url: &'sandbox str,
    token: &'sandbox str,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(
            EnvFilter::builder()
                .with_default_directive(tracing::Level::INFO.into())
                .from_env_lossy(),
        )
        .init();
    // Asked for before anyone can know that the sandbox runs, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;

    let seed = match &arguments.seed {
        Some(path) => Seed::read(path)?,
        None => Seed::default(),
    };
    let sandbox = Sandbox::start(Settings {
        listen: arguments.listen,
        web_url: arguments.web_url,
        rate_limit: arguments.rate_limit,
        edit_window: Duration::from_secs(arguments.edit_window),
        image_proxy: arguments.image_proxy,
        connect_timeout: Duration::from_secs(arguments.connect_timeout),
        seed,
        ..Settings::default()
    })
    .await?;
    announce(&sandbox).context("the ready line cannot be written to stdout")?;
    tracing::info!(web.url = sandbox.web_url(), "The Gitter sandbox is ready");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("The Gitter sandbox stops");
    sandbox.stop().await.context("the sandbox did not stop cleanly")
}

/// Writes the one line that programs wait for.
fn announce(sandbox: &Sandbox) -> io::Result<()> {
    let announcement = Announcement {
        ready: true,
        api_url: &sandbox.api_url(),
        realtime_url: &sandbox.realtime_url(),
        web_url: sandbox.web_url(),
        token: sandbox.token(),
    };
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", serde_json::to_string(&announcement)?)?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
