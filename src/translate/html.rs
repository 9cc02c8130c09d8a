//! Gitter's HTML as Matrix-safe HTML.
//!
//! The tree is walked and written anew: only the tags and attributes named here come out, whatever goes in.
//! Depth and size are bounded, so that no message can exhaust the stack or the time.

mod inline;
mod references;

use ruma::OwnedUserId;
use scraper::{ElementRef, Html, Node};

use super::{emoji, mentions::People};

/// The deepest nesting that is written; what is deeper is written as its text.
const MAX_DEPTH: usize = 100;

/// The most `<` that are parsed: the parser's time can grow with their square.
const MAX_TAGS: usize = 2_000;

/// What became of a message's HTML.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    /// Matrix-safe HTML.
    pub(super) html: String,
    /// The text that it shows.
    pub(super) text: String,
    /// Whether it holds more than text, line breaks, paragraphs and bare addresses.
    pub(super) is_rich: bool,
    /// The people who are mentioned in it, each once, in order.
    pub(super) mentioned: Vec<OwnedUserId>,
}

/// Whether HTML is too much to parse.
pub(super) fn is_refused(html: &str) -> bool {
    html.matches('<').count() > MAX_TAGS
}

/// Renders the HTML of a Gitter message (gitter-api 5.7); `None` if it is too much.
///
/// `author`: the name whose mention is left out if the message begins with it, as `/me` lines do.
pub(super) fn render(html: &str, author: Option<&str>, people: &People<'_>) -> Option<Rendered> {
    if is_refused(html) {
        return None;
    }
    let document = Html::parse_fragment(html);
    let mut renderer = Renderer {
        people,
        rendered: Rendered::default(),
        leading_author: author,
        trim_next: false,
    };
    renderer.children(document.root_element(), Place::default());
    let mut finished = renderer.rendered;
    finished.html.truncate(finished.html.trim_end().len());
    Some(finished)
}

/// Makes text safe inside HTML, attributes included.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Where in the tree something stands.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    depth: usize,
    in_link: bool,
}

impl Place {
    fn deeper(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }
}

struct Renderer<'a> {
    people: &'a People<'a>,
    rendered: Rendered,
    /// Whose mention is left out as long as nothing else was written.
    leading_author: Option<&'a str>,
    /// Whether space at the start of the next text is left out.
    trim_next: bool,
}

impl Renderer<'_> {
    fn children(&mut self, parent: ElementRef<'_>, place: Place) {
        if place.depth >= MAX_DEPTH {
            let text: String = parent.text().collect();
            return self.text(&text, place);
        }
        for child in parent.children() {
            match child.value() {
                Node::Text(text) => {
                    let is_block = |it: ElementRef<'_>| is_block(it.value().name());
                    let is_edge = |sibling: Option<_>| match sibling {
                        None => is_block(parent),
                        Some(sibling) => ElementRef::wrap(sibling).is_some_and(is_block),
                    };
                    let mut text: &str = text;
                    if is_edge(child.prev_sibling()) {
                        text = text.trim_start();
                    }
                    if is_edge(child.next_sibling()) {
                        text = text.trim_end();
                    }
                    self.text(text, place);
                }
                Node::Element(_) => {
                    if let Some(element) = ElementRef::wrap(child) {
                        self.element(element, place.deeper());
                    }
                }
                _ => {}
            }
        }
    }

    fn element(&mut self, element: ElementRef<'_>, place: Place) {
        match element.value().name() {
            "script" | "style" | "template" => {}
            "p" => self.block("p", "", element, place),
            name @ ("blockquote" | "ul" | "li" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table"
            | "thead" | "tbody" | "tr" | "th" | "td") => {
                self.rendered.is_rich = true;
                self.block(name, "", element, place);
            }
            "ol" => {
                self.rendered.is_rich = true;
                let start = element.attr("start").and_then(|start| start.parse::<u32>().ok());
                let start = start.map(|start| format!(" start=\"{start}\""));
                self.block("ol", &start.unwrap_or_default(), element, place);
            }
            "hr" => {
                self.rendered.is_rich = true;
                self.rendered.html.push_str("<hr>");
                self.rendered.text.push('\n');
            }
            "pre" => self.preformatted(element),
            _ => self.inline(element, place),
        }
    }

    fn block(&mut self, name: &str, attributes: &str, element: ElementRef<'_>, place: Place) {
        self.rendered.html.extend(["<", name, attributes, ">"]);
        self.rendered.text.push('\n');
        self.children(element, place);
        self.rendered.html.extend(["</", name, ">"]);
        self.rendered.text.push('\n');
    }

    /// A block of code, without the highlighting; its language is the only class that Matrix knows.
    fn preformatted(&mut self, element: ElementRef<'_>) {
        let code: String = element.text().collect();
        let language = element
            .child_elements()
            .find(|child| child.value().name() == "code")
            .and_then(|code| code.value().classes().find_map(language));
        let class = language.map(|language| format!(" class=\"language-{language}\""));
        self.rendered.is_rich = true;
        self.leading_author = None;
        self.rendered.html.extend([
            "<pre><code",
            &class.unwrap_or_default(),
            ">",
            &escape(&code),
            "</code></pre>",
        ]);
        self.rendered.text.extend(["\n", &code, "\n"]);
    }

    /// Running text. Emoji are drawn from their names but in links.
    fn text(&mut self, text: &str, place: Place) {
        let text = if std::mem::take(&mut self.trim_next) {
            text.trim_start()
        } else {
            text
        };
        if !text.trim().is_empty() {
            self.leading_author = None;
        }
        let text = if place.in_link {
            text.to_owned()
        } else {
            emoji::replace(text)
        };
        self.rendered.html.push_str(&escape(&text));
        self.rendered.text.push_str(&text);
    }
}

/// The elements that stand on lines of their own, so that space beside them means nothing.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "html"
            | "p"
            | "blockquote"
            | "ul"
            | "ol"
            | "li"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "table"
            | "thead"
            | "tbody"
            | "tr"
            | "th"
            | "td"
            | "hr"
            | "pre"
            | "div"
    )
}

/// The language that a class names. Gitter writes the bare name; others put `language-` or `lang-` before it.
fn language(class: &str) -> Option<&str> {
    let name = class
        .strip_prefix("language-")
        .or_else(|| class.strip_prefix("lang-"))
        .unwrap_or(class);
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "+-_.#".contains(it);
    (!name.is_empty() && name.chars().all(is_plain)).then_some(name)
}

#[cfg(test)]
mod tests;
