//! Files and pictures cross: as links that open without a login, and as files of the homeserver.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::world::{
    Room, World,
    database::{Database, on_both_databases},
    until,
};

/// The smallest picture there is: one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

on_both_databases![
    a_matrix_file_is_a_link_that_opens_until_it_is_redacted,
    a_gitter_upload_is_a_file_on_matrix,
    a_picture_has_its_thumbnail_where_that_can_be_had,
    what_cannot_be_fetched_crosses_as_text,
    people_of_matrix_have_their_pictures_on_gitter,
];

async fn a_matrix_file_is_a_link_that_opens_until_it_is_redacted(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let mxc = world.homeserver.add_media("text/plain", b"two oars".to_vec());
    let content = json!({ "msgtype": "m.file", "body": "a](b) ..\\\u{fc}.txt", "url": mxc });
    let event = world.ana_sends(&room, content);
    let link = link_of_message(&world, &room, 1).await;
    assert!(link.len() <= 120, "{link}");

    let answer = open(&world, &link).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.bytes().await.unwrap(), &b"two oars"[..]);

    world.homeserver.redact(&room.matrix, &world.ana, &event);
    until("the link to end", async || {
        Ok((open(&world, &link).await.status() == StatusCode::GONE).then_some(()))
    })
    .await;
    world.close().await;
}

async fn a_gitter_upload_is_a_file_on_matrix(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    for (name, content_type, bytes) in [
        ("boat.png", "image/png", PNG),
        ("list.txt", "text/plain", b"two oars".as_slice()),
    ] {
        world
            .gitter
            .upload("wren", room.gitter, name, content_type, bytes.to_vec())
            .unwrap();
        let event = world.arrives_on_matrix(&room, name).await;
        let content = &event["content"];
        let (known, kept) = world.homeserver.media(content["url"].as_str().unwrap()).unwrap();
        assert_eq!((known.as_str(), kept.as_slice()), (content_type, bytes));
        assert_eq!(content["info"]["mimetype"], content_type);
        assert_eq!(content["info"]["size"], bytes.len());
        assert_eq!(content["filename"], name);
        let is_picture = content_type == "image/png";
        assert_eq!(content["msgtype"], if is_picture { "m.image" } else { "m.file" });
        assert_eq!(
            content["info"]["w"],
            if is_picture { json!(1) } else { Value::Null }
        );
        assert_eq!(content["info"].get("thumbnail_url").is_some(), is_picture);
    }
    world.close().await;
}

async fn a_picture_has_its_thumbnail_where_that_can_be_had(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let upload = |name: &str, content_type: &str, bytes: &[u8]| {
        let gitter = &world.gitter;
        let made = gitter.upload("wren", room.gitter, name, content_type, bytes.to_vec());
        made.unwrap().url
    };
    let url = upload("boat.png", "image/png", PNG);
    let words = upload("list.txt", "text/plain", b"two oars");
    let event = world.arrives_on_matrix(&room, "boat.png").await;
    let info = &event["content"]["info"];
    let thumbnail = info["thumbnail_url"].as_str().unwrap();
    let (content_type, bytes) = world.homeserver.media(thumbnail).unwrap();
    assert_eq!(content_type, "image/png");
    assert_eq!(info["thumbnail_info"]["mimetype"], content_type);
    assert_eq!(info["thumbnail_info"]["size"], bytes.len());
    assert!(info["thumbnail_info"]["w"].is_u64(), "{info}");
    assert_ne!(event["content"]["url"], thumbnail);

    let missing = url.replace("boat.png", "thumb/gone.png");
    for (name, thumbnail) in [("gone", missing), ("words", words)] {
        world.wren_says(&room, &format!("[![{name}]({thumbnail})]({url})"));
        let again = world.arrives_on_matrix(&room, name).await;
        assert_eq!(again["content"]["msgtype"], "m.image", "{name}");
        assert_eq!(again["content"]["url"], event["content"]["url"]);
        let info = json!({ "mimetype": "image/png", "size": PNG.len(), "w": 1, "h": 1 });
        assert_eq!(again["content"]["info"], info, "{name}");
    }
    world.close().await;
}

async fn what_cannot_be_fetched_crosses_as_text(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let text = format!("[gone.txt]({}/5f/AbCd/gone.txt)", world.gitter_web());
    world.wren_says(&room, &text);
    let event = world.arrives_on_matrix(&room, &text).await;
    assert_eq!(event["content"]["msgtype"], "m.text");
    assert_eq!(event["content"]["im.gitter.source"]["op"], "create");
    let says = "it crossed as text: the file's server answered 404 Not Found";
    until("the ledger to say why", async || {
        Ok((world.items_that_say(says).await == 1).then_some(()))
    })
    .await;
    world.finish().await;
}

async fn people_of_matrix_have_their_pictures_on_gitter(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let mxc = world.homeserver.add_media("image/png", PNG.to_vec());
    let member = json!({ "membership": "join", "displayname": "Ana", "avatar_url": mxc });
    let ana = world.ana.to_string();
    world
        .homeserver
        .set_state(&room.matrix, &world.ana, "m.room.member", &ana, member);
    let mut pictures = Vec::new();
    for text in ["one", "two"] {
        world.ana_says(&room, text);
        let message = world.arrives_on_gitter(&room, text).await;
        pictures.push(message.virtual_user.unwrap().avatar_url.unwrap());
    }
    assert_eq!(pictures[0], pictures[1], "one picture has one address");
    assert_eq!(open(&world, &pictures[0]).await.status(), 200);
    world.finish().await;
}

/// The link in the last of so many messages on Gitter.
pub(crate) async fn link_of_message(world: &World, room: &Room, count: usize) -> String {
    let text = until("the message on Gitter", async || {
        let mut messages = world.gitter.messages(room.gitter);
        let last = messages.pop().filter(|_| messages.len() + 1 == count);
        Ok(last.map(|message| message.text))
    })
    .await;
    text.rsplit_once("](").unwrap().1.trim_end_matches(')').to_owned()
}

/// Opens a link as a browser does that has no login, past the proxy in front of the bridge.
pub(crate) async fn open(world: &World, link: &str) -> reqwest::Response {
    let signed = link.rsplit('/').next().unwrap();
    let address = world
        .bridge
        .appservice()
        .join(&format!("media/{signed}"))
        .unwrap();
    Client::new().get(address).send().await.unwrap()
}
