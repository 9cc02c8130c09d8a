//! Members, groups, profiles, renames, room settings (gitter-api 4, 7.4 and 14).

use gitter_sandbox::Fault;
use serde_json::{Value, json};

use crate::{
    bayeux_client::BayeuxClient,
    fixture::{Fixture, ids},
};

impl Fixture {
    async fn me(&self, username: &str) -> Value {
        self.get(&self.token(username, "sandbox"), "/user/me").await.1
    }
}

async fn following(fixture: &Fixture, token: &str, channels: &[String]) -> BayeuxClient {
    let mut client = BayeuxClient::connected(fixture, token).await;
    for channel in channels {
        let reply = client.subscribe(channel, json!({"snapshot": false})).await;
        assert_eq!(reply["successful"], true, "{reply}");
    }
    client
}

#[tokio::test]
async fn who_joins_and_leaves_is_told_and_listed() {
    let fixture = Fixture::start().await;
    let room = fixture.room_with_admin();
    let (wren, kelp) = (fixture.token("wren", "sandbox"), fixture.token("kelp", "sandbox"));
    let kelp_id = fixture.me("kelp").await["id"].as_str().unwrap().to_owned();
    let mut watching = following(&fixture, &wren, &[format!("/api/v1/rooms/{room}/users")]).await;
    let own = format!("/api/v1/user/{kelp_id}/rooms");
    let messages = format!("/api/v1/rooms/{room}/chatMessages");
    let mut kelps = following(&fixture, &kelp, &[own, messages]).await;

    let (status, joined) = fixture.post(&kelp, "/user/me/rooms", json!({"id": room})).await;
    assert_eq!((status.as_u16(), &joined["roomMember"]), (200, &json!(true)));
    let (operation, member, _) = watching.news().await;
    assert_eq!((operation.as_str(), &member["id"]), ("create", &json!(kelp_id)));
    let (operation, mine, _) = kelps.news().await;
    assert_eq!((operation.as_str(), &mine["id"]), ("create", &json!(room)));
    let (_, members) = fixture.get(&wren, &format!("/rooms/{room}/users?q=ke")).await;
    assert_eq!(ids(&members), [&kelp_id]);
    let (_, rooms) = fixture.get(&kelp, "/user/me/rooms").await;
    assert_eq!(rooms.as_array().unwrap().len(), 2);

    let kelps_place = format!("/rooms/{room}/users/kelp?type=username");
    assert_eq!(fixture.delete(fixture.sandbox.token(), &kelps_place).await, 403);
    assert_eq!(fixture.delete(&wren, &kelps_place).await, 200);
    assert_eq!(fixture.delete(&wren, &kelps_place).await, 404);
    assert_eq!(watching.news().await.1, json!({"id": kelp_id}));
    assert_eq!(kelps.news().await.1, json!({"id": room}));
    // From now on nothing of the room comes, and nothing says so.
    fixture.control.post("wren", room, "unheard").unwrap();
    fixture.post(&kelp, "/user/me/rooms", json!({"id": room})).await;
    let (operation, back, _) = kelps.news().await;
    assert_eq!((operation.as_str(), &back["id"]), ("create", &json!(room)));
    let path = format!("/rooms/{room}/users/{kelp_id}");
    assert_eq!(fixture.delete(&kelp, &path).await, 200);
}

#[tokio::test]
async fn profiles_change_and_members_are_told() {
    let fixture = Fixture::start().await;
    let locked = fixture.control.room_id("tidepool/locked").unwrap();
    let kelp = fixture.token("kelp", "sandbox");
    let mut client = following(&fixture, &kelp, &[format!("/api/v1/rooms/{locked}/users")]).await;
    fixture
        .alter("users/kelp", json!({"display_name": "Kelp the Elder"}))
        .await;
    let (operation, member, _) = client.news().await;
    assert_eq!(
        (operation.as_str(), &member["displayName"]),
        ("update", &json!("Kelp the Elder"))
    );
    assert_eq!((&member["v"], &member["role"]), (&json!(2), &json!("admin")));

    fixture.alter("users/kelp", json!({"username": "kelp2"})).await;
    assert_eq!(client.news().await.1["username"], "kelp2");
    assert_eq!(fixture.get(&kelp, "/users/kelp").await.0, 404);
    assert_eq!(fixture.get(&kelp, "/users/kelp2").await.1["id"], member["id"]);

    let message = fixture.control.post("kelp2", fixture.harbour, "hi").unwrap();
    fixture.alter("users/kelp2", json!({"removed": true})).await;
    assert_eq!(fixture.get(&kelp, "/user/me").await.0, 401);
    let path = format!("{}/{message}", Fixture::messages_of(fixture.harbour));
    let shown = fixture.get(fixture.sandbox.token(), &path).await.1;
    assert_eq!(shown["fromUser"]["removed"], true);
    fixture.control.erase_user("kelp2").unwrap();
    let shown = fixture.get(fixture.sandbox.token(), &path).await.1;
    assert_eq!((shown.get("fromUser"), &shown["text"]), (None, &json!("hi")));
}

#[tokio::test]
async fn a_renamed_room_keeps_its_id_and_its_old_uri_says_only_that_it_moved() {
    let fixture = Fixture::start().await;
    let token = fixture.sandbox.token();
    let mut client = following(&fixture, token, &[format!("/api/v1/rooms/{}", fixture.harbour)]).await;
    let path = format!("rooms/{}", fixture.harbour);
    fixture.alter(&path, json!({"uri": "tidepool/port"})).await;
    let (operation, model, _) = client.news().await;
    assert_eq!(
        (operation.as_str(), &model["uri"]),
        ("update", &json!("tidepool/port"))
    );

    let resolve = async |uri: &str| fixture.post(token, "/rooms", json!({ "uri": uri })).await;
    assert_eq!(
        resolve("TidePool/Harbour").await,
        (301.try_into().unwrap(), json!({"error": "Moved Permanently"}))
    );
    assert_eq!(
        resolve("tidepool/port").await.1["id"],
        fixture.harbour.to_string()
    );
    let new = fixture
        .control
        .add_room(&gitter_sandbox::NewRoom::public("tidepool/harbour"))
        .unwrap();
    assert_eq!(resolve("tidepool/harbour").await.1["id"], new.to_string());

    fixture.alter(&path, json!({"public": false})).await;
    assert_eq!(resolve("tidepool/port").await.0, 404);
    assert_eq!(fixture.get(token, &format!("/{path}")).await.0, 403);
}

#[tokio::test]
async fn admins_change_and_delete_rooms() {
    let fixture = Fixture::start().await;
    let room = fixture.room_with_admin();
    let (wren, kelp) = (fixture.token("wren", "sandbox"), fixture.token("kelp", "sandbox"));
    let path = format!("/rooms/{room}");
    let mut client = following(&fixture, &kelp, &[format!("/api/v1/rooms/{room}")]).await;
    assert_eq!(fixture.put(&kelp, &path, json!({"topic": "x"})).await.0, 403);
    assert_eq!(
        fixture
            .put(&wren, &path, json!({"topic": "x".repeat(4097)}))
            .await
            .0,
        400
    );
    let (_, changed) = fixture.put(&wren, &path, json!({"topic": "ropes"})).await;
    assert_eq!((&changed["topic"], changed.get("v")), (&json!("ropes"), None));
    let (operation, model, _) = client.news().await;
    assert_eq!(
        (operation.as_str(), model),
        ("patch", json!({"id": room, "topic": "ropes"}))
    );
    fixture.put(&wren, &path, json!({"tags": "sea, salt"})).await;
    let (operation, model, _) = client.news().await;
    assert_eq!((operation.as_str(), &model["v"]), ("update", &json!(1)));
    assert_eq!(fixture.get(&kelp, &path).await.1["tags"], json!(["sea", "salt"]));

    assert_eq!(fixture.delete(&kelp, &path).await, 403);
    assert_eq!(fixture.delete(&wren, &path).await, 200);
    let (operation, model, _) = client.news().await;
    assert_eq!((operation.as_str(), model), ("remove", json!({"id": room})));
    assert_eq!(fixture.get(&wren, &path).await.0, 404);
    assert_eq!(
        fixture
            .post(&wren, "/rooms", json!({"uri": "tidepool/quay"}))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn groups_list_their_rooms_and_their_admins_make_new_ones() {
    let fixture = Fixture::start().await;
    let (kelp, wren) = (fixture.token("kelp", "sandbox"), fixture.token("wren", "sandbox"));
    let (_, groups) = fixture.get(&kelp, "/groups").await;
    assert_eq!(
        (&groups[0]["uri"], &groups[0]["homeUri"]),
        (&json!("tidepool"), &json!("tidepool/home"))
    );
    assert_eq!(fixture.get(&wren, "/groups").await.1, json!([]));
    let group = format!("/groups/{}", groups[0]["id"].as_str().unwrap());
    assert_eq!(fixture.get(&wren, &group).await.1, groups[0]);
    let rooms = format!("{group}/rooms");
    assert_eq!(fixture.get(&wren, &rooms).await.1.as_array().unwrap().len(), 2);

    let new = json!({"name": "pier", "topic": "t", "security": {"security": "PUBLIC", "type": null}});
    assert_eq!(fixture.post(&wren, &rooms, new.clone()).await.0, 403);
    let (status, room) = fixture.post(&kelp, &rooms, new.clone()).await;
    assert_eq!((status.as_u16(), &room["uri"]), (200, &json!("tidepool/pier")));
    assert_eq!(
        (&room["permissions"], room.get("v")),
        (&json!({"admin": true}), None)
    );
    assert_eq!(fixture.post(&kelp, &rooms, new).await.0, 409);
    let (_, found) = fixture.get(&wren, "/rooms?q=pier").await;
    assert_eq!(ids(&found["results"]), [room["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn readers_are_counted_and_told_as_a_patch() {
    let fixture = Fixture::start().await;
    let (wren, kelp) = (fixture.token("wren", "sandbox"), fixture.token("kelp", "sandbox"));
    let message = fixture.control.post("wren", fixture.harbour, "hi").unwrap();
    let mut client = BayeuxClient::connected(&fixture, &wren).await;
    client.follow(fixture.harbour).await;
    let unread = format!("/user/me/rooms/{}/unreadItems", fixture.harbour);
    for token in [&kelp, &kelp, &wren] {
        let read = fixture.post(token, &unread, json!({"chat": [message]})).await;
        assert_eq!(read.0, 200);
    }
    let (operation, model, _) = client.news().await;
    assert_eq!(
        (operation.as_str(), model),
        ("patch", json!({"id": message, "readBy": 1, "v": 1}))
    );
    let readers = format!("{}/{message}/readBy", Fixture::messages_of(fixture.harbour));
    assert_eq!(fixture.get(&wren, &readers).await.1[0]["username"], "kelp");
}

#[tokio::test]
async fn the_clock_can_be_wrong() {
    let fixture = Fixture::start().await;
    fixture.control.add_fault(Fault::ClockSkewMs(-3_600_000));
    let path = Fixture::messages_of(fixture.harbour);
    let before = jiff::Timestamp::now();
    let answer = fixture
        .send(
            reqwest::Method::POST,
            fixture.sandbox.token(),
            &path,
            Some(json!({"text": "hi"})),
        )
        .await;
    let date = answer.headers()["date"].to_str().unwrap();
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .unwrap();
    assert!(date < before - jiff::SignedDuration::from_mins(59), "{date}");
    let (_, message) = crate::fixture::answer(answer).await;
    let sent: jiff::Timestamp = message["sent"].as_str().unwrap().parse().unwrap();
    assert!(sent < before - jiff::SignedDuration::from_mins(59), "{sent}");
    fixture.control.clear_faults();
    let message = fixture.bridge_posts(json!({"text": "hi"})).await;
    let sent: jiff::Timestamp = message["sent"].as_str().unwrap().parse().unwrap();
    assert!(sent.as_second() >= before.as_second(), "{sent}");
}
