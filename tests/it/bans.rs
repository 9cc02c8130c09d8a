//! Bans on Gitter: who is banned there is not heard, and everybody else is (gitter-api 8).

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{
    Room, World,
    admin::answer,
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    an_account_that_is_banned_silences_no_virtual_users,
    a_virtual_user_that_is_banned_stays_silent,
];

async fn an_account_that_is_banned_silences_no_virtual_users(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    let before = world.ana_says(&room, "before");
    let posted = world.arrives_on_gitter(&room, "before").await.id;
    world.wren_bans(&room, &json!({ "username": "kelp" })).await;
    world.ana_says(&room, "after");
    let message = world.arrives_in_other_form(&room, "after").await;
    assert!(message.contains("Ana"), "{message}");
    // The second one is sent in that form at once.
    world.ana_says(&room, "once more");
    world.arrives_in_other_form(&room, "once more").await;
    let tries = world.tries_to_gitter(&room).await;
    assert_eq!(tries, 3, "one for each: the failed one was taken back");

    let edit = json!({
        "msgtype": "m.text", "body": "* better said",
        "m.new_content": { "msgtype": "m.text", "body": "better said" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": before },
    });
    world.ana_sends(&room, edit);
    let correction = world.arrives_in_other_form(&room, "better said").await;
    assert!(correction.contains(&format!("at={posted}")), "{correction}");
    world.drained().await;
    assert_eq!(world.gitter.messages(room.gitter).len(), 4);
    world.close().await;
}

async fn a_virtual_user_that_is_banned_stays_silent(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    world.ana_says(&room, "before");
    world.arrives_on_gitter(&room, "before").await;
    world.wren_bans(&room, &json!({ "username": "kelp" })).await;
    let user = json!({ "type": "matrix", "externalId": "ana:localhost" });
    world.wren_bans(&room, &json!({ "virtualUser": user })).await;
    world.ana_says(&room, "after");
    world.drained().await;
    until("it to fail", async || {
        Ok((world.items("failed forbidden").await == 1).then_some(()))
    })
    .await;
    assert_eq!(world.gitter.messages(room.gitter).len(), 1);
    world.close().await;
}

impl World {
    /// Bans somebody from a room, as the admin wren.
    pub(crate) async fn wren_bans(&self, room: &Room, whom: &Value) {
        let users = self.gitter.state().users;
        let wren = users.into_iter().find(|user| user.username == "wren").unwrap();
        let url = format!("{}/rooms/{}/bans", self.gitter_api(), room.gitter);
        let request = reqwest::Client::new()
            .request(Method::POST, url)
            .bearer_auth(&wren.tokens[0].token)
            .json(whom);
        let (status, ban) = answer(request).await.unwrap();
        assert_eq!(status, 200, "{ban}");
    }

    /// Waits for a message that the account posted in its own name and that ends in this; gives all of it.
    pub(crate) async fn arrives_in_other_form(&self, room: &Room, end: &str) -> String {
        until(&format!("{end:?} in the account's name"), async || {
            let messages = self.gitter.messages(room.gitter);
            let found = messages
                .into_iter()
                .find(|message| message.virtual_user.is_none() && message.text.ends_with(end));
            Ok(found.map(|message| message.text))
        })
        .await
    }
}
