//! Files are kept on disk as they pass: read again without the homeserver, and gone when their links end.

use gitter_matrix_bridge::store;
use serde_json::json;

use super::{
    EVENT, Setup,
    crossing::{link_of_message, open},
    sent,
};
use crate::world::{
    World,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![a_copy_goes_with_the_message_and_with_the_link_of_the_rooms];

/// Waits until there are so many copies.
async fn copies(setup: &Setup, count: usize) {
    until(&format!("{count} copies"), async || {
        Ok((setup.cache.ids().len() == count).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn what_was_read_once_is_read_again_without_the_homeserver() {
    let mut setup = Setup::start().await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let mxc = setup.homeserver.add_media("image/png", bytes.clone());
    let content = json!({ "body": "a.png" });
    let mut links = Vec::new();
    for stand_in in ["media", "thumbnail"] {
        links.push(setup.link(&format!("{stand_in}:{mxc}"), &content).await);
    }
    // A part is not kept, and neither is what is only asked for.
    let part = sent(setup.get(&links[0]).header("range", "bytes=5-9")).await;
    assert_eq!(part.bytes().await.unwrap(), bytes[5..10]);
    sent(setup.http.head(&links[0])).await;
    assert_eq!(setup.cache.ids(), []);

    let mut first = Vec::new();
    for link in &links {
        let answer = sent(setup.get(link)).await;
        let fields = answer.headers().clone();
        first.push((fields, answer.bytes().await.unwrap()));
    }
    copies(&setup, 2).await;
    setup.homeserver.stop().await;
    for (link, (fields, bytes)) in links.iter().zip(&first) {
        let answer = sent(setup.get(link)).await;
        assert_eq!(answer.status(), 200);
        for name in ["content-type", "content-length", "content-disposition", "etag"] {
            assert_eq!(answer.headers().get(name), fields.get(name), "{name}");
        }
        assert_eq!(answer.bytes().await.unwrap(), bytes);
    }
    let part = sent(setup.get(&links[0]).header("range", "bytes=299990-")).await;
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), bytes[299_990..]);
}

#[tokio::test]
async fn a_copy_of_what_ended_elsewhere_is_not_served_and_goes() {
    let setup = Setup::start().await;
    let mxc = setup.homeserver.add_media("text/plain", b"two oars".to_vec());
    let link = setup.link(&format!("media:{mxc}"), &json!({})).await;
    sent(setup.get(&link)).await.bytes().await.unwrap();
    copies(&setup, 1).await;

    let mut tx = setup.db.write().await.unwrap();
    store::media::revoke_by_event(&mut tx, &setup.matrix_room, EVENT)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(sent(setup.get(&link)).await.status(), 410);
    copies(&setup, 0).await;
}

async fn a_copy_goes_with_the_message_and_with_the_link_of_the_rooms(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let folder = world.bridge.config().data_dir.join("media-cache");
    let copies = async |count: usize| {
        until(&format!("{count} copies"), async || {
            let found = std::fs::read_dir(&folder)?.count();
            Ok((found == count).then_some(()))
        })
        .await;
    };
    let mut events = Vec::new();
    for number in 1..=2 {
        let mxc = world.homeserver.add_media("text/plain", b"two oars".to_vec());
        let content = json!({ "msgtype": "m.file", "body": format!("{number}.txt"), "url": mxc });
        events.push(world.ana_sends(&room, content));
        let link = link_of_message(&world, &room, number).await;
        let answer = open(&world, &link).await;
        assert_eq!(answer.bytes().await.unwrap(), &b"two oars"[..]);
        copies(number).await;
    }
    world.homeserver.redact(&room.matrix, &world.ana, &events[0]);
    copies(1).await;
    let (status, answer) = world.admin().unlink(&room.gitter.to_string()).await;
    assert_eq!(status, 204, "{answer}");
    copies(0).await;
    world.close().await;
}
