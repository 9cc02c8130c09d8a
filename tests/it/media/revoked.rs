//! Operators end links: by link, by file, by event and by room, with the command and the admin API.

use reqwest::{Method, StatusCode};
use serde_json::json;
use xtask::process;

use super::crossing::{link_of_message, open};
use crate::world::{
    Room, World,
    admin::answer,
    bridge::PROGRAM,
    database::{Database, on_both_databases},
};

on_both_databases![links_end_as_operators_ask];

/// A file of ana's that crossed as the message with this number: its event, its address and its link.
async fn file(world: &World, room: &Room, number: usize) -> (String, String, String) {
    let mxc = world.homeserver.add_media("text/plain", b"two oars".to_vec());
    let content = json!({ "msgtype": "m.file", "body": format!("{number}.txt"), "url": mxc });
    let event = world.ana_sends(room, content);
    let link = link_of_message(world, room, number).await;
    assert_eq!(open(world, &link).await.status(), StatusCode::OK);
    (event.to_string(), mxc, link)
}

/// Runs `media revoke`; its exit code and what it printed.
async fn revoke(world: &World, arguments: &[&str]) -> (i32, String) {
    let mut command = process::command(PROGRAM);
    command
        .arg("-c")
        .arg(world.bridge.config_file())
        .args(["media", "revoke", "--yes"])
        .args(arguments);
    let output = command.output().await.unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(told).unwrap())
}

async fn links_end_as_operators_ask(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let mut files = Vec::new();
    for number in 1..=5 {
        files.push(file(&world, &room, number).await);
    }
    let links: Vec<&String> = files.iter().map(|(_, _, link)| link).collect();
    let last_two = ["--room", room.matrix.as_str()];
    for (arguments, says, first_left) in [
        (vec![links[0].as_str()], "Revoked 1 link.\n", 1),
        (vec![&files[1].1], "Revoked 1 link.\n", 2),
        (vec![&files[2].0, "--json"], "{\"revoked\":1}\n", 3),
        (last_two.to_vec(), "Revoked 2 links.\n", 5),
    ] {
        assert_eq!(revoke(&world, &arguments).await, (0, says.to_owned()));
        for (number, link) in links.iter().enumerate() {
            let expected = if number < first_left { 410 } else { 200 };
            assert_eq!(open(&world, link).await.status().as_u16(), expected, "{number}");
        }
    }
    let (code, told) = revoke(&world, &[links[0]]).await;
    assert!(code == 1 && told.contains("have ended already"), "{told}");
    let (code, told) = revoke(&world, &["two oars"]).await;
    assert!(code == 1 && told.contains("M_INVALID_PARAM"), "{told}");
    let request = world.admin().request(Method::DELETE, "media/$event");
    assert_eq!(answer(request).await.unwrap().0, 401);
    world.close().await;
}
