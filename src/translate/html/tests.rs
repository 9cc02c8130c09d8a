use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{model::Message, translate::Context};

fn context() -> Context {
    serde_json::from_value(json!({
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

fn rendered(html: &str) -> Option<Rendered> {
    let context = context();
    let message: Message = serde_json::from_value(json!({ "id": "m1" })).unwrap();
    render(html, None, &People::of(&message, &context))
}

fn html(source: &str) -> String {
    rendered(source).unwrap().html
}

#[test]
fn nothing_unlisted_comes_out() {
    assert_eq!(
        html("<p onclick=\"x()\"><script>alert(1)</script><iframe src=\"//a\">x</iframe></p>"),
        "<p>x</p>"
    );
    assert_eq!(
        html(
            "<a class=\"c\" href=\"javascript:alert(1)\">a</a><a href=\" data:,x\">b</a><a href=\"/r\">c</a>"
        ),
        "abc"
    );
    assert_eq!(
        html("<a href='https://e.org/\"><b>'>a</a>"),
        "<a href=\"https://e.org/&quot;&gt;&lt;b&gt;\">a</a>"
    );
}

#[test]
fn space_beside_blocks_is_dropped_and_elsewhere_kept() {
    assert_eq!(
        html("<ul>\n<li>a <em>b</em> c</li>\n<li>d</li>\n</ul>\n"),
        "<ul><li>a <em>b</em> c</li><li>d</li></ul>"
    );
}

#[test]
fn code_loses_its_highlighting() {
    assert_eq!(
        html("<pre><code class=\"rust\"><span class=\"keyword\">let</span> a = &lt;b&gt;;\n</code></pre>"),
        "<pre><code class=\"language-rust\">let a = &lt;b&gt;;\n</code></pre>"
    );
    assert_eq!(
        html("<pre><code class='\"x'>a</code></pre>"),
        "<pre><code>a</code></pre>"
    );
}

#[test]
fn a_formula_is_its_source() {
    assert_eq!(
        html(concat!(
            "<span class=\"katex\"><math><mi>x</mi><annotation encoding=\"application/x-tex\">x^2</annotation></math>",
            "<span class=\"katex-html\">x2</span></span>",
        )),
        "<span data-mx-maths=\"x^2\"><code>x^2</code></span>"
    );
}

#[test]
fn depth_is_bounded_and_size_refused() {
    let deep = format!("{}x{}", "<strong>".repeat(900), "</strong>".repeat(900));
    let deep = html(&deep);
    assert!(deep.matches("<strong>").count() <= MAX_DEPTH);
    assert!(deep.contains('x'));
    assert!(rendered(&"<b>".repeat(MAX_TAGS + 1)).is_none());
}

#[test]
fn what_is_rich() {
    for plain in [
        "a",
        "<p>a</p><p>b</p>",
        "a<br>b",
        "<a href=\"https://e.org/\">https://e.org/</a>",
    ] {
        assert!(!rendered(plain).unwrap().is_rich, "{plain}");
    }
    for rich in [
        "<em>a</em>",
        "<code>a</code>",
        "<a href=\"https://e.org/\">a</a>",
        "<hr>",
        "<h1>a</h1>",
    ] {
        assert!(rendered(rich).unwrap().is_rich, "{rich}");
    }
}

/// Pieces of HTML, whole and broken.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<a href=\"https://e.org/?a=b&amp;c\" onclick=\"x()\">",
        "</a>",
        "<a class=\"c\" href=\"",
        "javascript:alert(1)",
        "\">",
        "'",
        "<img src=\"https://e.org/a.png\" onerror=x alt=\"",
        "<script>",
        "</script>",
        "<style>",
        "<svg><a xlink:href=\"javascript:x\">",
        "</svg>",
        "<math>",
        "<table>",
        "<td>",
        "<tr>",
        "</table>",
        "<li>",
        "<ul>",
        "<pre><code class=\"rust\">",
        "<code class='x\" y'>",
        "</code>",
        "</pre>",
        "<span data-screen-name=\"ana:example.org\">",
        "<span class=katex><annotation encoding=\"application/x-tex\">",
        "</span>",
        "<!--",
        "-->",
        "<![CDATA[",
        "&lt;b&gt;",
        "&",
        "<",
        ">",
        "a",
        " ",
        "\n",
        "<template>",
        "<noscript>",
        "<iframe>",
        "<textarea>",
        "<title>",
        "<form>",
        "<select>",
        "<ol start=3>",
        "<ol start=\"3\\\" x\">",
        "<hr>",
        "<br>",
        "<h1>",
        "<blockquote>",
        "<plaintext>",
        "\u{0}",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_html_comes_out_safe(source in soup()) {
        let html = html(&source);
        for element in Html::parse_fragment(&html).root_element().descendent_elements().skip(1) {
            let name = element.value().name();
            prop_assert!(is_block(name) || ["a", "em", "strong", "del", "code", "br", "span"].contains(&name), "{name} in {html}");
            for (attribute, value) in element.value().attrs() {
                let is_safe = match (name, attribute) {
                    ("a", "href") => ["https:", "http:", "mailto:", "matrix:"].iter().any(|scheme| value.starts_with(scheme)),
                    ("code", "class") => value.starts_with("language-"),
                    ("ol", "start") => value.parse::<u32>().is_ok(),
                    ("span", "data-mx-maths") => true,
                    _ => false,
                };
                prop_assert!(is_safe, "{attribute}={value} in {html}");
            }
        }
    }
}
