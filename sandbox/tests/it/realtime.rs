//! Bayeux (gitter-api 7 and 14).

use serde_json::{Value, json};

use crate::{
    bayeux_client::BayeuxClient,
    fixture::{Fixture, ids},
};

#[tokio::test]
async fn a_handshake_needs_a_token_first_and_then_what_bayeux_needs() {
    let fixture = Fixture::start().await;
    let token = fixture.sandbox.token();
    let mut client = BayeuxClient::open(&fixture).await;
    let reply = client.handshake(json!({ "token": token })).await;
    assert_eq!(
        reply["advice"],
        json!({"reconnect": "retry", "interval": 500, "timeout": 120_000})
    );
    assert_eq!(reply["ext"]["userId"], reply["ext"]["context"]["user"]["id"]);
    assert_eq!((&reply["id"], &reply["version"]), (&json!("1"), &json!("1.0")));

    for (ext, error) in [
        (json!({}), "401::Access token required"),
        (json!({"token": "wrong"}), "401::Invalid access token"),
    ] {
        let reply = client.handshake(ext).await;
        assert_eq!(
            (&reply["successful"], &reply["error"]),
            (&json!(false), &json!(error))
        );
        assert_eq!(
            reply["advice"],
            json!({"reconnect": "none", "interval": 864_000_000})
        );
    }
    let handshake = json!({"channel": "/meta/handshake", "ext": {"token": token}});
    for (fields, error) in [
        (
            json!({"version": "1.0"}),
            "402:supportedConnectionTypes:Missing required parameter",
        ),
        (
            json!({"supportedConnectionTypes": ["websocket"]}),
            "402:version:Missing required parameter",
        ),
        (
            json!({"version": "1.0", "supportedConnectionTypes": ["foo"]}),
            "301:foo:Connection types not supported",
        ),
    ] {
        let mut message = handshake.clone();
        message
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        assert_eq!(client.ask(message).await["error"], error);
    }
}

#[tokio::test]
async fn an_empty_frame_is_answered_by_an_empty_frame() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::open(&fixture).await;
    client.send(&json!([])).await;
    assert_eq!(client.next_frame().await, json!([]));
}

#[tokio::test]
async fn an_unknown_client_is_told_to_handshake() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::open(&fixture).await;
    client.id = "nobody".to_owned();
    for channel in ["/meta/connect", "/meta/subscribe", "/ping2"] {
        let message = client.message(channel, json!({"connectionType": "websocket"}));
        let reply = client.ask(message).await;
        assert_eq!(reply["error"], "401:nobody:Unknown client");
        assert_eq!(
            reply["advice"],
            json!({"reconnect": "handshake", "interval": 2000})
        );
    }
}

#[tokio::test]
async fn clients_publish_to_the_probe_only() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    let probe = client.message("/ping2", json!({"data": {}}));
    assert_eq!(client.ask(probe).await["successful"], true);
    let push = client.message("/api/v1/rooms", json!({"data": {}}));
    assert_eq!(client.ask(push).await["error"], "403::Push access denied");
    let bye = client.message("/meta/disconnect", json!({}));
    assert_eq!(client.ask(bye).await["successful"], true);
    assert_eq!(fixture.control.state().realtime_clients, 0);
}

#[tokio::test]
async fn subscriptions_are_refused_as_gitter_refuses_them() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    let harbour = fixture.harbour;
    let locked = fixture.control.room_id("tidepool/locked").unwrap();
    let unknown = "5f0000000000000000000a01";
    for (channel, error) in [
        (
            json!("/api/v1/nonsense"),
            "404::Unknown subscription /api/v1/nonsense".to_owned(),
        ),
        (
            json!("/api/v1/rooms/zzz/chatMessages"),
            "400::Invalid ID: zzz".to_owned(),
        ),
        (
            json!(format!("/api/v1/rooms/{unknown}/chatMessages")),
            "404::Not Found".to_owned(),
        ),
        (
            json!(format!("/api/v1/rooms/{locked}")),
            "403::Authorisation denied.".to_owned(),
        ),
        (
            json!(format!("/api/v1/user/{unknown}")),
            "403::Authorisation denied.".to_owned(),
        ),
        (json!(["/a", "/b"]), "404::Unknown subscription /a,/b".to_owned()),
    ] {
        let message = client.message("/meta/subscribe", json!({ "subscription": channel }));
        let reply = client.ask(message).await;
        assert_eq!(
            (&reply["successful"], &reply["error"]),
            (&json!(false), &json!(error))
        );
        assert_eq!(reply["subscription"], channel);
    }
    let one = json!([format!("/api/v1/rooms/{harbour}/chatMessages")]);
    let message = client.message("/meta/subscribe", json!({ "subscription": one }));
    assert_eq!(client.ask(message).await["successful"], true);
}

#[tokio::test]
async fn a_subscription_to_messages_brings_the_newest() {
    let fixture = Fixture::start().await;
    let room = fixture.harbour;
    let posted: Vec<_> = (0..40)
        .map(|number| fixture.control.post("wren", room, &format!("m{number}")).unwrap())
        .collect();
    let reply = fixture
        .control
        .reply("kelp", room, posted[39], "reply")
        .unwrap()
        .to_string();
    let posted: Vec<_> = posted.iter().map(ToString::to_string).collect();
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    let channel = format!("/api/v1/rooms/{room}/chatMessages");
    let mut snapshot = async |ext: Value| client.subscribe(&channel, ext).await["ext"]["snapshot"].clone();

    assert_eq!(ids(&snapshot(json!({})).await), posted[10..]);
    assert_eq!(
        ids(&snapshot(json!({"snapshot": {"limit": 2}})).await),
        posted[38..]
    );
    assert_eq!(
        snapshot(json!({"snapshot": {"limit": 0}}))
            .await
            .as_array()
            .unwrap()
            .len(),
        40
    );
    let with_replies = snapshot(json!({"snapshot": {"limit": 1, "includeThreads": "yes"}})).await;
    assert_eq!(ids(&with_replies), [&reply]);
    assert_eq!(with_replies[0]["unread"], false);
    let until = json!({"snapshot": {"limit": 2, "beforeInclId": posted[5]}});
    assert_eq!(ids(&snapshot(until).await), posted[4..6]);
    assert_eq!(snapshot(json!({"snapshot": false})).await, json!(null));

    let bad = client
        .subscribe(&channel, json!({"snapshot": {"beforeInclId": "zzz"}}))
        .await;
    assert_eq!(
        (&bad["successful"], &bad["error"]),
        (&json!(true), &json!("500::Internal Server Error"))
    );
}

#[tokio::test]
async fn the_other_channels_have_their_snapshots() {
    let fixture = Fixture::start().await;
    let token = fixture.token("kelp", "sandbox");
    let locked = fixture.control.room_id("tidepool/locked").unwrap();
    let mut client = BayeuxClient::connected(&fixture, &token).await;
    let (_, me) = fixture.get(&token, "/user/me").await;
    let me = me["id"].as_str().unwrap();

    let room = format!("/api/v1/rooms/{locked}");
    assert_eq!(client.subscribe(&room, json!({})).await.get("ext"), None);
    let snapshot = client.subscribe(&room, json!({"snapshot": true})).await["ext"]["snapshot"].clone();
    assert_eq!(
        (&snapshot["public"], &snapshot["roomMember"]),
        (&json!(false), &json!(true))
    );
    assert!(snapshot["group"].is_object() && snapshot.get("tags").is_none());

    let users = client.subscribe(&format!("{room}/users"), json!({})).await;
    let users = &users["ext"]["snapshot"];
    assert_eq!(
        (&users[0]["username"], &users[0]["role"]),
        (&json!("kelp"), &json!("admin"))
    );
    let rooms = client
        .subscribe(&format!("/api/v1/user/{me}/rooms"), json!({}))
        .await;
    assert_eq!(ids(&rooms["ext"]["snapshot"]), [locked.to_string()]);
    assert_eq!(
        client.subscribe(&format!("/api/v1/user/{me}"), json!({})).await["successful"],
        true
    );

    let (_, room) = fixture.post(&token, "/rooms", json!({"uri": "wren"})).await;
    let (operation, model, _) = client.news().await;
    assert_eq!((operation.as_str(), &model["id"]), ("create", &room["id"]));
}

#[tokio::test]
async fn news_of_messages_come_in_gitters_order_with_one_numbering_for_all_channels() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    client.follow(fixture.harbour).await;
    let reef = fixture.control.room_id("tidepool/reef").unwrap();
    client.follow(reef).await;
    let control = &fixture.control;
    let mut seen = Vec::new();

    let parent = control.post("wren", fixture.harbour, "parent").unwrap();
    let reply = control.reply("kelp", fixture.harbour, parent, "reply").unwrap();
    control.edit("kelp", fixture.harbour, reply, "better").unwrap();
    control.delete("kelp", fixture.harbour, reply).unwrap();
    control.post("wren", reef, "elsewhere").unwrap();
    for number in 1..=7 {
        let (operation, model, numbered) = client.news().await;
        assert_eq!(numbered, number);
        assert_eq!(model.get("unread"), None);
        let summary = json!([
            model["id"],
            model["text"],
            model["v"],
            model["threadMessageCount"]
        ]);
        seen.push((operation, summary));
    }
    let other = seen.pop().unwrap();
    assert_eq!((other.0.as_str(), &other.1[1]), ("create", &json!("elsewhere")));
    let expected = [
        ("create", json!([parent, "parent", 1, null])),
        ("update", json!([parent, "parent", 2, 1])),
        ("create", json!([reply, "reply", 1, null])),
        ("update", json!([reply, "better", 2, null])),
        ("remove", json!([reply, null, null, null])),
        ("update", json!([parent, "parent", 3, 0])),
    ];
    assert_eq!(
        seen,
        expected.map(|(operation, summary)| (operation.to_owned(), summary))
    );
}

#[tokio::test]
async fn after_unsubscribing_there_are_no_more_news() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    client.follow(fixture.harbour).await;
    let channel = format!("/api/v1/rooms/{}/chatMessages", fixture.harbour);
    let stop = client.message("/meta/unsubscribe", json!({ "subscription": channel }));
    assert_eq!(client.ask(stop).await["successful"], true);
    fixture.control.post("wren", fixture.harbour, "unheard").unwrap();
    let reef = fixture.control.room_id("tidepool/reef").unwrap();
    client.follow(reef).await;
    fixture.control.post("wren", reef, "heard").unwrap();
    let (_, model, number) = client.news().await;
    assert_eq!((&model["text"], number), (&json!("heard"), 1));
}

#[tokio::test]
async fn a_connect_is_held_together_with_its_batch_while_news_pass() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    client.follow(fixture.harbour).await;
    let connect = client.message("/meta/connect", json!({"connectionType": "websocket"}));
    client.send(&json!([connect])).await;
    fixture.control.post("wren", fixture.harbour, "hi").unwrap();
    assert_eq!(client.news().await.1["text"], "hi");
    // The first is still outstanding, so one that would be answered at once waits with it.
    let second = client.message(
        "/meta/connect",
        json!({"connectionType": "websocket", "advice": {"timeout": 0}}),
    );
    client.send(&json!([second])).await;
    let probe = client.message("/ping2", json!({}));
    assert_eq!(client.ask(probe).await["channel"], "/ping2");

    let mut other = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    let channel = format!("/api/v1/rooms/{}/chatMessages", fixture.harbour);
    let subscribe = other.message(
        "/meta/subscribe",
        json!({"subscription": channel, "ext": {"snapshot": false}}),
    );
    let connect = other.message(
        "/meta/connect",
        json!({"connectionType": "websocket", "advice": {"timeout": 1}}),
    );
    other.send(&json!([subscribe, connect])).await;
    let batch = other.next_frame().await;
    assert_eq!(
        (&batch[0]["channel"], &batch[1]["channel"]),
        (&json!("/meta/subscribe"), &json!("/meta/connect"))
    );
    assert_eq!(batch[1]["advice"]["reconnect"], "retry");
}

#[tokio::test]
async fn news_wait_for_a_client_that_lost_its_socket() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    client.follow(fixture.harbour).await;
    let id = client.id.clone();
    fixture.control.add_fault(gitter_sandbox::Fault::CutSockets);
    assert_eq!(client.end().await, None);

    let mut again = BayeuxClient::open(&fixture).await;
    again.id = id;
    fixture
        .control
        .post("wren", fixture.harbour, "while away")
        .unwrap();
    let news = again.connect().await;
    assert_eq!(
        (&news["data"]["model"]["text"], &news["ext"]["c"]),
        (&json!("while away"), &json!(1))
    );
    assert_eq!(again.next().await["channel"], "/meta/connect");
}

#[tokio::test]
async fn stopping_closes_the_sockets() {
    let fixture = Fixture::start().await;
    let client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    fixture.sandbox.stop().await.unwrap();
    assert_eq!(client.end().await, Some(1001));
}
