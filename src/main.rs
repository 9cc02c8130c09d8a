//! The program's entry; everything else is in the library's `cli`.

use std::{env, process::ExitCode};

#[tokio::main]
async fn main() -> ExitCode {
    #[cfg(feature = "kill-points")]
    let _scenario = fail::FailScenario::setup();
    // Before anything can open a connection: which cryptography TLS uses. It fails only if that is settled.
    let _ = rustls::crypto::ring::default_provider().install_default();
    gitter_matrix_bridge::cli::run(env::args_os()).await.into()
}
