//! Integration tests: the bridge's parts over real sockets, against stateful fakes.

#[cfg(test)]
mod homeserver;
#[cfg(test)]
mod matrix_client;
