//! Generated messages: texts that are likely to mean something to a Markdown renderer, and HTML with such texts.

use proptest::{
    collection::vec,
    prelude::{BoxedStrategy, Just, Strategy, any},
    prop_oneof,
    sample::select,
};

/// Pieces that are likely to mean something to a Markdown renderer.
#[rustfmt::skip]
const PIECES: [&str; 87] = [
    "*", "**", "_", "__", "~", "~~", "`", "```", "\\", "[", "]", "(", ")", "](", "![", "<", ">", "&",
    "&amp;", "&#65;", ";", "$", "$$", "@", "@/all", "@wren", "@a_b_", "#", "##", "#7", "-", "---", "+",
    "=", "==", "1.", "1)", "|", ":", ":-", "://", "http", "https://", "http://a.org", ":smile:", ":)",
    "http://a.org/_b*c", "www.", "ftp://", "a", "b", "é", "🐦", "7", " ", " ", " ", "  ", "- a", "> a",
    "\t", "!", ".", ",", "\"", "'", "/", "<b>", "</b>", "<!--", "-->", "a@b.org", "a/b#7", "\u{a0}",
    "\u{200b}", "\u{200d}", "\u{202e}", "\u{202c}", "\u{200f}", "א", "^", "{", "}", "%", "?", "[a]: b", "# a",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(PIECES.to_vec()).prop_map(str::to_owned),
        2 => select(vec!["word", "snake_case", "two words", "a, b", "x.", "(c)"]).prop_map(str::to_owned),
        1 => "[ -~]{1,6}",
    ]
}

/// A text of one line or several.
pub(super) fn text(most: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![8 => piece(), 1 => Just("\n".to_owned()), 1 => Just("\n\n".to_owned())];
    vec(piece, 1..most).prop_map(|pieces| pieces.concat())
}

fn line(most: usize) -> impl Strategy<Value = String> {
    vec(piece(), 1..most).prop_map(|pieces| pieces.concat())
}

/// The HTML that a plain text would be.
pub(super) fn plain_html(text: &str) -> String {
    let mut html = String::from("<p>");
    let mut is_empty = true;
    for line in text.split('\n') {
        if line.trim().is_empty() {
            html.push_str("</p><p>");
            is_empty = true;
            continue;
        }
        if !is_empty {
            html.push_str("<br>");
        }
        html.push_str(&escape(line));
        is_empty = false;
    }
    html + "</p>"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A whole message.
pub(super) fn html() -> impl Strategy<Value = String> {
    vec(block(), 1..5).prop_map(|blocks| blocks.concat())
}

/// A message of several parts, without tables, whose heads are repeated.
pub(super) fn long_html() -> impl Strategy<Value = String> {
    let wrapped = prop_oneof![
        Just(("", "")),
        Just(("<blockquote>", "</blockquote>")),
        Just(("<ol start=\"9\"><li>", "</li><li>b</li></ol>")),
        Just(("<blockquote><ul><li>a</li><li>", "</li></ul></blockquote>")),
    ];
    let long = prop_oneof![
        (inlines(), 20..400_usize).prop_map(|(inner, times)| format!("<p>{}</p>", inner.repeat(times))),
        (inline_run(), 20..400_usize)
            .prop_map(|(inner, times)| format!("<p><b>{}</b></p>", format!("{inner} ").repeat(times))),
        code_block()
            .prop_map(|code| code.replace("\n</code>", &format!("{}\n</code>", "\nlong".repeat(1500)))),
        html()
            .prop_filter("a table", |html| !html.contains("<table"))
            .prop_map(|html| html.repeat(9)),
    ];
    // More tags than are parsed would leave nothing.
    (wrapped, vec(long, 1..4))
        .prop_map(|((open, close), parts)| format!("{open}{}{close}", parts.concat()))
        .prop_filter("too many tags", |html| {
            html.matches('<').count() < 2000 && html.len() < 60_000
        })
}

fn block() -> BoxedStrategy<String> {
    let flat = prop_oneof![
        6 => inlines().prop_map(|inner| format!("<p>{inner}</p>")),
        1 => (1..7_u8, inline_run()).prop_map(|(level, inner)| format!("<h{level}>{inner}</h{level}>")),
        1 => code_block(),
        1 => Just("<hr>".to_owned()),
    ];
    let nested = flat.prop_recursive(3, 12, 3, |inner| {
        let blocks = vec(inner, 1..3).prop_map(|blocks| blocks.concat());
        let item = prop_oneof![2 => inlines(), 1 => blocks.clone()];
        let items =
            vec(item.prop_map(|item| format!("<li>{item}</li>")), 1..4).prop_map(|items| items.concat());
        prop_oneof![
            blocks.prop_map(|blocks| format!("<blockquote>{blocks}</blockquote>")),
            items.clone().prop_map(|items| format!("<ul>{items}</ul>")),
            (any::<bool>(), items).prop_map(|(starts, items)| {
                let start = if starts { " start=\"7\"" } else { "" };
                format!("<ol{start}>{items}</ol>")
            }),
        ]
    });
    prop_oneof![9 => nested, 1 => table()].boxed()
}

fn code_block() -> impl Strategy<Value = String> {
    let language = select(vec!["", " class=\"language-rust\"", " class=\"language-python\""]);
    (language, vec(line(5), 1..4)).prop_map(|(language, lines)| {
        format!(
            "<pre><code{language}>{}\n</code></pre>",
            escape(&lines.join("\n"))
        )
    })
}

fn table() -> impl Strategy<Value = String> {
    let cell = |name: &'static str| inline_run().prop_map(move |inner| format!("<{name}>{inner}</{name}>"));
    (1..4_usize).prop_flat_map(move |width| {
        let row = |name| vec(cell(name), width).prop_map(|cells| format!("<tr>{}</tr>", cells.concat()));
        (row("th"), vec(row("td"), 1..3)).prop_map(|(head, rows)| {
            format!(
                "<table><thead>{head}</thead><tbody>{}</tbody></table>",
                rows.concat()
            )
        })
    })
}

/// The contents of a paragraph, with line breaks.
fn inlines() -> impl Strategy<Value = String> {
    vec(inline_run(), 1..3).prop_map(|lines| lines.join("<br>"))
}

/// The contents of a line.
fn inline_run() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => line(5).prop_map(|text| escape(&text)),
        1 => line(4).prop_map(|text| inline_code(&text)),
        1 => link(),
    ];
    let styled = leaf.prop_recursive(3, 8, 3, |inner| {
        let name = select(vec!["strong", "em", "del", "b", "i"]);
        (name, vec(inner, 1..3)).prop_map(|(name, inner)| format!("<{name}>{}</{name}>", inner.concat()))
    });
    vec(styled, 1..4).prop_map(|parts| parts.concat())
}

fn inline_code(text: &str) -> String {
    // Behind a backtick at its end Gitter shows the space that has to be there.
    let text = if text.contains('`') { text.trim() } else { text };
    format!("<code>{}</code>", escape(text))
}

fn link() -> impl Strategy<Value = String> {
    let href = select(vec![
        "https://example.org",
        "https://example.org/a_(b)?c=d&e=*f*#g",
        "http://example.org/[x]~~y~~`z`",
        "https://example.org/a'b\"c",
    ]);
    (href, line(4)).prop_map(|(href, label)| format!("<a href=\"{}\">{}</a>", escape(href), escape(&label)))
}
