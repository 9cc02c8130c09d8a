//! Packing the blocks of a formatted text into messages that Gitter takes.
//!
//! Blocks stay whole where they can. One that is longer than a message is cut (see `pack/cut`).

mod cut;

use std::collections::VecDeque;

use super::{
    formatted::block::{Block, Kind},
    split::{MAX_UNITS, Plan, Room},
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
        let room = room.saturating_sub(used);
        let parts =
            cut::cut(&block, Room::of(room), plan).filter(|(head, _)| plan.length(&head.markdown) <= room);
        let (head, tail) = match parts {
            Some(parts) => parts,
            None if !is_first => {
                rest.push_front(block);
                return out;
            }
            None => cut::plain(&block, Room::of(room), plan),
        };
        out.push_str(between);
        out.push_str(&head.markdown);
        for block in tail.into_iter().rev() {
            rest.push_front(block);
        }
        return out;
    }
    out
}

/// What stands between the lead of a message and its first block.
fn opening(lead: &str, block: &Block) -> &'static str {
    match block.kind {
        Kind::Paragraph(_) => "",
        _ if lead.is_empty() || lead.ends_with('\n') => "",
        _ => "\n\n",
    }
}
