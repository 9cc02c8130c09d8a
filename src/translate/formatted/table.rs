//! Tables.

use scraper::ElementRef;

use super::{Block, Setting, Writer};
use crate::translate::{body::Body, escape};

/// Writes a table; `None` if it has no cells. Its first row is the head, as Gitter has no other tables.
pub(super) fn write(table: ElementRef<'_>, setting: Setting<'_>) -> Option<Block> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut plain = Body::default();
    let elements = table.descendants().filter_map(ElementRef::wrap);
    for row in elements.filter(|element| element.value().name() == "tr") {
        let mut cells = Vec::new();
        let mut line = Body::default();
        let is_cell = |cell: &ElementRef<'_>| matches!(cell.value().name(), "td" | "th");
        for cell in row.child_elements().filter(is_cell) {
            let body = inline(cell, setting);
            cells.push(cell_markdown(&body));
            line.append(" | ", &body.without_markup());
        }
        if !cells.is_empty() {
            rows.push(cells);
            plain.append("\n", &line);
        }
    }
    let width = rows.iter().map(Vec::len).max()?;
    let mut lines: Vec<String> = rows
        .into_iter()
        .map(|mut cells| {
            cells.resize(width, " ".to_owned());
            format!("| {} |", cells.join(" | "))
        })
        .collect();
    lines.insert(1, format!("|{}", " --- |".repeat(width)));
    Some(Block::own(lines.join("\n"), plain))
}

/// The contents of a cell on one line.
fn inline(cell: ElementRef<'_>, setting: Setting<'_>) -> Body {
    let mut writer = Writer::new(setting);
    writer.children(cell, super::MAX_DEPTH / 2);
    let mut body = writer.inline.take().unwrap_or_default();
    setting.finish(&mut body);
    let mut all = Body::default();
    for block in &writer.blocks {
        all.append(" ", &block.plain);
    }
    all.append(" ", &body);
    all
}

fn cell_markdown(body: &Body) -> String {
    let mut written = escape::markdown(body, "").replace('\n', " ");
    if written.contains('|') {
        // Code knows no entities, so a cell with a bar has no code.
        written = escape::markdown(&body.without_markup(), "").replace('\n', " ");
    }
    written.replace("\\|", "|").replace('|', "&vert;")
}
