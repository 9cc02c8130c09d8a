//! The HTML of a Matrix message as Gitter Markdown (DESIGN 4).
//!
//! The tree is walked, and only what is named here becomes markup: of everything else the text is kept and the
//! style dropped (colours, underline, sub and sup, details). A spoiler is text too, with "(spoiler)" or
//! "(spoiler: reason)" before it. Depth and size are bounded. Nothing here cuts a text: see `split`.

pub(super) mod block;
mod inline;
mod list;
mod table;

use ruma::OwnedUserId;
use scraper::{ElementRef, Html, Node};
use serde_json::{Map, Value};

use self::{block::Block, inline::Inline};
use super::{Context, addresses, body::Body, escape, html, pills, typed};

/// The deepest nesting that is written; what is deeper is written as its text.
const MAX_DEPTH: usize = 100;

/// The deepest nesting at which lists, quotations and tables are written as such: each indents all of its lines.
const MAX_BLOCK_DEPTH: usize = 30;

/// What the writer needs to know beside the HTML.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    /// The world.
    pub(super) context: &'a Context,
    /// The people mentioned who have no pill in the HTML.
    pub(super) named: &'a [OwnedUserId],
    /// How `@/all` and `@room` are read.
    pub(super) announcements: typed::Announcements,
}

impl Setting<'_> {
    /// Marks what Gitter reads by itself, and people named in `m.mentions`.
    pub(super) fn finish(self, body: &mut Body) {
        pills::mark_named(body, self.named, self.context);
        addresses::mark(body, self.context);
        typed::mark(body, self.announcements, self.context);
    }
}

/// The HTML of a message, if it has any and it can be read.
pub(super) fn html_of(content: &Map<String, Value>) -> Option<&str> {
    content
        .get("formatted_body")
        .and_then(Value::as_str)
        .filter(|_| content.get("format").and_then(Value::as_str) == Some("org.matrix.custom.html"))
        .filter(|formatted| !html::is_refused(formatted))
}

/// Writes HTML as blocks; none if it shows nothing.
pub(super) fn blocks(formatted: &str, setting: Setting<'_>) -> Vec<Block> {
    let document = Html::parse_fragment(formatted);
    let mut writer = Writer::new(setting);
    writer.children(document.root_element(), 0);
    writer.end_paragraph();
    writer.blocks
}

/// The longest run of a character.
pub(super) fn longest_run(text: &str, of: char) -> usize {
    text.split(|it| it != of).map(str::len).max().unwrap_or(0)
}

struct Writer<'a> {
    setting: Setting<'a>,
    blocks: Vec<Block>,
    inline: Inline<'a>,
}

impl<'a> Writer<'a> {
    fn new(setting: Setting<'a>) -> Self {
        Self {
            setting,
            blocks: Vec::new(),
            inline: Inline::new(setting.context),
        }
    }

    fn children(&mut self, parent: ElementRef<'_>, depth: usize) {
        if depth >= MAX_DEPTH {
            let text: String = parent.text().collect();
            return self.inline.text(&text);
        }
        for child in parent.children() {
            match child.value() {
                Node::Text(text) => self.inline.text(text),
                Node::Element(_) => {
                    if let Some(element) = ElementRef::wrap(child) {
                        self.element(element, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn element(&mut self, element: ElementRef<'_>, depth: usize) {
        match element.value().name() {
            "mx-reply" | "script" | "style" | "template" | "title" => {}
            "p" | "div" | "details" | "summary" | "center" | "figure" | "caption"
                if element.attr("data-mx-maths").is_none() =>
            {
                self.end_paragraph();
                self.children(element, depth);
                self.end_paragraph();
            }
            name @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") => self.heading(name, element, depth),
            "blockquote" if depth < MAX_BLOCK_DEPTH => self.quotation(element, depth),
            "ul" | "ol" if depth < MAX_BLOCK_DEPTH => self.list(element, depth),
            "pre" => self.code(element),
            "hr" => {
                self.end_paragraph();
                self.blocks.push(Block::rule());
            }
            "table" if depth < MAX_BLOCK_DEPTH => {
                self.end_paragraph();
                let table = table::write(element, self.setting, depth);
                self.blocks.extend(table);
            }
            "blockquote" | "ul" | "ol" | "li" | "table" | "tr" => {
                self.end_paragraph();
                self.children(element, depth);
                self.end_paragraph();
            }
            _ => {
                if let Some(closing) = self.inline.open(element) {
                    self.children(element, depth);
                    self.inline.close(&closing);
                }
            }
        }
    }

    /// Ends the text before a block.
    fn end_paragraph(&mut self) {
        let inline = self.inline.take();
        if let Some(mut body) = inline {
            self.setting.finish(&mut body);
            self.blocks.push(Block::paragraph(body));
        }
    }

    fn heading(&mut self, name: &str, element: ElementRef<'_>, depth: usize) {
        self.end_paragraph();
        self.children(element, depth);
        let Some(mut body) = self.inline.take() else {
            return;
        };
        self.setting.finish(&mut body);
        let level = name.trim_start_matches('h').parse().unwrap_or(1);
        let text = escape::markdown(&body, "").replace('\n', " ");
        let markdown = format!("{} {}", "#".repeat(level), with_last_hashes(&text));
        self.blocks.push(Block::own(markdown, body.without_markup()));
    }

    /// The blocks of an element by itself.
    fn within(&mut self, element: ElementRef<'_>, depth: usize) -> Vec<Block> {
        let mut inner = Writer::new(self.setting);
        inner.children(element, depth);
        inner.end_paragraph();
        inner.blocks
    }

    fn quotation(&mut self, element: ElementRef<'_>, depth: usize) {
        self.end_paragraph();
        let blocks = self.within(element, depth);
        if blocks.is_empty() {
            return;
        }
        self.blocks.push(Block::quotation(blocks));
    }

    fn list(&mut self, list: ElementRef<'_>, depth: usize) {
        self.end_paragraph();
        let is_numbered = list.value().name() == "ol";
        let start = list.attr("start").and_then(|start| start.parse::<u32>().ok());
        let mut number = start.unwrap_or(1);
        let mut goes_on = false;
        for item in list.child_elements() {
            let blocks = self.within(item, depth + 1);
            let bullet = if is_numbered {
                format!("{number}. ")
            } else {
                "- ".to_owned()
            };
            number = number.saturating_add(1);
            if blocks.is_empty() {
                continue;
            }
            self.blocks.push(Block::item(bullet, blocks, goes_on));
            goes_on = true;
        }
    }

    fn code(&mut self, pre: ElementRef<'_>) {
        self.end_paragraph();
        let mut code = inline::text_with_breaks(pre);
        code.truncate(code.trim_end().len());
        let code = code.trim_start_matches('\n');
        if code.trim().is_empty() {
            return;
        }
        let language = pre
            .child_elements()
            .find(|child| child.value().name() == "code")
            .and_then(|code| {
                let mut names = code.value().classes();
                names.find_map(|class| class.strip_prefix("language-"))
            })
            .filter(|name| {
                name.chars()
                    .all(|it| it.is_ascii_alphanumeric() || "+-_.#".contains(it))
            });
        self.blocks.push(Block::code(language.unwrap_or_default(), code));
    }
}

/// The text of a heading, whose last hashes Gitter would drop.
fn with_last_hashes(text: &str) -> String {
    let kept = text.trim_end_matches(['#', ' ']);
    let kept = if kept.len() < text.len() {
        kept.trim_end_matches('\\')
    } else {
        kept
    };
    let hashes = text.get(kept.len()..).unwrap_or_default();
    format!("{kept}{}", hashes.replace("\\#", "#").replace('#', "&num;"))
}
