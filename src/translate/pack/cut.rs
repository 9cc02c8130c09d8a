//! Cutting a block that is longer than a message.
//!
//! A paragraph is cut as plain text is, and emphasis that is open there goes on behind; code between its lines, with
//! its fences written anew; a table between its rows, with its head written anew. Of a quotation and of an item of a
//! list what they hold is cut; the rest of a quotation is one again, the rest of an item stands without its bullet.
//! What cannot be cut so loses its markup.

use crate::translate::{
    body::Body,
    formatted::{
        block::{Block, Kind, Row},
        longest_run,
    },
    split::{self, MAX_UNITS, Plan, Room},
};

/// The longest code or formula that a paragraph keeps when it is cut, in UTF-16 units.
const MAX_VERBATIM: usize = 1_000;

/// What emphasis may need at its end, and something invisible before it.
const EMPHASIS_UNITS: usize = 8;

/// What an item of a list may need so that its beginning is not read as something else (see `formatted::list`).
const ITEM_UNITS: usize = 3;

/// Cuts a block into what fits and the rest; `None` if nothing does.
pub(super) fn cut(block: &Block, room: Room, plan: &Plan<'_>) -> Option<(Block, Vec<Block>)> {
    match &block.kind {
        Kind::Own => None,
        Kind::Paragraph(body) => paragraph(body, room, plan),
        Kind::Code { language, code } => self::code(language, code, room, plan),
        Kind::Table(rows) => table(rows, room, plan),
        Kind::Quotation(blocks) => {
            let (head, tail) = within(blocks, deeper(room, "> ".len(), 0)?, plan)?;
            Some((Block::quotation(head), vec![Block::quotation(tail)]))
        }
        Kind::Item {
            bullet,
            blocks,
            goes_on,
        } => {
            // Before code it may be two lines more, which are indented.
            let is_code = blocks
                .first()
                .is_some_and(|first| matches!(first.kind, Kind::Code { .. }));
            let lines = if is_code { 2 } else { 0 };
            let reserve = ITEM_UNITS + lines * (room.indent + bullet.len());
            let (head, tail) = within(blocks, deeper(room, bullet.len(), reserve)?, plan)?;
            Some((Block::item(bullet.clone(), head, *goes_on), tail))
        }
    }
}

/// Cuts a block as plain text, without its markup. At least a character comes off.
pub(super) fn plain(block: &Block, room: Room, plan: &Plan<'_>) -> (Block, Vec<Block>) {
    let text = &block.plain;
    let end = split::cut(text, "", room, plan);
    let tail = text.slice(end..text.text().len());
    let rest = if tail.text().is_empty() {
        Vec::new()
    } else {
        vec![Block::paragraph(tail)]
    };
    (Block::paragraph(text.slice(0..end)), rest)
}

/// The room inside something that puts `indent` before each line; `None` if that leaves next to nothing.
fn deeper(room: Room, indent: usize, reserve: usize) -> Option<Room> {
    let units = room.units.checked_sub(reserve)?;
    let indent = room.indent + indent;
    (units > 2 * indent).then_some(Room { units, indent })
}

/// Cuts the blocks in a quotation or an item; neither half is empty.
fn within(blocks: &[Block], room: Room, plan: &Plan<'_>) -> Option<(Vec<Block>, Vec<Block>)> {
    let mut head: Vec<Block> = Vec::new();
    let mut used = 0;
    for (index, block) in blocks.iter().enumerate() {
        let separator = head.last().map_or("", |before| block.separator(&before.kind));
        let breaks = separator.matches('\n').count();
        used += plan.length(separator) + room.indent * breaks.saturating_sub(1);
        let cost = room.cost(&block.markdown, plan);
        if used + cost <= room.units {
            used += cost;
            head.push(block.clone());
            continue;
        }
        let left = Room {
            units: room.units.saturating_sub(used),
            ..room
        };
        let is_for_the_next = !head.is_empty() && (cost <= MAX_UNITS || left.units < MAX_UNITS / 4);
        let parts = if is_for_the_next {
            None
        } else {
            cut(block, left, plan)
        };
        let mut tail = match parts {
            Some((first, tail)) => {
                head.push(first);
                tail
            }
            None => vec![block.clone()],
        };
        tail.extend_from_slice(blocks.get(index + 1..)?);
        return (!head.is_empty()).then_some((head, tail));
    }
    None
}

fn paragraph(body: &Body, room: Room, plan: &Plan<'_>) -> Option<(Block, Vec<Block>)> {
    let body = body.without_such_markup(|markdown| plan.length(markdown) > MAX_VERBATIM);
    let reserve = if body.has_markup() { EMPHASIS_UNITS } else { 0 };
    let units = room.units.checked_sub(reserve)?;
    let (head, tail) = body.cut_at(split::cut(&body, "", Room { units, ..room }, plan));
    if !head.is_visible() || tail.text().is_empty() {
        return None;
    }
    let head = Block::paragraph(head);
    (room.cost(&head.markdown, plan) <= room.units).then(|| (head, vec![Block::paragraph(tail)]))
}

/// Cuts code after the last line that fits.
fn code(language: &str, code: &str, room: Room, plan: &Plan<'_>) -> Option<(Block, Vec<Block>)> {
    let fences = 2 * (longest_run(code, '`').max(2) + 1 + room.indent) + language.len() + 2;
    let mut used = fences;
    let mut end = None;
    for (at, _) in code.match_indices('\n') {
        let start = end.map_or(0, |end: usize| end + 1);
        let line = code.get(start..at)?;
        // Room for what keeps code from being a stand-in, or the definition of a link.
        used += plan.length(line) + 1 + room.indent + line.matches(['{', '[']).count();
        if used > room.units {
            break;
        }
        end = Some(at);
    }
    let end = end?;
    let tail = Block::code(language, code.get(end + 1..)?);
    Some((Block::code(language, code.get(..end)?), vec![tail]))
}

/// Cuts a table after the last row that fits.
fn table(rows: &[Row], room: Room, plan: &Plan<'_>) -> Option<(Block, Vec<Block>)> {
    let head = rows.get(..2)?;
    let mut used = 0;
    let fitting = rows.iter().take_while(|row| {
        used += room.cost(&row.markdown, plan) + 1;
        used <= room.units
    });
    let end = fitting.count();
    if end <= head.len() || end >= rows.len() {
        return None;
    }
    let tail = [head, rows.get(end..)?].concat();
    Some((Block::table(rows.get(..end)?.to_vec()), vec![Block::table(tail)]))
}
