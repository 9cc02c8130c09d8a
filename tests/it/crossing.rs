//! What people say crosses, as themselves, once and in order.

use serde_json::json;

use crate::world::{
    World,
    database::{Database, on_both_databases},
};

on_both_databases![messages_cross_both_ways_with_names_pictures_and_times];

async fn messages_cross_both_ways_with_names_pictures_and_times(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;

    world.ana_says(&room, "Ahoy.");
    let message = world.arrives_on_gitter(&room, "Ahoy.").await;
    let virtual_user = message.virtual_user.unwrap();
    assert_eq!(
        (
            virtual_user.kind.as_str(),
            virtual_user.external_id.as_str(),
            virtual_user.display_name.as_str()
        ),
        ("matrix", "ana:localhost", "Ana")
    );

    let id = world.wren_says(&room, "Ahoy yourself.");
    let event = world.arrives_on_matrix(&room, "Ahoy yourself.").await;
    let sent = world
        .gitter
        .messages(room.gitter)
        .into_iter()
        .find(|message| message.id == id);
    assert_eq!(
        event["origin_server_ts"],
        json!(sent.unwrap().sent.as_millisecond())
    );
    let sender = event["sender"].as_str().unwrap();
    let members = world.homeserver.events(&room.matrix);
    let member = members
        .iter()
        .rfind(|event| event["type"] == "m.room.member" && event["state_key"] == sender)
        .unwrap();
    assert_eq!(member["content"]["displayname"], "Wren (Gitter)");
    let picture = member["content"]["avatar_url"].as_str().unwrap();
    let (content_type, bytes) = world.homeserver.media(picture).unwrap();
    assert!(
        content_type.starts_with("image/") && !bytes.is_empty(),
        "{content_type}"
    );
    world.finish().await;
}
