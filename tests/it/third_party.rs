//! What clients find that search for Gitter's rooms and people.

use serde_json::json;

use crate::world::{
    World,
    database::{Database, on_both_databases},
};

on_both_databases![rooms_and_people_are_found];

async fn rooms_and_people_are_found(database: Database) {
    let mut world = World::start(database).await;
    let pier = world.link("pier").await;
    world.link("old_pier").await;
    world.wren_says(&pier, "hello");
    let hello = world.arrives_on_matrix(&pier, "hello").await;
    let wren = hello["sender"].as_str().unwrap();
    let spent = world.gitter.charged().requests;
    let ask = async |path: &str| world.homeserver.ask_appservice(path).await;

    let (status, protocol) = ask("thirdparty/protocol/gitter").await;
    assert_eq!(status, 200);
    assert_eq!(protocol["location_fields"], json!(["room"]));
    assert_eq!(protocol["user_fields"], json!(["username"]));
    assert_eq!(protocol["instances"][0]["network_id"], "gitter");
    assert_eq!(ask("thirdparty/protocol/irc").await.0, 404);

    let location = json!({ "alias": "#gitter_tidepool_pier:localhost", "protocol": "gitter", "fields": { "room": "tidepool/pier" } });
    let found = ask("thirdparty/location/gitter?room=Tidepool%2FPier").await;
    assert_eq!(found, (200, json!([location])));
    let (_, found) = ask("thirdparty/location/gitter?room=pier").await;
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    for nothing in [
        "thirdparty/location/gitter",
        "thirdparty/location/gitter?room=nowhere",
        "thirdparty/user/gitter?username=nobody",
        "thirdparty/location?alias=%23gitter_nowhere:localhost",
        "thirdparty/user?userid=%40ana:localhost",
    ] {
        assert_eq!(ask(nothing).await, (200, json!([])), "{nothing}");
    }
    // What is found can be joined, and is known by its alias from then on.
    let alias = location["alias"].as_str().unwrap();
    assert_eq!(
        world.homeserver.join_alias(alias, &world.ana).await,
        Ok(pier.matrix)
    );
    let found = ask("thirdparty/location?alias=%23gitter_tidepool_pier:localhost").await;
    assert_eq!(found, (200, json!([location])));

    let person = json!({ "userid": wren, "protocol": "gitter", "fields": { "username": "wren" } });
    let found = ask("thirdparty/user/gitter?username=wren").await;
    assert_eq!(found, (200, json!([person])));
    let found = ask(&format!("thirdparty/user?userid={wren}")).await;
    assert_eq!(found, (200, json!([person])));
    assert_eq!(ask(&format!("users/{wren}")).await.0, 200);
    assert_eq!(ask("users/@gitter_nobody-1:localhost").await.0, 404);
    assert_eq!(
        world.gitter.charged().requests,
        spent,
        "none of it is asked of Gitter"
    );
    world.close().await;
}
