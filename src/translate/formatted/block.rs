//! Blocks of Markdown. They know what they are made of, so that one too long for a message can be cut.

use super::{inline, list, longest_run};
use crate::translate::{body::Body, escape};

/// A rule.
pub(super) const RULE: &str = "---";

/// A block of Markdown: a paragraph, an item of an outermost list, a quotation and so on.
#[derive(Debug, Clone)]
pub(in crate::translate) struct Block {
    /// The Markdown, without a line break at its end.
    pub(in crate::translate) markdown: String,
    /// The same without markup, for a block that cannot be cut otherwise.
    pub(in crate::translate) plain: Body,
    /// What kind of block it is.
    pub(in crate::translate) kind: Kind,
}

/// What matters of a block's kind when blocks are joined and cut.
#[derive(Debug, Clone)]
pub(in crate::translate) enum Kind {
    /// Text and marks; it can stand behind other text on a line.
    Paragraph(Body),
    /// Needs lines of its own.
    Own,
    /// A quotation of blocks.
    Quotation(Vec<Block>),
    /// An item of a list.
    Item {
        /// Its bullet or number.
        bullet: String,
        /// What it says.
        blocks: Vec<Block>,
        /// Whether it is an item of the list that the block before it is of.
        goes_on: bool,
    },
    /// A block of code.
    Code {
        /// The language, or nothing.
        language: String,
        /// The code.
        code: String,
    },
    /// A table: its lines of Markdown, the first two of which are its head, and what each row says.
    Table(Vec<Row>),
}

/// A row of a table.
#[derive(Debug, Clone)]
pub(in crate::translate) struct Row {
    /// Its line of Markdown.
    pub(in crate::translate) markdown: String,
    /// What it says.
    pub(in crate::translate) plain: Body,
}

/// Joins blocks to one Markdown text.
pub(super) fn join(blocks: &[Block]) -> String {
    let mut out = String::new();
    let mut before = None;
    for block in blocks {
        out.push_str(before.map_or("", |before: &Block| block.separator(&before.kind)));
        out.push_str(&block.markdown);
        before = Some(block);
    }
    out
}

impl Block {
    /// What stands between the block before and this one. Gitter would take two quotations for one, and two lists,
    /// even one with numbers and one without; something invisible keeps them apart.
    pub(in crate::translate) fn separator(&self, before: &Kind) -> &'static str {
        match (before, &self.kind) {
            (Kind::Item { .. }, Kind::Item { goes_on: true, .. }) => "\n",
            (Kind::Quotation(_), Kind::Quotation(_)) | (Kind::Item { .. }, Kind::Item { .. }) => {
                "\n\n\u{200b}\n\n"
            }
            _ => "\n\n",
        }
    }

    /// A block of code. Its fence is longer than any in the code.
    pub(in crate::translate) fn code(language: &str, code: &str) -> Self {
        let fence = "`".repeat(longest_run(code, '`').max(2) + 1);
        // Delivery would take it for one of its stand-ins, and code knows no escapes.
        let shown = inline::without_stand_ins(code);
        Self {
            markdown: format!("{fence}{language}\n{shown}\n{fence}"),
            plain: Body::new(code),
            kind: Kind::Code {
                language: language.to_owned(),
                code: code.to_owned(),
            },
        }
    }

    /// A block of its own Markdown.
    pub(in crate::translate) fn own(markdown: String, plain: Body) -> Self {
        Self {
            markdown,
            plain,
            kind: Kind::Own,
        }
    }

    /// A rule.
    pub(super) fn rule() -> Self {
        Self::own(RULE.to_owned(), Body::new(RULE))
    }

    /// A paragraph of text and marks.
    pub(in crate::translate) fn paragraph(body: Body) -> Self {
        Self {
            markdown: escape::markdown(&body, ""),
            plain: body.without_markup(),
            kind: Kind::Paragraph(body),
        }
    }

    /// A quotation.
    pub(in crate::translate) fn quotation(blocks: Vec<Self>) -> Self {
        Self {
            markdown: indented(&join(&blocks), "> ", "> "),
            plain: plain(&blocks),
            kind: Kind::Quotation(blocks),
        }
    }

    /// An item of a list.
    pub(in crate::translate) fn item(bullet: String, blocks: Vec<Self>, goes_on: bool) -> Self {
        let mut with_bullet = Body::new(&bullet);
        with_bullet.append(" ", &plain(&blocks));
        Self {
            markdown: list::item(&blocks, &bullet),
            plain: with_bullet,
            kind: Kind::Item {
                bullet,
                blocks,
                goes_on,
            },
        }
    }

    /// A table.
    pub(in crate::translate) fn table(rows: Vec<Row>) -> Self {
        let mut plain = Body::default();
        for row in &rows {
            plain.append("\n", &row.plain);
        }
        let lines: Vec<&str> = rows.iter().map(|row| row.markdown.as_str()).collect();
        Self {
            markdown: lines.join("\n"),
            plain,
            kind: Kind::Table(rows),
        }
    }
}

/// The text of blocks without their markup.
fn plain(blocks: &[Block]) -> Body {
    let mut all = Body::default();
    for block in blocks {
        let goes_on = matches!(block.kind, Kind::Item { goes_on: true, .. });
        all.append(if goes_on { "\n" } else { "\n\n" }, &block.plain);
    }
    all
}

/// Puts something before each line.
pub(super) fn indented(text: &str, first: &str, others: &str) -> String {
    let mut out = String::from(first);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
            out.push_str(if line.is_empty() {
                others.trim_end()
            } else {
                others
            });
        }
        out.push_str(line);
    }
    out
}
