//! What others wrote against what we wrote: npm's Bayeux servers against the bridge's client, and Gitter's own
//! clients against the sandbox.
#![cfg(test)]

mod faye;
mod gitter_clients;
mod markdown;
mod node;
mod shown;
