//! Tables.

use scraper::ElementRef;

use super::{
    Setting, Writer,
    block::{Block, Row},
};
use crate::translate::{body::Body, escape};

/// Writes a table; `None` if it has no cells. Its first row is the head, as Gitter has no other tables.
pub(super) fn write(table: ElementRef<'_>, setting: Setting<'_>, depth: usize) -> Option<Block> {
    let mut rows: Vec<(Vec<String>, Body)> = Vec::new();
    for row in rows_of(table) {
        let mut cells = Vec::new();
        let mut plain = Body::default();
        let is_cell = |cell: &ElementRef<'_>| matches!(cell.value().name(), "td" | "th");
        for cell in row.child_elements().filter(is_cell) {
            let body = inline(cell, setting, depth + 3);
            cells.push(cell_markdown(&body));
            plain.append(" | ", &body.without_markup());
        }
        if !cells.is_empty() {
            rows.push((cells, plain));
        }
    }
    let width = rows.iter().map(|(cells, _)| cells.len()).max()?;
    let mut rows: Vec<Row> = rows
        .into_iter()
        .map(|(mut cells, plain)| {
            cells.resize(width, " ".to_owned());
            Row {
                markdown: format!("| {} |", cells.join(" | ")),
                plain,
            }
        })
        .collect();
    let line = Row {
        markdown: format!("|{}", " --- |".repeat(width)),
        plain: Body::default(),
    };
    rows.insert(1, line);
    Some(Block::table(rows))
}

/// The rows of a table itself, not those of tables inside it.
fn rows_of(table: ElementRef<'_>) -> Vec<ElementRef<'_>> {
    let mut rows = Vec::new();
    for child in table.child_elements() {
        match child.value().name() {
            "tr" => rows.push(child),
            "thead" | "tbody" | "tfoot" => {
                rows.extend(child.child_elements().filter(|row| row.value().name() == "tr"));
            }
            _ => {}
        }
    }
    rows
}

/// The contents of a cell on one line.
fn inline(cell: ElementRef<'_>, setting: Setting<'_>, depth: usize) -> Body {
    let mut writer = Writer::new(setting);
    writer.children(cell, depth);
    let mut body = writer.inline.take().unwrap_or_default();
    setting.finish(&mut body);
    let mut all = Body::default();
    for block in &writer.blocks {
        all.append(" ", &block.plain);
    }
    all.append(" ", &body);
    all
}

/// A cell; of bars in it entities are made, which code and formulas do not know: those become text.
fn cell_markdown(body: &Body) -> String {
    let is_verbatim_bar = |markdown: &str| markdown.starts_with(['`', '$']) && markdown.contains('|');
    let written = escape::markdown(&body.without_such_markup(is_verbatim_bar), "").replace('\n', " ");
    written.replace("\\|", "|").replace('|', "&vert;")
}
