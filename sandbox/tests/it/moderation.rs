//! Bans and silent bans (gitter-api 5.8, 8 and 14).

use gitter_sandbox::Fault;
use serde_json::{Value, json};

use crate::{bayeux_client::BayeuxClient, fixture::Fixture};

const ANA: &str = "ana:example.org";

fn as_ana(text: &str) -> Value {
    json!({"text": text, "virtualUser": {"type": "matrix", "externalId": ANA, "displayName": "Ana"}})
}

#[tokio::test]
async fn a_banned_virtual_user_can_neither_post_nor_edit_but_be_deleted() {
    let fixture = Fixture::start().await;
    let room = fixture.room_with_admin();
    let (bot, wren) = (fixture.sandbox.token(), fixture.token("wren", "sandbox"));
    let (messages, bans) = (Fixture::messages_of(room), format!("/rooms/{room}/bans"));
    let (_, posted) = fixture.post(bot, &messages, as_ana("hi")).await;
    let posted = format!("{messages}/{}", posted["id"].as_str().unwrap());

    let kelp = fixture.token("kelp", "sandbox");
    assert_eq!(fixture.post(&kelp, &bans, json!({"username": ANA})).await.0, 403);
    let (status, ban) = fixture.post(&wren, &bans, json!({"username": ANA})).await;
    assert_eq!(status, 200);
    assert_eq!(ban["virtualUser"], json!({"type": "matrix", "externalId": ANA}));
    assert_eq!(ban["bannedBy"]["username"], "wren");
    let by_body = json!({"virtualUser": {"type": "matrix", "externalId": ANA}});
    let (status, again) = fixture.post(&wren, &bans, by_body).await;
    assert_eq!((status.as_u16(), &again["dateBanned"]), (200, &ban["dateBanned"]));
    assert_eq!(fixture.get(&kelp, &bans).await.1, json!([ban]));

    assert_eq!(fixture.post(bot, &messages, as_ana("hi")).await.0, 403);
    assert_eq!(fixture.put(bot, &posted, json!({"text": "new"})).await.0, 403);
    assert_eq!(fixture.delete(bot, &posted).await, 204);
    let mut other_case = as_ana("hi");
    other_case["virtualUser"]["externalId"] = json!("Ana:example.org");
    assert_eq!(fixture.post(bot, &messages, other_case).await.0, 200);

    assert_eq!(
        fixture.delete(&wren, &format!("{bans}/ana%3Aexample.org")).await,
        200
    );
    assert_eq!(fixture.delete(&wren, &format!("{bans}/{ANA}")).await, 404);
    assert_eq!(fixture.post(bot, &messages, as_ana("hi")).await.0, 200);
}

#[tokio::test]
async fn the_ban_of_an_account_breaks_the_posts_of_virtual_users_until_mended() {
    let fixture = Fixture::start().await;
    let room = fixture.room_with_admin();
    let (bot, wren) = (fixture.sandbox.token(), fixture.token("wren", "sandbox"));
    let (messages, bans) = (Fixture::messages_of(room), format!("/rooms/{room}/bans"));
    let (_, posted) = fixture.post(bot, &messages, as_ana("hi")).await;
    let posted = format!("{messages}/{}", posted["id"].as_str().unwrap());
    let kelp = fixture.token("kelp", "sandbox");
    fixture.control.post("kelp", room, "rude").unwrap();

    let rude = json!({"username": "kelp", "removeMessages": true});
    let (status, ban) = fixture.post(&wren, &bans, rude).await;
    assert_eq!((status.as_u16(), &ban["user"]["username"]), (200, &json!("kelp")));
    assert_eq!(fixture.control.messages(room).len(), 1, "kelp's message is gone");
    assert_eq!(fixture.get(&kelp, &messages).await.0, 403);
    assert_eq!(fixture.post(&kelp, &messages, json!({"text": "hi"})).await.0, 403);

    assert_eq!(fixture.post(bot, &messages, as_ana("hi")).await.0, 500);
    assert_eq!(fixture.put(bot, &posted, json!({"text": "new"})).await.0, 500);
    assert_eq!(fixture.post(bot, &messages, json!({"text": "hi"})).await.0, 200);
    fixture.control.add_fault(Fault::BanBug(false));
    assert_eq!(fixture.post(bot, &messages, as_ana("hi")).await.0, 200);
    fixture.control.add_fault(Fault::BanBug(true));
    assert_eq!(fixture.delete(&wren, &format!("{bans}/kelp")).await, 200);
    assert_eq!(fixture.post(bot, &messages, as_ana("hi")).await.0, 200);
}

#[tokio::test]
async fn not_everyone_can_be_banned_and_private_rooms_only_remove() {
    let fixture = Fixture::start().await;
    let wren = fixture.token("wren", "sandbox");
    let bans = format!("/rooms/{}/bans", fixture.room_with_admin());
    for (body, status) in [
        (json!({"username": "wren"}), 400),
        (json!({"username": "nobody"}), 404),
        (json!({}), 400),
    ] {
        assert_eq!(fixture.post(&wren, &bans, body.clone()).await.0, status, "{body}");
    }
    let kelp = fixture.token("kelp", "sandbox");
    let locked = fixture.control.room_id("tidepool/locked").unwrap();
    let path = format!("/rooms/{locked}/users");
    assert_eq!(
        fixture.post(&kelp, &path, json!({"username": "wren"})).await.0,
        200
    );
    let removed = fixture
        .post(
            &kelp,
            &format!("/rooms/{locked}/bans"),
            json!({"username": "wren"}),
        )
        .await;
    assert_eq!(removed, (202.try_into().unwrap(), json!({"removed": true})));
    assert_eq!(fixture.get(&wren, &path).await.0, 403);
}

#[tokio::test]
async fn bans_are_told_in_the_activity_feed_and_as_an_update_of_the_room() {
    let fixture = Fixture::start().await;
    let room = fixture.room_with_admin();
    let wren = fixture.token("wren", "sandbox");
    let bans = format!("/rooms/{room}/bans");
    let mut client = BayeuxClient::connected(&fixture, &wren).await;
    for channel in [
        format!("/api/v1/rooms/{room}"),
        format!("/api/v1/rooms/{room}/events"),
    ] {
        let reply = client.subscribe(&channel, json!({"snapshot": false})).await;
        assert_eq!(reply["successful"], true);
    }
    fixture.post(&wren, &bans, json!({"username": ANA})).await;
    let (operation, model, _) = client.news().await;
    assert_eq!((operation.as_str(), &model["v"]), ("update", &json!(1)));
    assert_eq!((model.get("tags"), model.get("permissions")), (None, None));
    let (operation, model, _) = client.news().await;
    assert_eq!(
        (operation.as_str(), &model["meta"]["event"]),
        ("create", &json!("banned"))
    );
    assert_eq!(model["meta"]["performingUser"]["username"], "wren");

    fixture.delete(&wren, &format!("{bans}/{ANA}")).await;
    let (_, model, _) = client.news().await;
    assert_eq!(model["meta"]["event"], "unbanned");
    let (_, feed) = fixture.get(&wren, &format!("/rooms/{room}/events?limit=1")).await;
    assert_eq!(feed, json!([model]));
}

#[tokio::test]
async fn an_account_with_new_tokens_is_known_by_them_alone() {
    let fixture = Fixture::start().await;
    let old = fixture.sandbox.token();
    fixture
        .alter("users/bridge_bot", json!({"new_tokens": true}))
        .await;
    let users = fixture.control.state().users;
    let bot = users.iter().find(|user| user.username == "bridge_bot").unwrap();
    assert_eq!(fixture.get(old, "/user/me").await.0, 401);
    for token in &bot.tokens {
        assert_eq!(
            fixture.get(&token.token, "/user/me").await.0,
            200,
            "{}",
            token.client
        );
    }
}

#[tokio::test]
async fn what_a_silently_banned_account_posts_is_answered_and_thrown_away() {
    let fixture = Fixture::start().await;
    fixture
        .alter("users/bridge_bot", json!({"silent_ban": true}))
        .await;
    let bot = fixture.sandbox.token();
    let mut client = BayeuxClient::connected(&fixture, bot).await;
    client.follow(fixture.harbour).await;
    let parent = fixture.control.post("wren", fixture.harbour, "parent").unwrap();
    let mut reply = as_ana("reply");
    reply["parentId"] = json!(parent);
    for body in [json!({"text": "hi"}), as_ana("hi"), reply] {
        let message = fixture.bridge_posts(body).await;
        assert_eq!((message.get("v"), &message["unread"]), (None, &json!(false)));
        let path = format!(
            "{}/{}",
            Fixture::messages_of(fixture.harbour),
            message["id"].as_str().unwrap()
        );
        assert_eq!(fixture.get(bot, &path).await.0, 404);
        assert_eq!(fixture.put(bot, &path, json!({"text": "x"})).await.0, 404);
        assert_eq!(fixture.delete(bot, &path).await, 404);
    }
    assert_eq!(fixture.control.messages(fixture.harbour).len(), 1);
    assert_eq!(client.news().await.1["text"], "parent");
    fixture
        .alter("users/bridge_bot", json!({"silent_ban": false}))
        .await;
    fixture.bridge_posts(json!({"text": "back"})).await;
    assert_eq!(client.news().await.1["text"], "back", "there was no news between");
}
