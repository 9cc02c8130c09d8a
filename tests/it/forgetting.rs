//! A person who is to be forgotten: what they said and were called goes, and everything else stays and works.

use gitter_sandbox::{RequestEffect, When};
use reqwest::StatusCode;
use serde_json::json;

use crate::world::{
    World,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    a_matrix_user_is_forgotten,
    a_gitter_user_is_forgotten,
    only_ids_are_taken,
];

/// Everywhere that a text may be kept: a query with the text as a pattern, and what it counts.
const KEPT: [(&str, &str); 8] = [
    ("items", "SELECT COUNT(*) FROM inbox WHERE body LIKE $1"),
    ("attempts", "SELECT COUNT(*) FROM attempt WHERE action LIKE $1"),
    (
        "texts",
        "SELECT COUNT(*) FROM message WHERE text LIKE $1 OR mentions LIKE $1",
    ),
    (
        "members",
        "SELECT COUNT(*) FROM member WHERE display_name LIKE $1 OR avatar_url LIKE $1",
    ),
    (
        "links",
        "SELECT COUNT(*) FROM media WHERE file_name LIKE $1 OR body LIKE $1",
    ),
    (
        "ghosts",
        "SELECT COUNT(*) FROM ghost WHERE username LIKE $1 OR display_name LIKE $1",
    ),
    ("profiles", "SELECT COUNT(*) FROM ghost WHERE shown_name LIKE $1"),
    ("details", "SELECT COUNT(*) FROM inbox WHERE detail LIKE $1"),
];

/// Where a text is kept.
async fn kept(world: &World, text: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (name, query) in KEPT {
        if world.database.number(query, &format!("%{text}%")).await > 0 {
            found.push(name);
        }
    }
    found
}

async fn a_matrix_user_is_forgotten(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let other = world.homeserver.make_user("bea", "Bea");
    world.ana_says(&room, "a secret of ana");
    let posted = world.arrives_on_gitter(&room, "a secret of ana").await.id;
    world.homeserver.join(&room.matrix, &other);
    world.homeserver.send_text(&room.matrix, &other, "no secret, ana");
    world.arrives_on_gitter(&room, "no secret, ana").await;
    let (_, link) = world.ana_shows_a_file(&room).await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    world.ana_says(&room, "another secret of ana");
    world.drained().await;
    let before = kept(&world, "secret of ana").await;
    assert_eq!(before, ["items", "attempts", "texts"]);
    assert_eq!(
        kept(&world, "oars").await,
        ["items", "attempts", "texts", "links"]
    );

    let (status, answer) = world.admin().forget(world.ana.as_str()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        [&answer["messages"], &answer["rooms"], &answer["waiting"]],
        [2, 1, 0],
        "{answer}"
    );
    for gone in ["secret of ana", "oars", "\"Ana\""] {
        assert_eq!(kept(&world, gone).await, Vec::<&str>::new(), "{gone}");
    }
    assert_eq!(kept(&world, "no secret").await, ["items", "attempts", "texts"]);
    assert_eq!(world.opens(&link).await, StatusCode::GONE);
    let (_, list) = world.admin().items("state=failed").await;
    let failed = list["items"][0]["id"].as_str().unwrap();
    assert_eq!(world.admin().retry(failed).await.0, 409);
    assert_eq!(world.admin().drop_item(failed).await.0, 204);

    // It goes on, and what crossed is still known.
    world.gitter.reply("wren", room.gitter, posted, "Aye.").unwrap();
    let reply = world.arrives_on_matrix(&room, "Aye.").await;
    assert!(
        reply["content"]["m.relates_to"]["event_id"].is_string(),
        "{reply}"
    );
    world.ana_says(&room, "new");
    world.arrives_on_gitter(&room, "new").await;
    world.drained().await;
    world.close().await;
}

async fn a_gitter_user_is_forgotten(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let written = world.wren_says(&room, "a secret of wren");
    let event = world.arrives_on_matrix(&room, "a secret of wren").await;
    world.ana_says(&room, "no secret");
    world.crossed().await;
    assert_eq!(kept(&world, "secret of wren").await, ["items", "attempts"]);
    let ghost = event["sender"].as_str().unwrap();
    let (status, answer) = world.admin().forget(ghost).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(kept(&world, "secret of wren").await, Vec::<&str>::new());
    assert_eq!(kept(&world, "Wren").await, Vec::<&str>::new());
    assert_eq!(kept(&world, "no secret").await, ["items", "attempts", "texts"]);

    // Who is forgotten may come back.
    world
        .gitter
        .edit("wren", room.gitter, written, "no more")
        .unwrap();
    let edit = world.arrives_as_edit(&room, "* no more").await;
    assert_eq!(edit["sender"], json!(ghost));
    world.wren_says(&room, "again");
    let event = world.arrives_on_matrix(&room, "again").await;
    assert_eq!(event["sender"], json!(ghost));
    until("the name to be known again", async || {
        Ok((!kept(&world, "Wren").await.is_empty()).then_some(()))
    })
    .await;
    world.drained().await;
    world.close().await;
}

async fn only_ids_are_taken(database: Database) {
    let world = World::start(database).await;
    for user in ["wren of the pier", "@ana", "wren.pier"] {
        let (status, answer) = world.admin().forget(user).await;
        assert_eq!(
            (status, &answer["errcode"]),
            (400, &json!("M_INVALID_PARAM")),
            "{user}"
        );
    }
    let (status, answer) = world.admin().forget("@nobody:localhost").await;
    assert_eq!((status, &answer["items"]), (200, &json!(0)), "{answer}");
    world.close().await;
}
