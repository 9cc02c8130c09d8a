//! What people see of HTML, whoever wrote it: lines of styled text, and where each stands.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use scraper::{ElementRef, Html, Node};
use url::Url;

/// A line of text.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    /// The quotations, lists, items and so on that it is in, each with its number among its siblings.
    place: Place,
    /// Whether it begins a paragraph or another block, rather than following a line break.
    is_first: bool,
    /// Stretches of text of one style.
    runs: Vec<(String, String)>,
}

impl Line {
    /// What people see of it, without space.
    pub(super) fn letters(&self) -> impl Iterator<Item = char> + '_ {
        let characters = self.runs.iter().flat_map(|(_, text)| text.chars());
        characters.filter(|it| is_visible(*it))
    }
}

/// What people see of HTML.
pub(super) fn view(html: &str) -> Vec<Line> {
    let document = Html::parse_fragment(html);
    let mut viewer = Viewer::default();
    viewer.children(document.root_element());
    viewer.end_line(true);
    viewer.numbered()
}

/// The elements that something is in, each with a number.
type Place = Vec<(String, usize)>;

/// Characters with their styles.
type Styled = Vec<(String, char)>;

#[derive(Default)]
struct Viewer {
    lines: Vec<(Place, bool, Styled)>,
    line: Styled,
    is_first: bool,
    /// The elements around, each with a number of its own.
    place: Place,
    styles: Vec<String>,
    in_code: bool,
    elements: usize,
}

impl Viewer {
    fn children(&mut self, parent: ElementRef<'_>) {
        for child in parent.children() {
            match child.value() {
                Node::Text(text) => self.text(text),
                Node::Element(_) => self.element(ElementRef::wrap(child).unwrap()),
                _ => {}
            }
        }
    }

    fn element(&mut self, element: ElementRef<'_>) {
        let name = element.value().name();
        match name {
            "br" => self.end_line(false),
            "hr" => self.within("hr", |viewer| viewer.text("---"), true),
            "p" => {
                self.end_line(true);
                self.children(element);
                self.end_line(true);
            }
            "thead" | "tbody" => self.children(element),
            "pre" => {
                let language = element.child_elements().find_map(|code| code.attr("class"));
                let language = language.unwrap_or_default().trim_start_matches("language-");
                let code: String = element.text().collect();
                self.in_code = true;
                self.within(
                    &format!("pre {language}"),
                    |viewer| viewer.text(code.trim_end()),
                    true,
                );
                self.in_code = false;
            }
            "td" | "th" | "tr" | "table" | "blockquote" | "ul" | "ol" | "li" | "h1" | "h2" | "h3" | "h4"
            | "h5" | "h6" => self.within(name, |viewer| viewer.children(element), true),
            "strong" | "b" => self.styled("strong", element),
            "em" | "i" => self.styled("em", element),
            "code" => self.code(element),
            "del" => self.styled(name, element),
            "a" => self.link(element),
            "span" if element.attr("data-link-type") == Some("mention") => self.children(element),
            other => self.styled(&format!("?{other}"), element),
        }
    }

    fn within(&mut self, name: &str, inner: impl FnOnce(&mut Self), is_block: bool) {
        self.end_line(is_block);
        self.elements += 1;
        self.place.push((name.to_owned(), self.elements));
        inner(self);
        self.end_line(is_block);
        self.place.pop();
    }

    fn styled(&mut self, style: &str, element: ElementRef<'_>) {
        self.styles.push(style.to_owned());
        self.children(element);
        self.styles.pop();
    }

    /// Code. Such as would end emphasis around it stands outside of that, and in a
    /// cell of a table such as has a bar is text.
    fn code(&mut self, element: ElementRef<'_>) {
        let code: String = element.text().collect();
        let in_cell = self
            .place
            .last()
            .is_some_and(|(name, _)| name == "td" || name == "th");
        let around = self.styles.clone();
        if code.contains(['*', '~']) {
            self.styles.clear();
        }
        if code.chars().any(is_visible) && !(in_cell && code.contains('|')) {
            self.styles.push("code".to_owned());
        }
        self.text(if code.ends_with("` ") {
            code.trim_end()
        } else {
            &code
        });
        self.styles = around;
    }

    /// A link; what Gitter links by itself is the text that it is.
    fn link(&mut self, element: ElementRef<'_>) {
        let href = element.attr("href").unwrap_or_default();
        let href = percent_decode_str(href).decode_utf8_lossy();
        let label: String = element.text().collect();
        let label = percent_decode_str(&label).decode_utf8_lossy();
        let is_same = |address: &str| {
            address == href
                || matches!((Url::parse(address), Url::parse(&href)), (Ok(one), Ok(other)) if one == other)
        };
        let is_bare = ["", "http://", "mailto:"]
            .iter()
            .any(|scheme| is_same(&format!("{scheme}{label}")));
        if is_bare || !label.chars().any(is_visible) || element.attr("data-link-type") == Some("issue") {
            self.children(element);
        } else {
            self.styled(&format!("a {href}"), element);
        }
    }

    fn text(&mut self, text: &str) {
        let mut styles = self.styles.clone();
        styles.sort();
        styles.dedup();
        let style = styles.join(" ");
        for character in text.chars() {
            match character {
                '\n' if self.in_code => self.end_line(false),
                '\t' if self.in_code => self.line.extend(vec![(String::new(), ' '); 4]),
                '\u{200b}' | '\u{feff}' => {}
                // Gitter writes it as `%E2%80%AE` in the texts of links.
                '\u{202e}' if style.contains("a http") => {}
                _ if character.is_whitespace() => {
                    let ends_in_space = self.line.last().is_none_or(|(_, last)| *last == ' ');
                    if self.in_code || !ends_in_space {
                        self.line.push((String::new(), ' '));
                    }
                }
                _ if character.is_control() => {}
                _ => self.line.push((style.clone(), character)),
            }
        }
    }

    /// Ends a line; what comes next begins a block, or just a line.
    fn end_line(&mut self, is_block: bool) {
        let mut line = std::mem::take(&mut self.line);
        while line.last().is_some_and(|(_, last)| *last == ' ') {
            line.pop();
        }
        if line.iter().any(|(_, character)| is_visible(*character)) {
            self.lines
                .push((self.place.clone(), self.is_first || self.lines.is_empty(), line));
            self.is_first = false;
        }
        self.is_first |= is_block;
    }

    /// The lines, with numbers that tell which elements of a kind stand in one place.
    fn numbered(self) -> Vec<Line> {
        let mut known: BTreeMap<Place, usize> = BTreeMap::new();
        let mut count: BTreeMap<Place, usize> = BTreeMap::new();
        let number = |place: &[(String, usize)], known: &mut BTreeMap<_, _>, count: &mut BTreeMap<_, _>| {
            if let Some(number) = known.get(place) {
                return *number;
            }
            let parent = place
                .split_last()
                .map(|(_, parent)| parent.to_vec())
                .unwrap_or_default();
            let next = count.entry(parent).or_insert(0);
            *next += 1;
            known.insert(place.to_vec(), *next);
            *next
        };
        let lines = self.lines.into_iter().map(|(place, is_first, characters)| {
            let place = (1..=place.len())
                .map(|depth| {
                    let number = number(&place[..depth], &mut known, &mut count);
                    (place[depth - 1].0.clone(), number)
                })
                .collect();
            Line {
                place,
                is_first,
                runs: runs(characters),
            }
        });
        lines.collect()
    }
}

fn runs(characters: Styled) -> Vec<(String, String)> {
    let mut runs: Vec<(String, String)> = Vec::new();
    for (style, character) in characters {
        match runs.last_mut() {
            Some((last, text)) if character == ' ' || *last == style => text.push(character),
            _ => runs.push((style, character.to_string())),
        }
    }
    runs
}

fn is_visible(character: char) -> bool {
    !character.is_whitespace() && !is_zero_width(character)
}

fn is_zero_width(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
}
