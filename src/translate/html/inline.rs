//! What stands inside lines: emphasis, links, mentions, images, maths.

use scraper::ElementRef;

use super::{Place, Renderer, escape, references};
use crate::translate::{link, mentions::Person};

impl Renderer<'_> {
    pub(super) fn inline(&mut self, element: ElementRef<'_>, place: Place) {
        match element.value().name() {
            name @ ("em" | "strong" | "del") => self.tag(name, element, place),
            "i" => self.tag("em", element, place),
            "b" => self.tag("strong", element, place),
            "s" | "strike" => self.tag("del", element, place),
            "code" => {
                let code: String = element.text().collect();
                self.rich(&format!("<code>{}</code>", escape(&code)), &code);
            }
            "br" => {
                self.rendered.html.push_str("<br>");
                self.rendered.text.push('\n');
            }
            "a" => self.link(element, place),
            "img" => self.image(element, place),
            _ if element.value().classes().any(|class| class == "katex") => self.maths(element, place),
            _ => match element.attr("data-screen-name") {
                Some(name) => self.mention(name, element, place),
                None => self.children(element, place),
            },
        }
    }

    fn tag(&mut self, name: &str, element: ElementRef<'_>, place: Place) {
        self.rendered.is_rich = true;
        self.rendered.html.extend(["<", name, ">"]);
        self.children(element, place);
        self.rendered.html.extend(["</", name, ">"]);
    }

    /// Writes ready HTML that is more than text.
    fn rich(&mut self, html: &str, text: &str) {
        self.rendered.is_rich = true;
        self.written(html, text);
    }

    /// Writes ready HTML.
    fn written(&mut self, html: &str, text: &str) {
        self.leading_author = None;
        self.trim_next = false;
        self.rendered.html.push_str(html);
        self.rendered.text.push_str(text);
    }

    fn link(&mut self, element: ElementRef<'_>, place: Place) {
        let context = self.people.context();
        let referred = || references::address(element, context.portal.repository.as_ref());
        let href = element.attr("href").map(str::to_owned).or_else(referred);
        let href = href.filter(|_| !place.in_link);
        let href = href.and_then(|href| linkable(&href));
        let Some(href) = href else {
            return self.children(element, place);
        };
        let shown: String = element.text().collect();
        let is_bare = shown == href || format!("mailto:{shown}") == href;
        // Clients link bare addresses by themselves.
        if !is_bare {
            self.rendered.is_rich = true;
        }
        let target = link::to_matrix(&href, context);
        if let Some(target) = target.as_ref().filter(|_| is_bare) {
            let target_html = escape(target);
            self.written(&format!("<a href=\"{target_html}\">{target_html}</a>"), target);
            return;
        }
        let href = target.unwrap_or(href);
        self.rendered.html.extend(["<a href=\"", &escape(&href), "\">"]);
        let place = Place {
            in_link: true,
            ..place
        };
        self.children(element, place);
        self.rendered.html.push_str("</a>");
    }

    /// Matrix clients show no images of the web, so an image is a link with its description, and to where
    /// the image is rather than to Gitter's proxy.
    fn image(&mut self, element: ElementRef<'_>, place: Place) {
        let proxy = self.people.context().image_proxy_host.as_deref();
        let source = element.attr("src").and_then(linkable).map(|source| {
            let original = proxy.and_then(|proxy| references::unproxied(&source, proxy));
            original
                .and_then(|original| linkable(&original))
                .unwrap_or(source)
        });
        let description = element.attr("alt").map(str::trim).filter(|alt| !alt.is_empty());
        let shown = description.or(source.as_deref()).unwrap_or("image");
        match source.as_ref().filter(|_| !place.in_link) {
            Some(source) => {
                let html = format!("<a href=\"{}\">{}</a>", escape(source), escape(shown));
                self.rich(&html, shown);
            }
            None => self.rich(&escape(shown), shown),
        }
    }

    /// `KaTeX` writes a formula twice and with its source; only the source crosses (client-server API,
    /// "mathematical messages").
    fn maths(&mut self, element: ElementRef<'_>, place: Place) {
        let source = element
            .descendent_elements()
            .find(|it| it.attr("encoding") == Some("application/x-tex"))
            .map(|annotation| annotation.text().collect::<String>());
        let Some(source) = source else {
            return self.children(element, place);
        };
        let source = source.trim();
        let escaped = escape(source);
        let html = format!("<span data-mx-maths=\"{escaped}\"><code>{escaped}</code></span>");
        self.rich(&html, source);
    }

    fn mention(&mut self, name: &str, element: ElementRef<'_>, place: Place) {
        if self
            .leading_author
            .take()
            .is_some_and(|author| author.eq_ignore_ascii_case(name))
        {
            self.trim_next = true;
            return;
        }
        let shown: String = element.text().collect();
        let Some(Person { id, name }) = self.people.mentioned(name) else {
            return self.children(element, place);
        };
        if place.in_link {
            self.children(element, place);
        } else {
            let href = escape(&link::to_user(&id));
            self.rich(&format!("<a href=\"{href}\">{}</a>", escape(&name)), &shown);
        }
        if !self.rendered.mentioned.contains(&id) {
            self.rendered.mentioned.push(id);
        }
    }
}

/// An address that may be linked: of the schemes that Matrix clients open and people expect. It comes without what browsers
/// overlook, and a homeserver or client may not (URL standard, "basic URL parser", steps 1 and 3).
fn linkable(address: &str) -> Option<String> {
    let address = address
        .trim_matches(|it: char| it <= ' ')
        .replace(['\t', '\n', '\r'], "");
    let url = url::Url::parse(&address).ok()?;
    matches!(url.scheme(), "http" | "https" | "mailto" | "matrix").then_some(address)
}
