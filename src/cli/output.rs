//! What is said on the standard output. A reader that went away (`| head`) ends the command quietly.

use std::{
    env,
    fmt::Display,
    io::{self, Write as _},
};

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, presets,
};
use jiff::Timestamp;

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

/// The widest column of which no text is broken: room for a time.
const SHORT: u16 = 20;

/// The least that long texts are broken to.
const NARROW: u16 = 10;

/// What is between columns.
const PADDING: u16 = 2;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it has to be.
    Good,
    /// On its way.
    Passing,
    /// In need of somebody.
    Bad,
    /// Nothing to say of it.
    Plain,
}

/// A text in the colour of how it is. Only terminals show one, and none where `NO_COLOR` is set.
pub(super) fn toned(text: impl Display, tone: Tone) -> Cell {
    let cell = Cell::new(text);
    if env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty()) {
        return cell;
    }
    match tone {
        Tone::Good => cell.fg(Color::Green),
        Tone::Passing => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Tone::Plain => cell,
    }
}

/// A count, aligned with those above and below it.
pub(super) fn count(number: u64, tone: Tone) -> Cell {
    toned(number, tone).set_alignment(CellAlignment::Right)
}

/// A time of the admin API, to the second.
pub(super) fn time(time: &str) -> String {
    time.parse::<Timestamp>()
        .map_or_else(|_| time.to_owned(), |time| format!("{time:.0}"))
}

/// What came of a check, with or without advice.
pub(super) fn result(ok: bool, mend: &str) -> Cell {
    match (ok, mend.is_empty()) {
        (true, true) => toned("ok", Tone::Good),
        (true, false) => toned("note", Tone::Passing),
        (false, _) => toned("FAILED", Tone::Bad),
    }
}

/// Columns without lines around them, so that other programs can take them apart too. On a terminal long texts
/// are broken to its width.
pub(super) fn table<const COLUMNS: usize, C: Into<Cell>>(
    header: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [C; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header.map(|name| Cell::new(name).add_attribute(Attribute::Bold)))
        .add_rows(rows);
    if let Some(width) = table.width().filter(|width| *width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        spare_short_columns(&mut table, width);
    }
    table.trim_fmt()
}

/// Breaks long texts rather than short ones, where that leaves the long ones something.
fn spare_short_columns(table: &mut Table, width: u16) {
    let widths = table.column_max_content_widths();
    let least = widths.iter().map(|width| match *width {
        short @ ..=SHORT => PADDING + short,
        _ => PADDING + NARROW,
    });
    if least.sum::<u16>() > width {
        return;
    }
    for (column, width) in table.column_iter_mut().zip(widths) {
        if width <= SHORT {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_alone() {
        let rows = [[toned("active", Tone::Good), toned(1, Tone::Bad)]];
        let piped = table(["STATE", "FAILED"], rows.clone());
        assert!(!piped.contains('\u{1b}'), "{piped:?}");
        assert_eq!(piped.lines().count(), 2);
        let mut shown = Table::new();
        shown.enforce_styling().add_rows(rows);
        assert!(shown.to_string().contains('\u{1b}'));
    }
}
