//! Gitter's Markdown: the text of a message to the html that Gitter stores, and what it refers to.
//!
//! Pure. Follows gitter-api 5.6 and 5.7 for paragraphs, emphasis, links, images, code, lists, quotes,
//! headings, tables, mentions, issues and linked commits. It has no highlighting, maths or image proxy, and knows
//! no users: who a mention means is for the state to say. `tests/markdown` holds what Gitter's own renderer
//! makes of many texts, and where this one differs.

use std::fmt::{self, Write as _};

use comrak::{
    Arena, Options,
    arena_tree::NodeEdge,
    nodes::{AstNode, Node, NodeValue, TableAlignment},
    parse_document,
};

pub(crate) use self::reference::Issue;
use self::{
    mention::{Piece, split_mentions},
    reference::{Linked, linked, next_issue},
};

mod mention;
mod reference;

/// Where Gitter sends links of schemes that it does not trust.
const HARMLESS_URL: &str = "https://goo.gl/7NDM3x";

/// A text as Gitter shows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// The html.
    pub(crate) html: String,
    /// Links and images in the order they end, html-escaped as Gitter has them in `urls[]`.
    pub(crate) urls: Vec<String>,
    /// Mentions in reading order, repeats included.
    pub(crate) mentions: Vec<Mentioned>,
    /// Issues in reading order, repeats included.
    pub(crate) issues: Vec<Issue>,
}

/// Who is mentioned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mentioned {
    /// `@name`, without the `@`.
    User(String),
    /// `@/name`, without the `@/`.
    Group(String),
}

/// Renders the text of a message. `picture_url` says where a picture of a URL is fetched from.
pub(crate) fn render(text: &str, picture_url: impl Fn(&str) -> String) -> Rendered {
    let mut options = Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;

    // As Gitter's does before it parses.
    let text = text.replace('\t', "    ").replace('\u{a0}', " ");
    let arena = Arena::new();
    let document = parse_document(&arena, &text, &options);
    let paragraphs = document.descendants().filter(|node| is_paragraph(node)).count();
    let mut writer = Writer::new(paragraphs == 1, &picture_url);
    // The walk keeps its place in the tree, not on the stack, so deep nesting is harmless.
    for edge in document.traverse() {
        match edge {
            NodeEdge::Start(node) => writer.open(node),
            NodeEdge::End(node) => writer.close(node),
        }
    }
    Rendered {
        html: writer.html,
        urls: writer.urls,
        mentions: writer.mentions,
        issues: writer.issues,
    }
}

/// Whether the node shows as a paragraph: a raw html block does, the text of a tight list item does not.
fn is_paragraph(node: Node<'_>) -> bool {
    match node.data.borrow().value {
        NodeValue::HtmlBlock(_) => true,
        NodeValue::Paragraph => !in_tight_list(node),
        _ => false,
    }
}

fn in_tight_list(paragraph: Node<'_>) -> bool {
    let list = paragraph.parent().and_then(AstNode::parent);
    list.is_some_and(|list| matches!(list.data.borrow().value, NodeValue::List(list) if list.tight))
}

/// Writes html while the tree is walked.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says where in the tree the walk is"
)]
struct Writer<'picture> {
    picture_url: &'picture dyn Fn(&str) -> String,
    html: String,
    urls: Vec<String>,
    mentions: Vec<Mentioned>,
    issues: Vec<Issue>,
    /// The text that stands for a link, whose children are not shown.
    in_reference: bool,
    /// A message with exactly one paragraph has no `<p>`.
    unwrap_paragraph: bool,
    /// The description of the image whose children are being walked.
    image_description: Option<String>,
    /// Inside a bare URL nobody is mentioned.
    in_bare_url: bool,
    alignments: Vec<TableAlignment>,
    column: usize,
    in_table_head: bool,
}

impl<'picture> Writer<'picture> {
    fn new(unwrap_paragraph: bool, picture_url: &'picture dyn Fn(&str) -> String) -> Self {
        Self {
            picture_url,
            unwrap_paragraph,
            html: String::new(),
            urls: Vec::new(),
            mentions: Vec::new(),
            issues: Vec::new(),
            in_reference: false,
            image_description: None,
            in_bare_url: false,
            alignments: Vec::new(),
            column: 0,
            in_table_head: false,
        }
    }

    fn put(&mut self, html: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.html.write_fmt(html);
    }

    fn open(&mut self, node: Node<'_>) {
        let value = &node.data.borrow().value;
        if self.in_reference {
            return;
        }
        if self.image_description.is_some() {
            self.describe(value);
            return;
        }
        match value {
            NodeValue::Paragraph if !self.unwrap_paragraph && is_paragraph(node) => self.html.push_str("<p>"),
            NodeValue::BlockQuote => self.html.push_str("<blockquote>\n"),
            NodeValue::List(_) => self.put(format_args!("<{}>\n", list_tag(value))),
            NodeValue::Item(_) => self.html.push_str("<li>"),
            NodeValue::Heading(heading) => self.put(format_args!("<h{}>", heading.level)),
            NodeValue::ThematicBreak => self.html.push_str("<hr>\n"),
            NodeValue::CodeBlock(block) => self.code_block(&block.info, &block.literal),
            NodeValue::HtmlBlock(block) => self.html_block(&block.literal),
            NodeValue::Table(table) => {
                self.alignments.clone_from(&table.alignments);
                self.html.push_str("<table>\n");
            }
            NodeValue::TableRow(head) => self.open_row(*head),
            NodeValue::TableCell => self.open_cell(),
            NodeValue::Text(text) => self.text(text),
            NodeValue::SoftBreak | NodeValue::LineBreak => self.html.push_str("<br>"),
            NodeValue::Code(code) => self.put(format_args!("<code>{}</code>", escape(&code.literal))),
            NodeValue::HtmlInline(raw) => self.html += &escape(raw),
            NodeValue::Emph => self.html.push_str("<em>"),
            NodeValue::Strong => self.html.push_str("<strong>"),
            NodeValue::Strikethrough => self.html.push_str("<del>"),
            NodeValue::Link(link) => self.open_link(node, &link.url),
            NodeValue::Image(_) => self.image_description = Some(String::new()),
            _ => {}
        }
    }

    fn close(&mut self, node: Node<'_>) {
        let value = &node.data.borrow().value;
        if self.in_reference {
            self.in_reference = !matches!(value, NodeValue::Link(_));
            return;
        }
        if let NodeValue::Image(image) = value {
            self.image(&image.url, &image.title);
            return;
        }
        if self.image_description.is_some() {
            return;
        }
        match value {
            NodeValue::Paragraph if !self.unwrap_paragraph && is_paragraph(node) => {
                self.html.push_str("</p>");
            }
            NodeValue::BlockQuote => self.html.push_str("</blockquote>\n"),
            NodeValue::List(_) => self.put(format_args!("</{}>\n", list_tag(value))),
            NodeValue::Item(_) => self.html.push_str("</li>\n"),
            NodeValue::Heading(heading) => self.put(format_args!("</h{}>\n", heading.level)),
            NodeValue::Table(_) => self.html.push_str("</tbody>\n</table>\n"),
            NodeValue::TableRow(true) => self.html.push_str("</tr>\n</thead>\n<tbody>\n"),
            NodeValue::TableRow(false) => self.html.push_str("</tr>\n"),
            NodeValue::TableCell => {
                let tag = self.cell_tag();
                self.put(format_args!("</{tag}>\n"));
            }
            NodeValue::Emph => self.html.push_str("</em>"),
            NodeValue::Strong => self.html.push_str("</strong>"),
            NodeValue::Strikethrough => self.html.push_str("</del>"),
            NodeValue::Link(link) => self.close_link(node, &link.url),
            _ => {}
        }
    }

    fn code_block(&mut self, info: &str, literal: &str) {
        let class = match info.split_whitespace().next() {
            Some(language) => format!(" class=\"{}\"", escape(language)),
            None => String::new(),
        };
        let code = escape(literal.strip_suffix('\n').unwrap_or(literal));
        self.put(format_args!("<pre><code{class}>{code}</code></pre>"));
    }

    /// Gitter shows raw html as the text it is, line by line.
    fn html_block(&mut self, literal: &str) {
        let (before, after) = if self.unwrap_paragraph {
            ("", "")
        } else {
            ("<p>", "</p>")
        };
        self.html.push_str(before);
        for (number, line) in literal.trim_end().lines().enumerate() {
            if number > 0 {
                self.html.push_str("<br>");
            }
            self.text(line);
        }
        self.html.push_str(after);
    }

    fn open_row(&mut self, head: bool) {
        self.column = 0;
        self.in_table_head = head;
        self.html
            .push_str(if head { "<thead>\n<tr>\n" } else { "<tr>\n" });
    }

    fn open_cell(&mut self) {
        let tag = self.cell_tag();
        let style = match self.alignments.get(self.column) {
            Some(TableAlignment::Left) => " style=\"text-align:left\"",
            Some(TableAlignment::Center) => " style=\"text-align:center\"",
            Some(TableAlignment::Right) => " style=\"text-align:right\"",
            Some(TableAlignment::None) | None => "",
        };
        self.put(format_args!("<{tag}{style}>"));
        self.column += 1;
    }

    fn cell_tag(&self) -> &'static str {
        if self.in_table_head { "th" } else { "td" }
    }

    fn open_link(&mut self, node: Node<'_>, url: &str) {
        if let Some(linked) = linked(url) {
            self.in_reference = true;
            self.reference(url, &linked);
            return;
        }
        self.in_bare_url = is_bare_url(node, url);
        if is_bare_mail_address(self.in_bare_url, url) {
            self.put(format_args!("<a href=\"{}\" rel=\"nofollow\">", escape(url)));
            return;
        }
        let (url, altered) = trusted(url);
        let tooltip = if altered && !self.in_bare_url {
            "link-tooltip"
        } else {
            ""
        };
        self.put(format_args!(
            "<a href=\"{}\" rel=\"nofollow noopener noreferrer\" target=\"_blank\" class=\"link {tooltip}\">",
            escape(&url)
        ));
    }

    fn close_link(&mut self, node: Node<'_>, url: &str) {
        let bare = is_bare_url(node, url);
        self.in_bare_url = false;
        self.html.push_str("</a>");
        let url = if is_bare_mail_address(bare, url) {
            url.to_owned()
        } else {
            trusted(url).0
        };
        self.urls.push(escape(&url));
    }

    fn image(&mut self, url: &str, title: &str) {
        let description = self.image_description.take().unwrap_or_default();
        let url = (self.picture_url)(&escape(&trusted(url).0));
        let title = match title {
            "" => String::new(),
            title => format!(" title=\"{}\"", escape(title)),
        };
        self.put(format_args!(
            "<img src=\"{url}\"{title} alt=\"{}\" rel=\"nofollow\">",
            escape(&description)
        ));
        self.urls.push(url);
    }

    /// What Gitter shows in place of a link to an issue or commit.
    fn reference(&mut self, url: &str, linked: &Linked<'_>) {
        let (url, repo, short) = (escape(url), escape(&linked.repo), escape(&linked.short()));
        let Linked {
            kind, provider, id, ..
        } = linked;
        if *kind == "commit" {
            self.put(format_args!(
                "<a href=\"{url}\" target=\"_blank\" data-link-type=\"commit\" data-provider=\"{provider}\" \
                 data-commit-sha=\"{id}\" data-commit-repo=\"{repo}\" class=\"commit\">{short}</a>"
            ));
            return;
        }
        self.put(format_args!(
            "<a target=\"_blank\" data-link-type=\"{kind}\" data-issue=\"{id}\" href=\"{url}\" \
             data-provider=\"{provider}\" data-issue-repo=\"{repo}\" class=\"{kind}\">{short}</a>"
        ));
        self.issues.push(Issue {
            number: (*id).to_owned(),
            repo: Some(linked.repo.clone()),
        });
    }

    fn text_with_issues(&mut self, text: &str) {
        let mut rest = text;
        while let Some((start, length, issue)) = next_issue(rest) {
            let (before, from_issue) = rest.split_at(start);
            let (typed, after) = from_issue.split_at(length);
            self.html += &escape(before);
            let repo = match &issue.repo {
                Some(repo) => format!(" data-issue-repo=\"{repo}\""),
                None => String::new(),
            };
            self.put(format_args!(
                "<a target=\"_blank\" data-link-type=\"issue\" data-issue=\"{}\"{repo} class=\"issue\">{typed}</a>",
                issue.number
            ));
            self.issues.push(issue);
            rest = after;
        }
        self.html += &escape(rest);
    }

    /// Adds to the description of an image, which takes text only.
    fn describe(&mut self, value: &NodeValue) {
        let text = match value {
            NodeValue::Text(text) => text,
            NodeValue::Code(code) => code.literal.as_str(),
            NodeValue::HtmlInline(raw) => raw,
            NodeValue::SoftBreak | NodeValue::LineBreak => " ",
            _ => "",
        };
        if let Some(description) = &mut self.image_description {
            description.push_str(text);
        }
    }

    fn text(&mut self, text: &str) {
        if self.in_bare_url {
            self.html += &escape(text);
            return;
        }
        for piece in split_mentions(text) {
            match piece {
                Piece::Text(text) => self.text_with_issues(text),
                Piece::User(name) => {
                    self.put(format_args!(
                        "<span data-link-type=\"mention\" data-screen-name=\"{name}\" class=\"mention\">@{name}</span>"
                    ));
                    self.mentions.push(Mentioned::User(name.to_owned()));
                }
                Piece::Group(name) => {
                    self.put(format_args!(
                        "<span data-link-type=\"groupmention\" data-group-name=\"{name}\" \
                         class=\"groupmention\">@/{name}</span>"
                    ));
                    self.mentions.push(Mentioned::Group(name.to_owned()));
                }
            }
        }
    }
}

fn list_tag(list: &NodeValue) -> &'static str {
    match list {
        NodeValue::List(list) if list.list_type == comrak::nodes::ListType::Ordered => "ol",
        _ => "ul",
    }
}

/// Whether a link shows just its own URL, as one that was typed bare does.
fn is_bare_url(link: Node<'_>, url: &str) -> bool {
    let Some(child) = link.first_child().filter(|child| child.next_sibling().is_none()) else {
        return false;
    };
    match &child.data.borrow().value {
        NodeValue::Text(text) => ["", "http://", "mailto:"]
            .iter()
            .any(|scheme| url.strip_prefix(scheme) == Some(text)),
        _ => false,
    }
}

/// Only bare mail addresses keep their scheme; in `[text](mailto:...)` Gitter does not know it.
fn is_bare_mail_address(bare: bool, url: &str) -> bool {
    bare && url.starts_with("mailto:")
}

/// The URL that Gitter links, and whether it is another than the one typed.
fn trusted(url: &str) -> (String, bool) {
    let lower = url.to_lowercase();
    if ["javascript:", "data:"]
        .iter()
        .any(|scheme| lower.starts_with(scheme))
    {
        (HARMLESS_URL.to_owned(), true)
    } else if url.is_empty() || lower.contains("://") {
        (url.to_owned(), false)
    } else {
        (format!("http://{url}"), true)
    }
}

/// Escapes for html text and attributes, with the entities that Gitter uses.
fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut escaped, character| {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                other => escaped.push(other),
            }
            escaped
        })
}

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;
