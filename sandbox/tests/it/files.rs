//! Uploads and exports (gitter-api 6 and 10).

use gitter_sandbox::Settings;
use serde_json::{Value, json};

use crate::fixture::Fixture;

impl Fixture {
    async fn export(&self, token: &str, path: &str, accept: &str) -> (u16, Vec<Value>) {
        let url = format!("{}/api_web/export/{path}.ndjson", self.sandbox.web_url());
        let request = self.http.get(url).bearer_auth(token).header("accept", accept);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        if status != 200 {
            return (status, Vec::new());
        }
        assert!(text.is_empty() || text.ends_with('\n'));
        let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
        (status, rows.collect())
    }
}

#[tokio::test]
async fn an_upload_is_a_message_of_one_link_to_a_file_that_can_be_fetched() {
    let fixture = Fixture::start().await;
    let room = fixture.harbour.to_string();
    for (name, content_type, is_image) in [("a (1).png", "image/png", true), ("log.txt", "text/plain", false)]
    {
        let url = format!("{}/sandbox/files", fixture.sandbox.web_url());
        let request = fixture
            .http
            .post(url)
            .query(&[("username", "wren"), ("room", &room), ("name", name)])
            .header("content-type", content_type)
            .body("some bytes");
        let uploaded: Value = request.send().await.unwrap().json().await.unwrap();
        let url = uploaded["url"].as_str().unwrap();
        let file = fixture.http.get(url).send().await.unwrap();
        assert_eq!(file.headers()["content-type"], content_type);
        assert_eq!(file.text().await.unwrap(), "some bytes");

        let message = fixture.control.messages(fixture.harbour).pop().unwrap();
        assert_eq!(
            (json!(message.id), &message.author[..]),
            (uploaded["id"].clone(), "wren")
        );
        let cut = url.rfind('/').unwrap();
        let thumbnail = format!("{}/thumb{}", &url[..cut], &url[cut..]);
        if is_image {
            assert_eq!(message.text, format!("[![{name}]({thumbnail})]({url})"));
            let picture = fixture.http.get(thumbnail).send().await.unwrap();
            assert_eq!(picture.headers()["content-type"], content_type);
        } else {
            assert_eq!(message.text, format!("[{name}]({url})"));
        }
    }
    let missing = format!("{}/{room}/AAAA/b.png", fixture.sandbox.web_url());
    assert_eq!(fixture.http.get(missing).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_room_is_exported_for_its_admins() {
    let fixture = Fixture::start().await;
    let room = fixture.room_with_admin();
    let wren = fixture.token("wren", "sandbox");
    let parent = fixture.control.post("wren", room, "hi").unwrap();
    let body = json!({"text": "ahoy", "parentId": parent,
        "virtualUser": {"type": "matrix", "externalId": "ana:e.org", "displayName": "Ana"}});
    fixture
        .post(fixture.sandbox.token(), &Fixture::messages_of(room), body)
        .await;
    fixture
        .post(
            &wren,
            &format!("/rooms/{room}/bans"),
            json!({"username": "bob:e.org"}),
        )
        .await;

    let (_, rows) = fixture
        .export(&wren, &format!("rooms/{room}/messages"), "*/*")
        .await;
    let me = fixture.get(&wren, "/user/me").await.1;
    assert_eq!((&rows[0]["fromUser"], rows[0].get("unread")), (&me["id"], None));
    assert_eq!(
        (rows[1].get("fromUser"), &rows[1]["parentId"]),
        (None, &json!(parent))
    );
    assert_eq!(rows[1]["virtualUser"]["externalId"], "ana:e.org");
    for (file, rows) in [("users", 0), ("integration-events", 1), ("bans", 1)] {
        let (_, found) = fixture
            .export(&wren, &format!("rooms/{room}/{file}"), "*/*")
            .await;
        assert_eq!(found.len(), rows, "{file}");
    }
    let kelp = fixture.token("kelp", "sandbox");
    let refused = fixture
        .export(&kelp, &format!("rooms/{room}/messages"), "*/*")
        .await;
    assert_eq!(refused.0, 403);

    let own = format!("user/{}/messages", me["id"].as_str().unwrap());
    let (_, rows) = fixture.export(&wren, &own, "*/*").await;
    assert_eq!(rows[0]["fromUser"]["fulfillmentValue"], me);
    assert_eq!(fixture.export(&kelp, &own, "*/*").await.0, 403);
}

#[tokio::test]
async fn each_kind_of_file_is_exported_once_in_three_hours_refusals_included() {
    let fixture = Fixture::with(Settings::default()).await;
    let room = fixture.room_with_admin();
    let wren = fixture.token("wren", "sandbox");
    let messages = format!("rooms/{room}/messages");
    assert_eq!(fixture.export(&wren, &messages, "text/html").await.0, 406);
    assert_eq!(fixture.export(&wren, &messages, "*/*").await.0, 429);
    let users = format!("rooms/{room}/users");
    assert_eq!(fixture.export(&wren, &users, "application/x-ndjson").await.0, 200);
    fixture
        .control
        .add_fault(gitter_sandbox::Fault::ClockSkewMs(3 * 3_600_000));
    assert_eq!(fixture.export(&wren, &messages, "*/*").await.0, 200);
}

#[tokio::test]
async fn pictures_of_virtual_users_go_through_the_image_proxy_where_there_is_one() {
    let fixture = Fixture::with(Settings {
        image_proxy: true,
        rate_limit: 0,
        ..Settings::default()
    })
    .await;
    let ana = json!({"type": "matrix", "externalId": "ana:e.org", "displayName": "Ana", "avatarUrl": "http://e.org/a"});
    let message = fixture
        .bridge_posts(json!({"text": "![x](http://e.org/b)", "virtualUser": ana}))
        .await;
    let web = fixture.sandbox.web_url();
    let proxied = message["fromUser"]["avatarUrl"].as_str().unwrap();
    assert_eq!(&message["virtualUser"]["avatarUrl"], proxied);
    let (digest, hex) = proxied
        .strip_prefix(&format!("{web}/camo/"))
        .unwrap()
        .split_once('/')
        .unwrap();
    assert_eq!((digest.len(), hex), (40, "687474703a2f2f652e6f72672f61"));
    assert!(
        message["html"]
            .as_str()
            .unwrap()
            .contains(&format!("<img src=\"{web}/camo/"))
    );
    assert_eq!(
        fixture.control.messages(fixture.harbour)[0]
            .virtual_user
            .as_ref()
            .unwrap()
            .avatar_url
            .as_deref(),
        Some("http://e.org/a")
    );

    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = client.get(proxied).send().await.unwrap();
    assert_eq!(answer.headers()["location"], "http://e.org/a");
    let forged = format!("{web}/camo/{}/{hex}", "0".repeat(40));
    assert_eq!(client.get(forged).send().await.unwrap().status(), 404);
}
