//! What is said on the standard output. A reader that went away (`| head`) ends the command quietly.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

/// The reader of the standard output has gone.
#[derive(Debug, thiserror::Error)]
#[error("the standard output is closed")]
pub(super) struct Closed;

/// Prints a line.
pub(super) fn line(text: impl Display) -> anyhow::Result<()> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints bytes, and makes sure that they have left.
pub(super) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        Err(error) => Err(anyhow::Error::new(error).context("cannot write to the standard output")),
    }
}
