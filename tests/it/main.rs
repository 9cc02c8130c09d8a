//! Integration tests: the bridge's parts over real sockets, against stateful fakes.

#[cfg(test)]
mod homeserver;
#[cfg(test)]
mod matrix_client;

/// HTTP clients need a provider of cryptography; every test that makes one calls this first.
#[cfg(test)]
fn install_crypto() {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
