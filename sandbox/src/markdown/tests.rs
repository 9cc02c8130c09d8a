//! The expected html is what Gitter's own processor answered for the same texts.

use super::*;

fn render(text: &str) -> Rendered {
    super::render(text, str::to_owned)
}

fn html(text: &str) -> String {
    render(text).html
}

#[test]
fn paragraphs_and_inline_marks() {
    let cases = [
        (
            "hi *a* **b** _c_ ~~d~~ `co<de`",
            "hi <em>a</em> <strong>b</strong> <em>c</em> <del>d</del> <code>co&lt;de</code>",
        ),
        ("a\nb", "a<br>b"),
        ("a  \nb", "a<br>b"),
        ("a\n\nb", "<p>a</p><p>b</p>"),
        ("   ", ""),
        ("\\*a\\*", "*a*"),
        ("*a\nb*", "<em>a<br>b</em>"),
        ("&amp; &lt;", "&amp; &lt;"),
    ];
    for (text, expected) in cases {
        assert_eq!(html(text), expected, "{text}");
    }
}

#[test]
fn raw_html_is_shown_as_text() {
    let cases = [
        (
            "<b>x</b> & \"q\" 'r'",
            "&lt;b&gt;x&lt;/b&gt; &amp; &quot;q&quot; &#39;r&#39;",
        ),
        ("<div>\nfoo\n</div>", "&lt;div&gt;<br>foo<br>&lt;/div&gt;"),
        ("<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"),
    ];
    for (text, expected) in cases {
        assert_eq!(html(text), expected, "{text}");
    }
}

#[test]
fn blocks() {
    let cases = [
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        (
            "- a\n\n- b",
            "<ul>\n<li><p>a</p></li>\n<li><p>b</p></li>\n</ul>\n",
        ),
        ("- a\n  - b", "<ul>\n<li>a<ul>\n<li>b</li>\n</ul>\n</li>\n</ul>\n"),
        ("3. x", "<ol>\n<li>x</li>\n</ol>\n"),
        ("para\n\n- a\n- b", "para<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("> q\n> r", "<blockquote>\nq<br>r</blockquote>\n"),
        (
            "> q\n\nafter",
            "<blockquote>\n<p>q</p></blockquote>\n<p>after</p>",
        ),
        ("```\nplain\n```", "<pre><code>plain</code></pre>"),
        (
            "```rust\na < b\n```",
            "<pre><code class=\"rust\">a &lt; b</code></pre>",
        ),
        (
            "text\n```\ncode\n```\ntext",
            "<p>text</p><pre><code>code</code></pre><p>text</p>",
        ),
        ("# h\ntext", "<h1>h</h1>\ntext"),
        ("---", "<hr>\n"),
        (
            "|a|b|\n|:-|-|\n|1|2|",
            "<table>\n<thead>\n<tr>\n<th style=\"text-align:left\">a</th>\n<th>b</th>\n</tr>\n</thead>\n\
             <tbody>\n<tr>\n<td style=\"text-align:left\">1</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>\n",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(html(text), expected, "{text}");
    }
}

#[test]
fn links_and_images() {
    let link = |url: &str, class: &str, text: &str| {
        format!(
            "<a href=\"{url}\" rel=\"nofollow noopener noreferrer\" target=\"_blank\" class=\"{class}\">{text}</a>"
        )
    };
    let cases = [
        (
            "[t](http://e.org/?a=1&b=2)",
            link("http://e.org/?a=1&amp;b=2", "link ", "t"),
        ),
        (
            "http://e.org.",
            link("http://e.org", "link ", "http://e.org") + ".",
        ),
        ("www.e.org", link("http://www.e.org", "link ", "www.e.org")),
        ("[a](e.org)", link("http://e.org", "link link-tooltip", "a")),
        (
            "[j](javascript:alert)",
            link(HARMLESS_URL, "link link-tooltip", "j"),
        ),
        (
            "a@e.org",
            "<a href=\"mailto:a@e.org\" rel=\"nofollow\">a@e.org</a>".to_owned(),
        ),
        (
            "![alt](http://e.org/a.png \"tt\")",
            "<img src=\"http://e.org/a.png\" title=\"tt\" alt=\"alt\" rel=\"nofollow\">".to_owned(),
        ),
        (
            "[![N](http://f/t)](http://f/x)",
            link(
                "http://f/x",
                "link ",
                "<img src=\"http://f/t\" alt=\"N\" rel=\"nofollow\">",
            ),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(html(text), expected, "{text}");
    }
    assert_eq!(
        render("[![N](http://f/t)](http://f/x?a&b)").urls,
        ["http://f/t", "http://f/x?a&amp;b"]
    );
}

#[test]
fn mentions_are_marked_and_listed_but_not_in_code_or_bare_urls() {
    let rendered = render("@wren `@kelp` http://e.org/@ana [@/all](http://e.org)");
    assert!(rendered.html.starts_with(
        "<span data-link-type=\"mention\" data-screen-name=\"wren\" class=\"mention\">@wren</span> <code>@kelp</code>"
    ));
    assert!(rendered.html.contains(
        "<span data-link-type=\"groupmention\" data-group-name=\"all\" class=\"groupmention\">@/all</span>"
    ));
    assert_eq!(
        rendered.mentions,
        [
            Mentioned::User("wren".to_owned()),
            Mentioned::Group("all".to_owned())
        ]
    );
}

#[test]
fn the_deepest_messages_are_rendered() {
    for piece in [">", "*a", "[", "1. ", "> 1. "] {
        let text = piece.repeat(4096 / piece.len());
        assert!(html(&text).len() >= 2048, "{piece:?} repeated");
    }
}
