//! Text with markup inside a block.

use scraper::{ElementRef, Node};

use crate::translate::{
    Context, addresses,
    body::{self, Body, Mark, MarkKind, PLACEHOLDER},
    escape,
    formatted::longest_run,
    link, people, stand_in,
};

/// The kinds of emphasis, by their Markdown.
const EMPHASES: [&str; 3] = ["**", "*", "~~"];

/// Text being collected.
pub(super) struct Inline<'a> {
    context: &'a Context,
    text: String,
    marks: Vec<Mark>,
    /// How deep the text is in each of [`EMPHASES`].
    depths: [usize; 3],
    /// Emphasis that begins with the next character, since Gitter takes no space there.
    pending: Vec<usize>,
    /// Emphasis that is open, outermost first.
    open: Vec<usize>,
    /// Where the text was when emphasis ended last.
    ended: Option<usize>,
    /// Where the text was when code ended last.
    code_ended: Option<usize>,
    /// Where the text was when italics began last.
    italic_began: Option<usize>,
}

/// What ends with an element.
pub(super) enum Closing {
    Nothing,
    Emphasis(usize),
}

impl<'a> Inline<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self {
            context,
            text: String::new(),
            marks: Vec::new(),
            depths: [0; 3],
            pending: Vec::new(),
            open: Vec::new(),
            ended: None,
            code_ended: None,
            italic_began: None,
        }
    }

    /// What was collected; `None` if people would see nothing of it. Emphasis that is open goes on in what
    /// is collected next.
    pub(super) fn take(&mut self) -> Option<Body> {
        self.suspend();
        let text = std::mem::take(&mut self.text);
        let marks = std::mem::take(&mut self.marks);
        self.ended = None;
        self.code_ended = None;
        self.italic_began = None;
        let shown = text.trim_end();
        let body = Body::with_marks(shown.to_owned(), marks);
        body.is_visible().then_some(body)
    }

    /// Ends all emphasis until something visible comes.
    fn suspend(&mut self) {
        let open: Vec<usize> = self.open.drain(..).collect();
        for kind in open.iter().rev() {
            self.write_end(*kind);
        }
        self.pending.splice(0..0, open);
    }

    /// Adds text; space is levelled as HTML does.
    pub(super) fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '\u{2424}' => self.line_break(),
                PLACEHOLDER | '\u{feff}' => {}
                _ if character.is_whitespace() => {
                    if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) {
                        self.text.push(' ');
                    }
                }
                _ if character.is_control() => {}
                _ => {
                    self.begin();
                    self.text.push(character);
                }
            }
        }
    }

    fn line_break(&mut self) {
        self.trim();
        let most = if self.open.is_empty() { 2 } else { 1 };
        let breaks = self.text.len() - self.text.trim_end_matches('\n').len();
        if !self.text.is_empty() && breaks < most {
            self.text.push('\n');
        }
    }

    fn trim(&mut self) {
        let end = self.text.trim_end_matches(' ').len();
        self.text.truncate(end);
    }

    /// Writes the beginnings of emphasis before something visible.
    fn begin(&mut self) {
        for kind in std::mem::take(&mut self.pending) {
            self.separate();
            let marker = EMPHASES.get(kind).copied().unwrap_or_default();
            // Of three asterisks, Gitter takes the first two together.
            if marker == "**" && self.italic_began == Some(self.text.len()) {
                self.text.push('\u{200b}');
            }
            self.markup(marker.to_owned(), String::new());
            if marker == "*" {
                self.italic_began = Some(self.text.len());
            }
            self.open.push(kind);
        }
    }

    /// Keeps the end of one emphasis apart from the beginning of another.
    fn separate(&mut self) {
        if self.ended == Some(self.text.len()) {
            self.text.push('\u{200b}');
        }
    }

    fn markup(&mut self, markdown: String, plain: String) {
        let start = self.text.len();
        self.text.push(PLACEHOLDER);
        self.marks.push(Mark {
            range: start..self.text.len(),
            kind: MarkKind::Markup { markdown, plain },
        });
    }

    fn marked(&mut self, text: &str, kind: MarkKind) {
        self.begin();
        let start = self.text.len();
        self.text.push_str(text);
        let range = start..self.text.len();
        self.marks.push(Mark { range, kind });
    }

    fn write_end(&mut self, kind: usize) {
        let end = self.text.trim_end().len();
        let space = self.text.split_off(end);
        let marker = EMPHASES.get(kind).copied().unwrap_or_default();
        self.markup(marker.to_owned(), String::new());
        self.ended = Some(self.text.len());
        self.text.push_str(&space);
    }

    /// Begins an element; `None` if it is written whole.
    pub(super) fn open(&mut self, element: ElementRef<'_>) -> Option<Closing> {
        let node = element.value();
        if let Some(tex) = node.attr("data-mx-maths") {
            self.maths(tex);
            return None;
        }
        match node.name() {
            "br" => self.line_break(),
            "strong" | "b" => return Some(self.emphasis(0)),
            "em" | "i" => return Some(self.emphasis(1)),
            "del" | "s" | "strike" => return Some(self.emphasis(2)),
            "code" | "tt" => {
                let code: String = element.text().collect();
                self.space_of(code.chars().next());
                self.code(&code);
                self.space_of(code.chars().next_back());
            }
            "img" => self.image(element),
            "a" => {
                let text = text_with_breaks(element);
                self.space_of(text.chars().next());
                let closing = self.anchor(element, &text);
                if closing.is_none() {
                    self.space_of(text.chars().next_back());
                }
                return closing;
            }
            _ => {
                if let Some(reason) = node.attr("data-mx-spoiler") {
                    self.spoiler(reason);
                }
                return Some(Closing::Nothing);
            }
        }
        None
    }

    pub(super) fn close(&mut self, closing: &Closing) {
        let Closing::Emphasis(kind) = *closing else {
            return;
        };
        let Some(depth) = self.depths.get_mut(kind) else {
            return;
        };
        *depth = depth.saturating_sub(1);
        if *depth > 0 {
            return;
        }
        if let Some(at) = self.pending.iter().rposition(|pending| *pending == kind) {
            self.pending.remove(at);
        } else if let Some(at) = self.open.iter().rposition(|open| *open == kind) {
            self.open.remove(at);
            self.write_end(kind);
        }
    }

    fn emphasis(&mut self, kind: usize) -> Closing {
        if let Some(depth) = self.depths.get_mut(kind) {
            *depth += 1;
            if *depth == 1 {
                self.pending.push(kind);
            }
        }
        Closing::Emphasis(kind)
    }

    fn spoiler(&mut self, reason: &str) {
        self.text("(spoiler");
        if body::is_visible(reason) {
            self.text(": ");
            self.text(reason);
        }
        self.text(") ");
    }

    /// Writes the space at the edge of something that is written without.
    fn space_of(&mut self, edge: Option<char>) {
        if edge.is_some_and(char::is_whitespace) {
            self.text(" ");
        }
    }

    fn code(&mut self, code: &str) {
        let code = body::normalise(code).replace('\n', " ");
        if !body::is_visible(&code) {
            return self.text(&code);
        }
        let shown = without_stand_ins(&code);
        let fence = "`".repeat(longest_run(&code, '`') + 1);
        let pad = if code.starts_with('`') || code.ends_with('`') {
            " "
        } else {
            ""
        };
        // Gitter would see the end of emphasis in the code.
        if code.contains(['*', '~']) {
            let pending = std::mem::take(&mut self.pending);
            self.suspend();
            self.pending.extend(pending);
        } else {
            self.begin();
        }
        if self.code_ended == Some(self.text.len()) {
            self.text.push('\u{200b}');
        }
        self.markup(format!("{fence}{pad}{shown}{pad}{fence}"), code);
        self.code_ended = Some(self.text.len());
    }

    /// A formula. Gitter reads TeX between `$$`, and nothing in it can be escaped.
    fn maths(&mut self, tex: &str) {
        let tex = body::normalise(tex).replace('\n', " ");
        if tex.is_empty() || tex.contains('$') || tex.contains("@/") || tex.ends_with('\\') {
            return self.code(&tex);
        }
        self.begin();
        self.markup(format!("$${}$$", without_stand_ins(&tex)), tex);
    }

    /// An image; custom emoji are their names.
    fn image(&mut self, element: ElementRef<'_>) {
        let attribute = |name| {
            element
                .attr(name)
                .map(str::trim)
                .filter(|it| body::is_visible(it))
        };
        let name = attribute("alt").or_else(|| attribute("title")).unwrap_or("image");
        if element.attr("data-mx-emoticon").is_some() {
            return self.text(name);
        }
        let src = attribute("src").unwrap_or_default();
        if stand_in::is_media(src) {
            self.begin();
            let markdown = format!("!{}", escape::link_to_stand_in(name, &stand_in::media(src)));
            self.markup(markdown, name.to_owned());
        } else if is_web(src) {
            self.begin();
            self.markup(format!("!{}", escape::link(name, src)), name.to_owned());
        } else {
            self.text(name);
        }
    }

    /// A link. Its text has no markup of its own on Gitter.
    fn anchor(&mut self, element: ElementRef<'_>, text: &str) -> Option<Closing> {
        let href = element.attr("href").map(str::trim).unwrap_or_default();
        let label = body::normalise(text).replace('\n', " ");
        if !body::is_visible(&label) {
            return Some(Closing::Nothing);
        }
        if let Some(user) = link::user_in(href) {
            match people::mention(&user, &label, self.context) {
                Some(kind) => {
                    let is_doubled = matches!(kind, MarkKind::Mention(_))
                        && self.text.ends_with('@')
                        && self
                            .marks
                            .last()
                            .is_none_or(|mark| mark.range.end < self.text.len());
                    if is_doubled {
                        self.text.pop();
                    }
                    self.marked(&label, kind);
                }
                None => self.text(&label),
            }
            return None;
        }
        let target = link::to_gitter(href, self.context);
        let is_bare = label == href || label.trim_end_matches('/') == href.trim_end_matches('/');
        let target = target.or_else(|| link::as_matrix_to(href));
        let href = match &target {
            Some(target) => target,
            None if is_web(href) => href,
            None => return self.unlinked(href, &label),
        };
        let label = if is_bare { href.to_owned() } else { label };
        let mut whole = Body::new(&label);
        addresses::mark(&mut whole, self.context);
        let links_itself =
            matches!(whole.marks(), [Mark { range, kind: MarkKind::Address }] if range.len() == label.len());
        if is_bare && links_itself {
            self.text(&label);
        } else {
            let href = href.to_owned();
            self.marked(&label.clone(), MarkKind::Link { label, href });
        }
        None
    }

    /// The text of a link that Gitter cannot show, and where it leads if that is of use in words.
    fn unlinked(&mut self, href: &str, label: &str) -> Option<Closing> {
        match in_words(href)
            .map(str::trim)
            .filter(|address| body::is_visible(address))
        {
            Some(address) if !label.contains(address) => {
                self.text(&format!("{label} ({address})"));
                None
            }
            _ => Some(Closing::Nothing),
        }
    }
}

/// What an address of mail or of files is in words; `None` for all else.
fn in_words(href: &str) -> Option<&str> {
    let (scheme, address) = href.split_once(':')?;
    if scheme.eq_ignore_ascii_case("mailto") {
        return address.split('?').next();
    }
    (scheme.eq_ignore_ascii_case("ftp") && address.starts_with("//")).then_some(href)
}

/// Whether an address leads to the web; Gitter puts `http://` before everything else.
fn is_web(address: &str) -> bool {
    let scheme = address.split(':').next().unwrap_or_default();
    ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
        && address.contains("://")
        && link::can_be_shown(address)
}

/// The text of an element in which `<br>` is a line break.
pub(super) fn text_with_breaks(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    for node in element.descendants() {
        match node.value() {
            Node::Text(part) => text.push_str(part),
            Node::Element(inner) if inner.name() == "br" => text.push('\n'),
            _ => {}
        }
    }
    text
}

/// Code in which nothing is a stand-in; an invisible character does it, since code knows no escapes.
pub(super) fn without_stand_ins(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    for (index, part) in code.split('{').enumerate() {
        if index > 0 {
            out.push('{');
            if stand_in::begins(part) {
                out.push('\u{200b}');
            }
        }
        out.push_str(part);
    }
    out
}
