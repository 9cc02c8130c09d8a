//! Gitter's own renderer is the oracle of the sandbox's: what the sandbox's tests take for its answers
//! (`sandbox/tests/markdown/corpus.json`) are its answers.
//!
//! With the variable `BLESS` set this writes that file anew, from the texts beside it.

use std::{env, fs, process::Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use xtask::workspace;

use crate::node::Node;

#[tokio::test]
async fn the_corpus_holds_what_gitters_renderer_answers() {
    let Some(node) = Node::find().await else { return };
    let folder = workspace::root().join("sandbox/tests/markdown");
    let texts = fs::read(folder.join("texts.json")).unwrap();
    let mut command = node.script("markdown_oracle.js");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&texts).await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());

    let corpus = folder.join("corpus.json");
    if env::var_os("BLESS").is_some() {
        fs::write(&corpus, &output.stdout).unwrap();
    }
    let read = |bytes: &[u8]| -> Vec<Value> { serde_json::from_slice(bytes).unwrap() };
    let (answered, kept) = (read(&output.stdout), read(&fs::read(&corpus).unwrap()));
    assert_eq!(answered.len(), kept.len());
    for (answered, kept) in answered.iter().zip(&kept) {
        // Addresses of mail are written in entities, each time others.
        let is_mail = |row: &Value| row["html"].as_str().unwrap().contains("&#x");
        if !(is_mail(answered) && is_mail(kept)) {
            assert_eq!(answered, kept);
        }
    }
}
