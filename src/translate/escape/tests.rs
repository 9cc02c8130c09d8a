use proptest::prelude::*;
use scraper::{ElementRef, Html, Node};

use super::*;
use crate::translate::{
    addresses, body, people,
    split::{MAX_UNITS, Plan, split},
    typed,
};

fn context() -> crate::translate::Context {
    serde_json::from_value(serde_json::json!({
        "server_name": "example.org",
        "now": "2020-12-01T10:00:00Z",
        "web_url": "https://gitter.example.org",
        "portal": {
            "gitter_room_id": "5f0000000000000000000a01",
            "gitter_uri": "tidepool/harbour",
            "matrix_room_id": "!r:example.org",
        },
    }))
    .unwrap()
}

/// Gitter Markdown for a plain text, as a message without pills gets it.
fn written(text: &str, lead: &str) -> String {
    let mut body = Body::new(text);
    let announcements = typed::Announcements {
        all: false,
        room: false,
    };
    addresses::mark(&mut body, &context());
    typed::mark(&mut body, announcements, &context());
    markdown(&body, lead)
}

/// What people would see of a Markdown text, rendered much as Gitter does (gitter-api 5.7); `Err` if it
/// shows anything but text, line breaks, paragraphs and links.
fn seen(markdown: &str) -> Result<String, String> {
    let mut options = comrak::Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.render.hardbreaks = true;
    options.render.escape = true;
    let html = comrak::markdown_to_html(markdown, &options);
    let document = Html::parse_fragment(&html);
    let mut paragraphs = Vec::new();
    for paragraph in document.root_element().children().filter_map(ElementRef::wrap) {
        if paragraph.value().name() != "p" {
            return Err(html);
        }
        let mut text = String::new();
        for node in paragraph.descendants() {
            match node.value() {
                // comrak writes a line break as `<br />` and a newline.
                Node::Text(part) => text.push_str(&part.replace('\n', "")),
                Node::Element(element) => match element.name() {
                    "br" => text.push('\n'),
                    "p" | "a" => {}
                    _ => return Err(html),
                },
                _ => return Err(html),
            }
        }
        paragraphs.push(text);
    }
    Ok(paragraphs.join("\n\n").replace('\u{a0}', " "))
}

fn shows(text: &str) {
    let written = written(text, "");
    assert_eq!(
        seen(&written),
        Ok(body::normalise(text)),
        "written as {written:?}"
    );
    assert!(!written.contains("$$"), "a formula in {written:?}");
    assert!(!written.contains("@/"), "a group mention in {written:?}");
}

#[test]
fn marks_of_emphasis_and_code_show() {
    for text in [
        "*a* _b_ __c__ **d** ~~e~~ `f`",
        "```rust\nlet a;\n```",
        "~~~\na\n~~~",
        "a_b_ c",
        "\\*a\\*",
    ] {
        shows(text);
    }
}

#[test]
fn beginnings_of_blocks_show() {
    for text in [
        "# a",
        "#a",
        "####### a",
        "> a",
        ">a",
        "- a",
        "+ a",
        "* a",
        "1. a",
        "12) a",
        "a\n===",
        "a\n=",
        "a\n---",
        "---",
        "- - -",
        "***",
        "a | b\n--- | ---\nc | d",
        "| a |\n| - |",
        "a\n:-",
        "    a",
        "a\n    b\n\n\tc",
        "[a]: http://b.org",
        "-",
        "+",
        "1.",
        "a\n#7 b",
    ] {
        shows(text);
    }
}

#[test]
fn links_images_and_html_show() {
    for text in [
        "[a](http://b.org)",
        "![a](b)",
        "[a][b]",
        "<b>a</b>",
        "<!-- a -->",
        "<a@b.org>",
        "a <3 b",
        "&amp; &#38; &x;",
        "a](b) [c",
        "<http://a.org/b_c_>",
        "http://a.org/*b*_c_ http://d.org/*e*",
        "www.a.org/b_c_*d",
        "ftp://a/b_*c*",
    ] {
        shows(text);
    }
}

#[test]
fn maths_and_groups_show() {
    for text in ["$$x$$", "$$$", "@/all @/x", "a@/all"] {
        shows(text);
    }
}

#[test]
fn what_needs_nothing_stays() {
    for text in [
        "snake_case and kebab-case, 1 < 2 & 3 > 2",
        "@wren_gitlab see #7, a/b#8 and https://e.org/a_b?c=d&e=f#g (http://localhost:5000)",
        "#7 is broken",
        "10:30 :tada: 100% \"quoted\" 'it's' $5 -5 1.5 a=b a|b C# {x} ^",
        "line\nline\n\nparagraph",
    ] {
        assert_eq!(written(text, ""), text);
    }
}

#[test]
fn a_lead_is_not_the_start_of_a_line_and_paragraphs_are() {
    assert_eq!(written("# a\n# b", "**x** [m]: "), "**x** [m]: # a\n\\# b");
    assert_eq!(written("# a", "> note\n\n"), "> note\n\n\\# a");
}

#[test]
fn marks_join_with_nothing_around_them() {
    let mut body = Body::new("'Wren'-like Wren.b !Ana Wren: c");
    let mention = || MarkKind::Mention("@wren".to_owned());
    body.mark(1..5, mention());
    body.mark(12..16, mention());
    body.mark(
        20..23,
        MarkKind::Link {
            label: "Ana [x]".to_owned(),
            href: "https://matrix.to/#/@a=(b):x.org".to_owned(),
        },
    );
    body.mark(24..28, mention());
    assert_eq!(
        markdown(&body, ""),
        concat!(
            "&apos;@wren'-like @wren\\.b \\![Ana &lsqb;x&rsqb;](https://matrix.to/#/@a=%28b%29:x.org) ",
            "@wren: c"
        )
    );
}

/// Pieces that are likely to mean something to a Markdown renderer.
#[rustfmt::skip]
const PIECES: [&str; 77] = [
    "*", "**", "_", "__", "~", "~~", "`", "```", "\\", "[", "]", "(", ")", "](", "![", "<", ">", "&",
    "&amp;", "&#65;", ";", "$", "$$", "@", "@/all", "@wren", "@a_b_", "#", "##", "#7", "-", "---", "+",
    "=", "==", "1.", "1)", "|", ":", ":-", "://", "http", "https://", "http://a.org",
    "http://a.org/_b*c", "www.", "ftp://", "a", "b", "é", "🐦", "7", " ", "  ", "    ", "\n", "\n\n",
    "\t", "!", ".", ",", "\"", "'", "/", "<b>", "</b>", "<!--", "-->", "a@b.org", "a/b#7", "\u{a0}",
    "\u{2424}", "^", "{", "}", "%", "?",
];

/// Texts that are likely to mean something to a Markdown renderer.
fn adversarial() -> impl Strategy<Value = String> {
    let fragments = prop::sample::select(PIECES.to_vec());
    prop::collection::vec(fragments, 0..24).prop_map(|fragments| fragments.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_adversarial_text_shows(text in adversarial()) {
        let text = body::normalise(&text);
        // An address to comrak, even in a name; not to Gitter.
        prop_assume!(!text.contains("_www."));
        shows(&text);
    }

    #[test]
    fn any_text_shows(text in "[ -~\n\t\u{a0}éß\u{3b1}\u{1f426}]{0,60}") {
        shows(&text);
    }

    #[test]
    fn any_text_shows_around_marks(text in adversarial(), other: bool) {
        let text = body::normalise(&text);
        let mut body = Body::new(&text);
        for (index, (start, bird)) in text.match_indices('🐦').enumerate() {
            let kind = if other == (index % 2 == 0) {
                MarkKind::Mention("@wren".to_owned())
            } else {
                MarkKind::Link {
                    label: "[🐦]".to_owned(),
                    href: "https://matrix.to/#/@ana:example.org".to_owned(),
                }
            };
            body.mark(start..start + bird.len(), kind);
        }
        let shown = body.pieces().into_iter().map(|piece| match piece {
            Piece::Text(text) | Piece::Marked(text, MarkKind::Address) => text,
            Piece::Marked(_, MarkKind::Mention(mention)) => mention,
            Piece::Marked(_, MarkKind::Link { label, .. } | MarkKind::Markup { plain: label, .. }) => label,
        });
        let shown: String = shown.collect();
        let seen = seen(&markdown(&body, "")).map(|text| text.replace(ZERO_WIDTH_SPACE, ""));
        prop_assert_eq!(seen, Ok(shown));
    }

    #[test]
    fn any_name_shows_in_a_link(name in "[ -~é]{1,30}") {
        let name = body::normalise(&name);
        prop_assume!(!name.is_empty());
        let written = link(&name, "https://matrix.to/#/@ana:example.org");
        prop_assert_eq!(seen(&written), Ok(name));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_part_fits(text in adversarial(), repeats in 1_usize..2_000) {
        let mut body = Body::new(&text.repeat(repeats));
        typed::mark(&mut body, typed::Announcements { all: true, room: true }, &context());
        let plan = Plan { prefix: "**x** [m]: ", opening: "", cut_note: "(cut)", max_parts: 3, correction: None, link_units: 120 };
        let parts = split(&body, &plan);
        prop_assert!((1..=3).contains(&parts.len()));
        for part in parts {
            prop_assert!(people::units(&part) <= MAX_UNITS);
        }
    }
}
