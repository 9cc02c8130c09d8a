//! Rooms: resolved, shown and listed (gitter-api 4 and 14).

use gitter_sandbox::NewRoom;
use serde_json::json;

use crate::fixture::{Fixture, answer};

#[tokio::test]
async fn a_uri_resolves_in_any_case_without_joining() {
    let fixture = Fixture::start().await;
    let token = fixture.sandbox.token();
    let (status, room) = fixture
        .post(token, "/rooms", json!({"uri": "TidePool/HARBOUR"}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(room["id"], fixture.harbour.to_string());
    assert_eq!(room["uri"], "tidepool/harbour");
    assert_eq!(room["name"], "Tidepool/harbour");
    assert_eq!(
        (
            &room["public"],
            &room["oneToOne"],
            &room["roomMember"],
            &room["userCount"]
        ),
        (&json!(true), &json!(false), &json!(false), &json!(0))
    );
    assert_eq!(room["group"]["uri"], "tidepool");
    assert_eq!(room["group"]["id"], room["groupId"]);
    assert_eq!(room.get("tags"), None);
    assert_eq!(fixture.get(token, "/rooms").await.1, json!([]));

    let (_, shown) = fixture.get(token, &format!("/rooms/{}", fixture.harbour)).await;
    assert_eq!(shown["tags"], json!([]));
    assert_eq!(shown["id"], room["id"]);
}

#[tokio::test]
async fn what_is_no_readable_room_is_not_found() {
    let fixture = Fixture::start().await;
    let token = fixture.sandbox.token();
    for uri in [
        "tidepool",
        "tidepool/home",
        "tidepool/nowhere",
        "tidepool/locked",
        "bridge_bot",
        "WREN",
    ] {
        let refused = fixture.post(token, "/rooms", json!({ "uri": uri })).await;
        assert_eq!(
            refused,
            (404.try_into().unwrap(), json!({"error": "Not Found"})),
            "{uri}"
        );
    }
    assert_eq!(fixture.post(token, "/rooms", json!({})).await.0, 400);

    let locked = fixture.control.room_id("tidepool/locked").unwrap();
    assert_eq!(fixture.get(token, &format!("/rooms/{locked}")).await.0, 403);
    assert_eq!(fixture.get(token, &Fixture::messages_of(locked)).await.0, 403);
    let member = fixture.token("kelp", "sandbox");
    let (status, room) = fixture
        .post(&member, "/rooms", json!({"uri": "tidepool/locked"}))
        .await;
    assert_eq!((status.as_u16(), &room["public"]), (200, &json!(false)));
    assert_eq!(room["permissions"], json!({"admin": true}));
}

#[tokio::test]
async fn the_name_of_a_user_makes_one_one_to_one_room() {
    let fixture = Fixture::start().await;
    let bot = fixture.sandbox.token();
    let (status, room) = fixture.post(bot, "/rooms", json!({"uri": "wren"})).await;
    assert_eq!(status, 200);
    assert_eq!(
        (
            &room["oneToOne"],
            &room["public"],
            &room["groupId"],
            &room["githubType"]
        ),
        (&json!(true), &json!(false), &json!(null), &json!("ONETOONE"))
    );
    assert_eq!(room.get("uri"), None);
    assert_eq!(room["user"]["username"], "wren");
    let wren = fixture.token("wren", "sandbox");
    let (_, same) = fixture.post(&wren, "/rooms", json!({"uri": "bridge_bot"})).await;
    assert_eq!(same["id"], room["id"]);
    assert_eq!(same["url"], "/bridge_bot");
    let kelp = fixture.token("kelp", "sandbox");
    let path = format!("/rooms/{}", room["id"].as_str().unwrap());
    assert_eq!(fixture.get(&kelp, &path).await.0, 403);
}

#[tokio::test]
async fn a_room_is_listed_to_its_members() {
    let fixture = Fixture::start().await;
    let kelp = fixture.token("kelp", "sandbox");
    let (_, rooms) = fixture.get(&kelp, "/rooms").await;
    assert_eq!(rooms.as_array().unwrap().len(), 1);
    assert_eq!(rooms[0]["uri"], "tidepool/locked");
}

#[tokio::test]
async fn rooms_are_added_by_http_and_by_the_library() {
    let fixture = Fixture::start().await;
    let url = format!("{}/sandbox/rooms", fixture.sandbox.web_url());
    let add = async |room: serde_json::Value| {
        answer(fixture.http.post(&url).json(&room).send().await.unwrap()).await
    };
    let (status, room) = add(json!({"uri": "newpool/one", "topic": "t"})).await;
    assert_eq!(status, 200);
    let id = fixture.control.room_id("newpool/ONE").unwrap();
    assert_eq!(room["id"], id.to_string());
    assert_eq!(add(json!({"uri": "Newpool/One"})).await.0, 409);
    let (status, refused) = add(json!({"uri": "newpool/x", "publik": true})).await;
    assert_eq!(status, 422);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("unknown field `publik`"),
        "{refused}"
    );
    assert_eq!(add(json!({"uri": "newpool"})).await.0, 400);
    assert_eq!(
        add(json!({"uri": "newpool/two", "members": ["nobody"]})).await.0,
        400
    );
    assert!(fixture.control.add_room(&NewRoom::public("newpool/two")).is_ok());
}

#[tokio::test]
async fn only_admins_post_where_providers_are_asked_for() {
    let fixture = Fixture::start().await;
    let room = NewRoom {
        providers: vec!["github".to_owned()],
        admins: vec!["wren".to_owned()],
        ..NewRoom::public("tidepool/github")
    };
    let room = Fixture::messages_of(fixture.control.add_room(&room).unwrap());
    let wren = fixture.token("wren", "sandbox");
    assert_eq!(fixture.post(&wren, &room, json!({"text": "hi"})).await.0, 200);
    assert_eq!(
        fixture
            .post(fixture.sandbox.token(), &room, json!({"text": "hi"}))
            .await
            .0,
        403
    );
}
