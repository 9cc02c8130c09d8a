//! Gitter's own clients, npm's faye client and a browser against the sandbox.

use std::env;

use gitter_sandbox::{NewRoom, Sandbox, Settings};
use tokio::process::Command;
use xtask::{packages, process};

use crate::node::Node;

const ROOM: &str = "tidepool/clients";

/// Runs a script against a sandbox of its own; it checks by itself and fails where something is not as it expects.
async fn is_content(script: &str) {
    if let Some(node) = Node::find().await {
        run(&mut node.script(script)).await;
    }
}

async fn run(command: &mut Command) {
    let sandbox = Sandbox::start(Settings {
        rate_limit: 0,
        ..Settings::default()
    })
    .await
    .unwrap();
    sandbox.control().add_room(&NewRoom::public(ROOM)).unwrap();
    command
        .env("API_URL", sandbox.api_url())
        .env("REALTIME_URL", sandbox.realtime_url())
        .env("TOKEN", sandbox.token())
        .env("ROOM_URI", ROOM);
    if let Err(error) = process::output(command).await {
        panic!("{error:#}");
    }
}

#[tokio::test]
async fn npms_faye_client_sees_all_that_happens_to_messages() {
    is_content("client_faye.js").await;
}

#[tokio::test]
async fn node_gitter_talks_and_listens() {
    is_content("client_node_gitter.js").await;
}

#[tokio::test]
async fn gitters_realtime_client_keeps_its_collections() {
    is_content("client_realtime.js").await;
}

#[tokio::test]
async fn the_sandboxs_page_is_live_in_a_browser() {
    let Some(node) = Node::find().await else { return };
    let Some(chromium) = packages::find("chromium") else {
        assert!(env::var_os("CI").is_none(), "Chromium is missing");
        eprintln!("Skipped: Chromium is missing (Debian's name is chromium)");
        return;
    };
    run(node.script("page.js").env("CHROMIUM", chromium)).await;
}
