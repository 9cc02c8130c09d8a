//! Gitter's own renderer as the oracle of the sandbox's: a corpus of texts through both.
//!
//! `markdown/differences.json` lists what may differ, by the reason why. A text that is listed and agrees fails the
//! test like one that differs and is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Stdio,
};

use gitter_sandbox::{NewRoom, Sandbox, Settings};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use xtask::workspace;

use crate::node::Node;

const ROOM: &str = "tidepool/markdown";

fn read<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = workspace::root().join("tests/clients/markdown").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// What Gitter makes of the texts.
async fn of_gitter(node: &Node, texts: &[String]) -> Vec<Value> {
    let mut command = node.script("markdown_oracle.js");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(json!(texts).to_string().as_bytes())
        .await
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the sandbox makes of a text that is posted.
async fn of_sandbox(http: &reqwest::Client, url: &str, token: &str, text: &str) -> Value {
    let request = http.post(url).bearer_auth(token).json(&json!({ "text": text }));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{text:?}");
    response.json().await.unwrap()
}

/// What both say of a text. The sandbox adds to mentions who is meant, which the renderer does not know.
fn compared(model: &Value) -> Value {
    let names = |mentions: &Value| -> Vec<Value> {
        let mentions = mentions.as_array().cloned().unwrap_or_default();
        mentions
            .iter()
            .filter(|mention| mention["group"] != true)
            .map(|mention| mention["screenName"].clone())
            .collect()
    };
    json!({
        "html": model["html"], "urls": model["urls"], "issues": model["issues"], "mentions": names(&model["mentions"]),
    })
}

#[tokio::test]
async fn the_sandbox_renders_as_gitter_does() {
    let Some(node) = Node::find().await else { return };
    // Another test of this process may have done it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let corpus: Vec<String> = read("corpus.json");
    let listed: BTreeMap<String, Vec<String>> = read("differences.json");
    let listed: BTreeSet<String> = listed.into_values().flatten().collect();
    assert!(corpus.len() >= 300);

    let sandbox = Sandbox::start(Settings {
        rate_limit: 0,
        ..Settings::default()
    })
    .await
    .unwrap();
    let room = sandbox.control().add_room(&NewRoom::public(ROOM)).unwrap();
    let url = format!("{}/rooms/{room}/chatMessages", sandbox.api_url());
    let http = reqwest::Client::new();
    let mut told = Vec::new();
    let mut differ = BTreeSet::new();
    for (text, gitter) in corpus.iter().zip(of_gitter(&node, &corpus).await) {
        let ours = compared(&of_sandbox(&http, &url, sandbox.token(), text).await);
        let gitters = compared(&gitter);
        if ours == gitters {
            continue;
        }
        differ.insert(text.clone());
        if !listed.contains(text) {
            told.push(format!("{}\n  gitter {gitters}\n  ours   {ours}\n", json!(text)));
        }
    }
    assert!(told.is_empty(), "unlisted differences:\n{}", told.concat());
    let agree: Vec<&String> = listed.difference(&differ).collect();
    assert!(agree.is_empty(), "listed, but they agree: {agree:?}");
}
