//! What is said on the standard output. A reader that went away (`| head`) ends the command quietly.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

use comfy_table::{ContentArrangement, Table, presets};

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

/// The narrowest terminal to whose width tables are broken: in less, columns would be a few letters wide.
const NARROWEST: u16 = 80;

/// Columns without lines around them, so that other programs can take them apart too. On a terminal long texts
/// are broken to its width.
pub(super) fn table<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    if table.width().is_some_and(|width| width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
        .load_style(presets::NOTHING)
        .set_header(header)
        .add_rows(rows);
    table.trim_fmt()
}
