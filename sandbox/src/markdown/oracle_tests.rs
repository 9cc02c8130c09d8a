//! The renderer beside Gitter's own: `tests/markdown/corpus.json` is what npm's gitter-markdown-processor 21.0.0
//! made of each text there (`tests/clients/markdown_oracle.js`), `differences.json` names every text that is rendered otherwise here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Mentioned, render};

const CORPUS: &str = include_str!("../../tests/markdown/corpus.json");
const DIFFERENCES: &str = include_str!("../../tests/markdown/differences.json");

/// Highlighting is not compared: in code blocks the spans are dropped on both sides.
fn without_highlighting(html: &str) -> String {
    let mut plain = String::new();
    for (number, piece) in html.split("<pre><code").enumerate() {
        if number == 0 {
            plain += piece;
            continue;
        }
        let (code, rest) = piece.split_once("</code></pre>").expect("code blocks end");
        let mut pieces = code.split("<span class=\"");
        plain += "<pre><code";
        plain += pieces.next().unwrap();
        for marked in pieces {
            plain += marked.split_once("\">").expect("spans have one attribute").1;
        }
        plain = plain.replace("</span>", if code.contains("<span") { "" } else { "</span>" });
        plain += "</code></pre>";
        plain += rest;
    }
    plain
}

/// A text as this renderer has it, in the form of the corpus.
fn rendered(text: &str) -> Value {
    let rendered = render(text, str::to_owned);
    let mentions = rendered.mentions.iter().map(|mentioned| match mentioned {
        Mentioned::User(name) => json!({ "screenName": name }),
        Mentioned::Group(name) => json!({ "screenName": name, "group": true }),
    });
    json!({
        "text": text,
        "html": without_highlighting(&rendered.html),
        "urls": rendered.urls.iter().map(|url| json!({ "url": url })).collect::<Vec<_>>(),
        "mentions": mentions.collect::<Vec<_>>(),
        "issues": rendered.issues,
    })
}

#[test]
fn texts_are_rendered_as_by_gitter_but_for_the_listed_differences() {
    let corpus: Vec<Value> = serde_json::from_str(CORPUS).unwrap();
    assert!(corpus.len() >= 300, "the corpus holds {} texts", corpus.len());
    let mut listed: BTreeMap<String, Vec<String>> = serde_json::from_str(DIFFERENCES).unwrap();
    let mut listed: Vec<String> = std::mem::take(&mut listed).into_values().flatten().collect();
    let mut unlisted = Vec::new();
    for mut expected in corpus {
        expected["html"] = without_highlighting(expected["html"].as_str().unwrap()).into();
        let text = expected["text"].as_str().unwrap().to_owned();
        let ours = rendered(&text);
        if ours == expected {
            assert!(
                !listed.contains(&text),
                "{text:?} agrees now: take it off the list"
            );
        } else if let Some(place) = listed.iter().position(|listed| *listed == text) {
            listed.remove(place);
        } else {
            unlisted.push(format!("expected {expected}\n     got {ours}"));
        }
    }
    assert!(
        unlisted.is_empty(),
        "{} unlisted:\n{}",
        unlisted.len(),
        unlisted.join("\n")
    );
    assert_eq!(listed, Vec::<String>::new(), "listed but not in the corpus");
}
