//! Messages over REST (gitter-api 2, 5 and 14).

use serde_json::{Value, json};

use crate::fixture::{Fixture, ids};

fn ana() -> Value {
    json!({"type": "matrix", "externalId": "ana:example.org", "displayName": "Ana", "avatarUrl": "http://e.org/a"})
}

fn with(mut value: Value, key: &str, field: Value) -> Value {
    value[key] = field;
    value
}

#[tokio::test]
async fn a_posted_message_has_the_shape_of_gitters() {
    let fixture = Fixture::start().await;
    let wren = fixture.token("wren", "sandbox");
    let path = Fixture::messages_of(fixture.harbour);
    let text = "hi @kelp and @bob:example.org, see http://e.org/?a&b";
    let (status, message) = fixture.post(&wren, &path, json!({ "text": text })).await;
    assert_eq!(status, 200);
    assert_eq!(message["text"], text);
    assert!(
        message["html"]
            .as_str()
            .unwrap()
            .starts_with("hi <span data-link-type=\"mention\"")
    );
    assert_eq!(message["v"], 1);
    assert_eq!(message["unread"], false);
    assert_eq!(message["fromUser"]["username"], "wren");
    assert_eq!(message["urls"], json!([{"url": "http://e.org/?a&amp;b"}]));
    let kelp = fixture.get(&fixture.token("kelp", "sandbox"), "/user/me").await.1;
    assert_eq!(
        message["mentions"],
        json!([{"screenName": "kelp", "userId": kelp["id"], "userIds": []},
               {"screenName": "bob:example.org", "userIds": []}])
    );
    for absent in [
        "editedAt",
        "parentId",
        "threadMessageCount",
        "virtualUser",
        "status",
    ] {
        assert_eq!(message.get(absent), None, "{absent}");
    }
    let sent = message["sent"].as_str().unwrap();
    assert!(sent.len() == 24 && sent.ends_with('Z'), "{sent}");
    let seconds = i64::from_str_radix(&message["id"].as_str().unwrap()[..8], 16).unwrap();
    assert_eq!(sent.parse::<jiff::Timestamp>().unwrap().as_second(), seconds);

    let one = format!("{path}/{}", message["id"].as_str().unwrap());
    assert_eq!(fixture.get(&wren, &one).await.1, message);
}

#[tokio::test]
async fn a_virtual_user_is_shown_in_place_of_the_account() {
    let fixture = Fixture::start().await;
    let message = fixture
        .bridge_posts(json!({"text": "ahoy", "virtualUser": ana()}))
        .await;
    assert_eq!(message["virtualUser"], ana());
    assert_eq!(
        message["fromUser"],
        json!({"id": "matrix-ana:example.org", "username": "ana:example.org", "displayName": "Ana",
               "avatarUrl": "http://e.org/a", "avatarUrlSmall": "http://e.org/a", "avatarUrlMedium": "http://e.org/a"})
    );
    assert_eq!(fixture.control.messages(fixture.harbour)[0].author, "bridge_bot");

    let as_itself = fixture
        .bridge_posts(json!({"text": "ahoy", "virtualUser": null}))
        .await;
    assert_eq!(as_itself["fromUser"]["username"], "bridge_bot");
}

#[tokio::test]
async fn virtual_users_are_checked_in_gitters_order() {
    let fixture = Fixture::start().await;
    let approved = fixture.sandbox.token().to_owned();
    let unapproved = fixture.token("bridge_bot", "personal");
    let harbour = Fixture::messages_of(fixture.harbour);
    let post = async |token: &str, body: Value| fixture.post(token, &harbour, body).await.0.as_u16();

    let probe = json!({ "virtualUser": ana() });
    assert_eq!(post(&approved, probe.clone()).await, 400);
    assert_eq!(post(&unapproved, probe.clone()).await, 403);
    assert_eq!(
        post(
            &approved,
            json!({"virtualUser": with(ana(), "type", json!("irc"))})
        )
        .await,
        403
    );
    let bad = json!({"text": "hi", "virtualUser": with(ana(), "avatarUrl", json!(null))});
    assert_eq!(post(&unapproved, bad).await, 400);
    assert_eq!(post(&unapproved, json!({"text": "as itself"})).await, 200);

    // A private room refuses a virtual user even where the account is a member.
    let (_, one_to_one) = fixture.post(&approved, "/rooms", json!({"uri": "wren"})).await;
    let private = format!("/rooms/{}/chatMessages", one_to_one["id"].as_str().unwrap());
    let refused = fixture
        .post(&approved, &private, json!({"text": "hi", "virtualUser": ana()}))
        .await;
    assert_eq!(refused, (403.try_into().unwrap(), json!({"error": "Forbidden"})));
    assert_eq!(
        fixture.post(&approved, &private, json!({"text": "hi"})).await.0,
        200
    );
    assert_eq!(fixture.control.messages(fixture.harbour).len(), 1);
}

#[tokio::test]
async fn texts_and_parents_are_checked() {
    let fixture = Fixture::start().await;
    let harbour = Fixture::messages_of(fixture.harbour);
    let elsewhere = fixture.control.room_id("tidepool/reef").unwrap();
    let elsewhere = fixture.control.post("wren", elsewhere, "here").unwrap();
    let two_units = "\u{1f41a}";
    let cases = [
        (json!({}), 400),
        (json!({"text": ""}), 400),
        (json!({"text": null}), 400),
        (json!({"text": two_units.repeat(2049)}), 400),
        (json!({"text": two_units.repeat(2048)}), 200),
        (json!({"text": 5}), 200),
        (json!({"text": "   "}), 200),
        (json!({"text": "a", "parentId": null}), 200),
        (json!({"text": "a", "parentId": ""}), 500),
        (json!({"text": "a", "parentId": "zzz"}), 400),
        (json!({"text": "a", "parentId": "5f0000000000000000000a01"}), 400),
        (json!({"text": "a", "parentId": elsewhere}), 400),
    ];
    for (body, status) in cases {
        let (answered, _) = fixture
            .post(fixture.sandbox.token(), &harbour, body.clone())
            .await;
        assert_eq!(answered, status, "{body:.60}");
    }
    let null_parent = fixture.bridge_posts(json!({"text": "a", "parentId": null})).await;
    assert_eq!(null_parent.get("parentId"), Some(&json!(null)));
    let status_line = fixture
        .bridge_posts(json!({"text": "waves", "status": true}))
        .await;
    assert_eq!(status_line["status"], true);
}

#[tokio::test]
async fn everyone_is_mentioned_by_admins_of_the_room_only() {
    let fixture = Fixture::start().await;
    let path = Fixture::messages_of(fixture.room_with_admin());
    let everyone = json!([{"screenName": "all", "userIds": [], "group": true, "announcement": true}]);
    for (user, mentions) in [("wren", everyone), ("kelp", json!([]))] {
        let token = fixture.token(user, "sandbox");
        let (_, message) = fixture.post(&token, &path, json!({"text": "@/all hi"})).await;
        assert!(
            message["html"]
                .as_str()
                .unwrap()
                .contains("data-group-name=\"all\"")
        );
        assert_eq!(message["mentions"], mentions, "{user}");
    }
}

#[tokio::test]
async fn an_edit_changes_the_text_and_counts_a_save() {
    let fixture = Fixture::start().await;
    let message = fixture
        .bridge_posts(json!({"text": "old", "virtualUser": ana()}))
        .await;
    let path = format!(
        "{}/{}",
        Fixture::messages_of(fixture.harbour),
        message["id"].as_str().unwrap()
    );
    let bot = fixture.sandbox.token();
    let (status, edited) = fixture.put(bot, &path, json!({"text": "**new**"})).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&edited["text"], &edited["html"]),
        (&json!("**new**"), &json!("<strong>new</strong>"))
    );
    assert_eq!((&edited["v"], &edited["sent"]), (&json!(2), &message["sent"]));
    assert!(edited["editedAt"].is_string());
    assert_eq!(edited["virtualUser"], ana());

    let unapproved = fixture.token("bridge_bot", "personal");
    let other = fixture.token("wren", "sandbox");
    assert_eq!(fixture.put(&unapproved, &path, json!({"text": "x"})).await.0, 403);
    assert_eq!(fixture.put(&other, &path, json!({"text": "x"})).await.0, 403);
    assert_eq!(
        fixture.put(bot, &path, json!({"text": "x".repeat(4097)})).await.0,
        400
    );
    let (_, emptied) = fixture.put(bot, &path, json!({})).await;
    assert_eq!(
        (&emptied["text"], &emptied["html"], &emptied["v"]),
        (&json!(""), &json!(""), &json!(3))
    );
}

#[tokio::test]
async fn replies_count_on_their_parent_which_leaves_a_tombstone() {
    let fixture = Fixture::start().await;
    let bot = fixture.sandbox.token();
    let parent = fixture.bridge_posts(json!({"text": "parent"})).await;
    let reply = fixture
        .bridge_posts(json!({"text": "reply", "parentId": parent["id"]}))
        .await;
    assert_eq!(reply["parentId"], parent["id"]);
    let base = Fixture::messages_of(fixture.harbour);
    let parent_path = format!("{base}/{}", parent["id"].as_str().unwrap());
    let reply_path = format!("{base}/{}", reply["id"].as_str().unwrap());
    let counted = fixture.get(bot, &parent_path).await.1;
    assert_eq!(
        (&counted["threadMessageCount"], &counted["v"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(counted.get("editedAt"), None);

    assert_eq!(fixture.delete(bot, &parent_path).await, 204);
    assert_eq!(fixture.delete(bot, &parent_path).await, 204);
    let tombstone = fixture.get(bot, &parent_path).await.1;
    assert_eq!(
        (&tombstone["text"], &tombstone["html"], &tombstone["v"]),
        (&json!(""), &json!(""), &json!(4))
    );
    assert_eq!(tombstone.get("editedAt"), None);

    assert_eq!(fixture.delete(bot, &reply_path).await, 204);
    assert_eq!(fixture.get(bot, &reply_path).await.0, 404);
    assert_eq!(fixture.get(bot, &parent_path).await.1["threadMessageCount"], 0);
    assert_eq!(fixture.delete(bot, &parent_path).await, 204);
    assert_eq!(fixture.get(bot, &parent_path).await.0, 404);
    assert_eq!(fixture.delete(bot, &parent_path).await, 404);
}

#[tokio::test]
async fn the_author_and_admins_of_the_room_may_delete() {
    let fixture = Fixture::start().await;
    let room = fixture.room_with_admin();
    let path = |message| format!("{}/{message}", Fixture::messages_of(room));
    let first = fixture.control.post("kelp", room, "one").unwrap();
    let second = fixture.control.post("kelp", room, "two").unwrap();
    assert_eq!(fixture.delete(fixture.sandbox.token(), &path(first)).await, 403);
    assert_eq!(
        fixture
            .delete(&fixture.token("wren", "sandbox"), &path(first))
            .await,
        204
    );
    // Without the approved client, too.
    assert_eq!(
        fixture
            .delete(&fixture.token("kelp", "sandbox"), &path(second))
            .await,
        204
    );
    assert!(fixture.control.messages(room).is_empty());
}

#[tokio::test]
async fn pages_are_oldest_first_and_walk_both_ways() {
    let fixture = Fixture::start().await;
    let bot = fixture.sandbox.token();
    let posted: Vec<String> = (0..5)
        .map(|number| {
            fixture
                .control
                .post("wren", fixture.harbour, &format!("m{number}"))
                .unwrap()
                .to_string()
        })
        .collect();
    assert!(posted.is_sorted_by(|one, next| one < next), "{posted:?}");
    let parent = posted[1].parse().unwrap();
    let reply = fixture
        .control
        .reply("kelp", fixture.harbour, parent, "reply")
        .unwrap()
        .to_string();
    let base = Fixture::messages_of(fixture.harbour);
    let page = async |query: &str| {
        let (status, page) = fixture.get(bot, &format!("{base}{query}")).await;
        assert_eq!(status, 200, "{query}");
        ids(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(page("").await, posted);
    assert_eq!(page("?limit=2").await, posted[3..]);
    assert_eq!(page("?limit=2&skip=1").await, posted[2..4]);
    assert_eq!(
        page(&format!("?limit=2&beforeId={}", posted[3])).await,
        posted[1..3]
    );
    assert_eq!(
        page(&format!("?limit=2&afterId={}", posted[0])).await,
        posted[1..3]
    );
    assert_eq!(page("?limit=0").await, posted);
    assert_eq!(page("?limit=x").await, posted);
    assert_eq!(page("?includeThreads=1").await, posted);
    let with_replies = [posted.clone(), vec![reply.clone()]].concat();
    assert_eq!(page("?includeThreads=true").await, with_replies);
    let made_up_id = format!("?includeThreads=true&afterId={}0000000000000000", &posted[0][..8]);
    assert_eq!(page(&made_up_id).await, with_replies);
    assert_eq!(page(&format!("/{}/thread", posted[1])).await, [reply]);
}

#[tokio::test]
async fn a_page_holds_fifty_and_at_most_a_hundred() {
    let fixture = Fixture::start().await;
    for number in 0..101 {
        fixture
            .control
            .post("wren", fixture.harbour, &number.to_string())
            .unwrap();
    }
    let base = Fixture::messages_of(fixture.harbour);
    for (query, length, first) in [("", 50, "51"), ("?limit=200", 100, "1")] {
        let (_, page) = fixture
            .get(fixture.sandbox.token(), &format!("{base}{query}"))
            .await;
        assert_eq!(page.as_array().unwrap().len(), length);
        assert_eq!(page[0]["text"], first);
    }
}
