//! What reaches Matrix is safe, whatever HTML Gitter sends: `ammonia`, set up with Matrix's own list of tags and
//! attributes (client-server API, "m.room.message msgtypes"), finds nothing to take out of it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{HashMap, HashSet};

use ammonia::Builder;
use gitter_matrix_bridge::translate::{Context, MatrixAction, Translation, to_matrix};
use proptest::prelude::*;
use scraper::Html;
use serde_json::json;

const TAGS: [&str; 37] = [
    "del",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "p",
    "a",
    "ul",
    "ol",
    "sup",
    "sub",
    "li",
    "b",
    "i",
    "u",
    "strong",
    "em",
    "s",
    "code",
    "hr",
    "br",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "caption",
    "pre",
    "span",
    "img",
    "details",
    "summary",
];

/// Pieces of HTML that a hostile or broken server could send, to be put together in any order.
const PIECES: [&str; 40] = [
    "<p>",
    "</p>",
    "<em>",
    "</em>",
    "<strong class=x onclick=alert(1)>",
    "</strong>",
    "<ul>",
    "<li>",
    "</ul>",
    "<ol start=3>",
    "<ol start=javascript:1>",
    "</ol>",
    "<blockquote>",
    "</blockquote>",
    "<pre><code class=\"rust\">",
    "<code class='a\"><script>alert(1)</script>'>",
    "</code></pre>",
    "<script>alert(1)</script>",
    "<style>*{display:none}</style>",
    "<img src=x onerror=alert(1)>",
    "<img alt=a src=\"javascript:alert(1)\">",
    "<img src='https://a.example/b.png' alt='<b>'>",
    "<a class=c href=\"javascript:alert(1)\">",
    "<a href=\"https://a.example/\" onmouseover=alert(1)>",
    "<a href='data:text/html,x' class=\"link \">",
    "<a href=\"JaVaScRiPt:alert(1)\" rel=nofollow>",
    "<a href=\"&#106;avascript:alert(1)\">",
    "</a>",
    "<span data-link-type=\"mention\" data-screen-name='\"><img src=x>' class=\"mention\">",
    "</span>",
    "<span class=katex><annotation encoding=\"application/x-tex\">\"><script>x</script></annotation></span>",
    "<table><tr><td>",
    "</td></tr></table>",
    "<svg><a xlink:href='javascript:1'>",
    "</svg>",
    "<math>",
    "</math>",
    "<template><b>",
    "</template>",
    "<!-- -->",
];

fn context() -> Context {
    serde_json::from_value(json!({
        "server_name": "example.org",
        "now": "2020-12-01T10:00:00Z",
        "web_url": "https://gitter.example.org",
        "portal": {
            "gitter_room_id": "5f0000000000000000000a01",
            "gitter_uri": "tidepool/harbour",
            "matrix_room_id": "!r:example.org",
            "repository": "https://github.com/tidepool/web",
        },
        "image_proxy_host": "proxy.example.org",
    }))
    .unwrap()
}

fn formatted(html: &str) -> Option<String> {
    let model = json!({
        "id": "5f0000000000000000000d01", "text": "text", "html": html,
        "fromUser": { "id": "5f0000000000000000000c01", "username": "wren" },
    });
    let operation = to_matrix::Operation {
        operation: "create".to_owned(),
        model,
    };
    match to_matrix::translate(&operation, &context()) {
        Translation::Actions { actions } => match &actions[0] {
            MatrixAction::Send { content, .. } => content["formatted_body"].as_str().map(str::to_owned),
            _ => None,
        },
        Translation::Skipped { .. } => None,
    }
}

fn matrix_list() -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(TAGS))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href", "target"])),
            ("ol", HashSet::from(["start"])),
            ("code", HashSet::from(["class"])),
            ("span", HashSet::from(["data-mx-maths"])),
        ]))
        .url_schemes(HashSet::from([
            "https", "http", "ftp", "mailto", "magnet", "matrix",
        ]))
        .link_rel(None);
    builder
}

/// HTML as one writer writes it, so that two texts can be compared.
fn levelled(html: &str) -> String {
    Html::parse_fragment(html).root_element().inner_html()
}

fn check(html: &str) {
    if let Some(formatted) = formatted(html) {
        let cleaned = matrix_list().clean(&formatted).to_string();
        assert_eq!(levelled(&formatted), levelled(&cleaned), "made of {html:?}");
    }
}

proptest! {
    #[test]
    fn nothing_has_to_be_taken_out(pieces in prop::collection::vec(prop::sample::select(PIECES.as_slice()), 0..12)) {
        check(&pieces.join(" x "));
    }

    #[test]
    fn nor_of_any_other_text(text in "[<>&\"'=/a-z :]{0,80}") {
        check(&text);
    }
}

#[test]
fn every_piece_by_itself_is_harmless() {
    for piece in PIECES {
        check(&format!("<em>before</em>{piece}after"));
    }
}

#[test]
fn links_that_run_code_go_in_whatever_order_of_attributes() {
    for scheme in [
        "javascript:",
        "data:text/html,",
        "vbscript:",
        "JAVASCRIPT:",
        " javascript:",
        "java\tscript:",
    ] {
        for tag in [
            format!("<a href=\"{scheme}x\" class=\"link \" rel=\"nofollow\">t</a>"),
            format!("<a class=\"link \" href=\"{scheme}x\">t</a>"),
            format!("<a rel=\"nofollow\" target=\"_blank\" class=\"link \" href='{scheme}x'>t</a>"),
            format!("<img alt=\"t\" src=\"{scheme}x\">"),
        ] {
            let formatted = formatted(&format!("<em>e</em>{tag}")).unwrap();
            assert_eq!(formatted, "<em>e</em>t", "{tag}");
        }
    }
}
