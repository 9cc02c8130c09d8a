//! Packing the blocks of a formatted text into messages that Gitter takes.
//!
//! Blocks stay whole where they can. One that is longer than a message is cut: code between its lines, with its
//! fences written anew; any other loses its markup and is cut like plain text.

use std::collections::VecDeque;

use super::{
    escape,
    formatted::{Block, Kind, longest_run},
    split::{self, MAX_UNITS, Plan},
};

/// Writes blocks as the Markdown of one message or several.
pub(super) fn pack(blocks: Vec<Block>, plan: &Plan<'_>) -> Vec<String> {
    let mut rest: VecDeque<Block> = blocks.into();
    let mut parts = Vec::new();
    loop {
        let lead = plan.lead(parts.len());
        let is_last = parts.len() + 1 >= plan.most_parts();
        if is_last {
            let mut all = rest.clone();
            let whole = fill(&mut all, &lead, MAX_UNITS, plan);
            if all.is_empty() {
                parts.push(whole);
            } else {
                let room = MAX_UNITS.saturating_sub(plan.length(plan.cut_note));
                parts.push(fill(&mut rest, &lead, room, plan) + plan.cut_note);
            }
            return parts;
        }
        parts.push(fill(&mut rest, &lead, MAX_UNITS, plan));
        if rest.is_empty() {
            return parts;
        }
    }
}

/// Takes as many blocks as fit; at least a piece of one, so that there is an end.
fn fill(rest: &mut VecDeque<Block>, lead: &str, room: usize, plan: &Plan<'_>) -> String {
    let mut out = lead.to_owned();
    let mut before: Option<Kind> = None;
    while let Some(block) = rest.pop_front() {
        let between = match &before {
            Some(before) => block.separator(before),
            None => opening(lead, &block),
        };
        let is_first = before.is_none();
        let used = plan.length(&out) + plan.length(between);
        if used + plan.length(&block.markdown) <= room {
            out.push_str(between);
            out.push_str(&block.markdown);
            before = Some(block.kind);
            continue;
        }
        let fits_alone = plan.length(&block.markdown) + plan.length(lead) + 2 <= MAX_UNITS;
        if !is_first && fits_alone {
            rest.push_front(block);
            return out;
        }
        // Not worth a cut for a few words.
        if !is_first && used + MAX_UNITS / 4 > room {
            rest.push_front(block);
            return out;
        }
        let (head, tail) = cut(&block, room.saturating_sub(used), plan);
        out.push_str(between);
        out.push_str(&head);
        if let Some(tail) = tail {
            rest.push_front(tail);
        }
        return out;
    }
    out
}

/// What stands between the lead of a message and its first block.
fn opening(lead: &str, block: &Block) -> &'static str {
    match block.kind {
        Kind::Paragraph => "",
        _ if lead.is_empty() || lead.ends_with('\n') => "",
        _ => "\n\n",
    }
}

/// Cuts a block that is too long: its beginning as Markdown, and the rest.
fn cut(block: &Block, room: usize, plan: &Plan<'_>) -> (String, Option<Block>) {
    if let Kind::Code { language, code } = &block.kind
        && let Some((head, tail)) = cut_code(language, code, room, plan)
    {
        return (head, Some(tail));
    }
    let end = split::cut(&block.plain, "", room, plan);
    let tail = block.plain.slice(end..block.plain.text().len());
    let head = escape::markdown(&block.plain.slice(0..end), "");
    (head, (!tail.text().is_empty()).then(|| Block::paragraph(&tail)))
}

/// Cuts code after the last line that fits; `None` where not even the first does.
fn cut_code(language: &str, code: &str, room: usize, plan: &Plan<'_>) -> Option<(String, Block)> {
    let fences = 2 * (longest_run(code, '`').max(2) + 1) + language.len() + 2;
    let mut used = fences;
    let mut end = None;
    for (at, _) in code.match_indices('\n') {
        let start = end.map_or(0, |end: usize| end + 1);
        used += plan.length(code.get(start..at)?) + 1;
        // Room for what keeps code from being a stand-in.
        if used + code.get(..at)?.matches('{').count() > room {
            break;
        }
        end = Some(at);
    }
    let end = end?;
    let head = Block::code(language, code.get(..end)?);
    let tail = code.get(end + 1..)?;
    Some((head.markdown, Block::code(language, tail)))
}
