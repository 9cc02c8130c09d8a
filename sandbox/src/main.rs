//! Sandbox binary.
fn main() {}
