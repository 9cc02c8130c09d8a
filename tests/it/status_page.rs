//! The status page, as a browser uses it: who gets in, what other sites' forms do, what operators do with items there,
//! and how it is kept up to date. How it looks is for `browser`.

mod browser;

use std::collections::HashMap;

use gitter_sandbox::{RequestEffect, When};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{COOKIE, LOCATION, SET_COOKIE},
    redirect::Policy,
};
use serde_json::Value;

use crate::{
    homeserver::install_crypto,
    world::{
        Room, World,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    who_has_the_token_gets_in,
    sessions_outlive_a_restart_and_end_with_the_token,
    forms_of_others_do_nothing,
    failed_messages_are_retried_and_dropped,
    changes_are_sent_as_they_happen,
];

/// A browser that shows what it is answered, and follows nothing.
struct Browser {
    http: Client,
    cookie: Option<String>,
}

impl Browser {
    fn new() -> Self {
        install_crypto();
        Self {
            http: Client::builder().redirect(Policy::none()).build().unwrap(),
            cookie: None,
        }
    }

    /// One that is logged in.
    async fn of_operator(world: &World) -> Self {
        let mut browser = Self::new();
        let answer = browser.login(world, &world.admin().token()).await;
        assert_eq!(answer.status(), 303);
        browser
    }

    async fn login(&mut self, world: &World, token: &str) -> Response {
        let answer = self
            .post(world, "login", &[("token", token)])
            .send()
            .await
            .unwrap();
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            let (cookie, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            self.cookie = Some(cookie.to_owned());
        }
        answer
    }

    fn with_cookie(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, format!("other=1; {cookie}")),
            None => request,
        }
    }

    async fn get(&self, world: &World, path: &str) -> Response {
        let request = self.http.get(world.admin().page(path));
        self.with_cookie(request).send().await.unwrap()
    }

    /// A form, as a page of the same server sends it.
    fn post(&self, world: &World, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let request = self.http.post(world.admin().page(path)).form(fields);
        self.with_cookie(request)
    }

    /// The page's text.
    async fn page(&self, world: &World) -> String {
        let answer = self.get(world, "").await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    }

    /// What the forms of this session carry.
    async fn form_token(&self, world: &World) -> String {
        value_of(&self.page(world).await, "form_token")
    }
}

/// The value of the first hidden field with a name.
fn value_of(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

fn location(answer: &Response) -> &str {
    answer.headers()[LOCATION].to_str().unwrap()
}

/// A room in which a message has failed, and the item's id.
async fn with_failed(world: &mut World) -> (Room, String) {
    let room = world.link("pier").await;
    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    world.ana_says(&room, "one");
    let id = failed(world, 1).await.remove(0);
    (room, id)
}

/// Waits until so many items have failed, and gives their ids.
async fn failed(world: &World, count: usize) -> Vec<String> {
    until("items to fail", async || {
        let (_, list) = world.admin().items("state=failed").await;
        let ids = list["items"].as_array().unwrap().iter();
        let ids: Vec<String> = ids.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
        Ok((ids.len() == count).then_some(ids))
    })
    .await
}

async fn who_has_the_token_gets_in(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let mut browser = Browser::new();
    for path in ["", "drop?item=x", "?find=x"] {
        let answer = browser.get(&world, path).await;
        assert_eq!(
            (answer.status().as_u16(), location(&answer)),
            (303, "login"),
            "{path}"
        );
    }
    let events = browser.get(&world, "events").await;
    assert_eq!(events.status(), 401);
    assert_eq!(
        events.json::<Value>().await.unwrap()["errcode"],
        "M_MISSING_TOKEN"
    );
    let login = browser.get(&world, "login").await;
    assert_eq!(login.status(), 200);
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(login.headers()[name], value);
    }
    let policy = login.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let wrong = browser.login(&world, "wrong").await;
    assert_eq!(wrong.status(), 401);
    assert!(
        browser.cookie.is_none()
            && wrong
                .text()
                .await
                .unwrap()
                .contains("That is not the admin token.")
    );

    let token = world.admin().token();
    let right = browser.login(&world, &token).await;
    assert_eq!((right.status().as_u16(), location(&right)), (303, "./"));
    let cookie = right.headers()[SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.ends_with("; Max-Age=43200; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    let page = browser.page(&world).await;
    assert!(page.contains(&room.uri) && !page.contains(&token));
    // It is for the page alone.
    let api = browser.with_cookie(world.admin().request(reqwest::Method::GET, "rooms"));
    assert_eq!(api.send().await.unwrap().status(), 401);

    let log = world.bridge.whole_log();
    assert!(!log.contains(&token), "the log holds the token");
    world.finish().await;
}

async fn sessions_outlive_a_restart_and_end_with_the_token(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let mut browser = Browser::of_operator(&world).await;
    world.bridge.stop().await;
    world.bridge.start().await;
    assert!(browser.page(&world).await.contains(&room.uri));
    let form_token = browser.form_token(&world).await;
    let out = browser
        .post(&world, "logout", &[("form_token", &form_token)])
        .send()
        .await
        .unwrap();
    assert_eq!((out.status().as_u16(), location(&out)), (303, "login"));
    assert!(
        out.headers()[SET_COOKIE]
            .to_str()
            .unwrap()
            .starts_with("gitter_bridge_session=; Max-Age=0; ")
    );
    world.bridge.stop().await;
    std::fs::write(world.admin().token_file(), "another-admin-token").unwrap();
    world.bridge.start().await;
    assert_eq!(browser.get(&world, "").await.status(), 303);
    for _ in 0..10 {
        assert_eq!(browser.login(&world, "wrong").await.status(), 401);
    }
    let late = browser.login(&world, "another-admin-token").await;
    assert_eq!(late.status(), 429);
    assert_eq!(late.headers()["retry-after"], "60");
    let log = world.bridge.whole_log();
    assert!(!log.contains("another-admin-token"), "the log holds the token");
    world.finish().await;
}

async fn forms_of_others_do_nothing(database: Database) {
    let mut world = World::start(database).await;
    let (_, id) = with_failed(&mut world).await;
    let browser = Browser::of_operator(&world).await;
    let form_token = browser.form_token(&world).await;
    let other = Browser::of_operator(&world).await;
    let other = other.form_token(&world).await;
    assert_ne!(form_token, other);
    for path in ["retry", "drop"] {
        let ours = || browser.post(&world, path, &[("item", &id), ("form_token", &form_token)]);
        let refused = [
            browser.post(&world, path, &[("item", &id), ("form_token", &other)]),
            browser.post(&world, path, &[("item", &id), ("form_token", "")]),
            ours().header("sec-fetch-site", "cross-site"),
            ours().header("sec-fetch-site", "same-site"),
            ours().header("origin", "https://elsewhere.example"),
            ours().header("origin", "null"),
        ];
        for request in refused {
            assert_eq!(request.send().await.unwrap().status(), 403, "{path}");
        }
        let nothing = browser.post(&world, path, &[("item", &id)]).send().await.unwrap();
        assert_eq!(nothing.status(), 400);
        let nobody = Browser::new();
        let nobody = nobody.post(&world, path, &[("item", &id), ("form_token", &form_token)]);
        let nobody = nobody.send().await.unwrap();
        assert_eq!((nobody.status().as_u16(), location(&nobody)), (303, "login"));
        let large = "x".repeat(20_000);
        let large = browser.post(&world, path, &[("item", &large), ("form_token", &form_token)]);
        assert!(large.send().await.unwrap().status().is_client_error());
    }
    let out = browser
        .post(&world, "logout", &[("form_token", &other)])
        .send()
        .await
        .unwrap();
    assert_eq!(out.status(), 403);
    assert_eq!(failed(&world, 1).await, [id]);
    world.close().await;
}

async fn failed_messages_are_retried_and_dropped(database: Database) {
    let mut world = World::start(database).await;
    let (room, id) = with_failed(&mut world).await;
    let browser = Browser::of_operator(&world).await;
    let page = browser.page(&world).await;
    assert!(
        page.contains(&id) && page.contains("1 message has failed"),
        "{page}"
    );
    let form_token = value_of(&page, "form_token");
    let send = async |path: &str, id: &str| {
        let form = browser.post(&world, path, &[("item", id), ("form_token", &form_token)]);
        form.header("sec-fetch-site", "same-origin").send().await.unwrap()
    };
    let retried = send("retry", &id).await;
    assert_eq!(
        (retried.status().as_u16(), location(&retried)),
        (303, "./?done=retried")
    );
    world.arrives_on_gitter(&room, "one").await;
    let told = browser.get(&world, "?done=retried").await.text().await.unwrap();
    assert!(told.contains("The message is tried again now."), "{told}");
    let again = send("retry", &id).await;
    assert_eq!(again.status(), 409);
    let again = again.text().await.unwrap();
    assert!(
        again.contains("it has not failed") && again.contains("To mend it"),
        "{again}"
    );

    world.posts_suffer(&room, RequestEffect::Status(403), When::Before, 1);
    let event = world.ana_says(&room, "two");
    let id = failed(&world, 1).await.remove(0);
    let asked = browser.get(&world, &format!("drop?item={id}")).await;
    assert_eq!(asked.status(), 200);
    let asked = asked.text().await.unwrap();
    assert!(
        asked.contains("Drop this message?") && asked.contains(event.as_str()),
        "{asked}"
    );
    assert_eq!(value_of(&asked, "item"), id);
    let dropped = send("drop", &id).await;
    assert_eq!(
        (dropped.status().as_u16(), location(&dropped)),
        (303, "./?done=dropped")
    );
    failed(&world, 0).await;
    let (_, explained) = world.admin().explain(&id).await;
    assert_eq!(explained["items"][0]["reason"], "dropped_by_operator");
    for (path, status) in [
        ("drop?item=nothing", 404),
        ("drop", 404),
        ("files/style-x.css", 404),
        ("retry", 405),
    ] {
        assert_eq!(browser.get(&world, path).await.status(), status, "{path}");
    }
    assert_eq!(send("drop", "nothing").await.status(), StatusCode::BAD_REQUEST);
    world.close().await;
}

/// The events of a stream, one after another: name and HTML.
struct Events {
    answer: Response,
    read: String,
}

impl Events {
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let fields = event.lines().filter_map(|line| line.split_once(": "));
                let (mut name, mut data) = (String::new(), String::new());
                for (field, value) in fields {
                    match field {
                        "event" => name = value.to_owned(),
                        "data" => data = serde_json::from_str(value).unwrap(),
                        _ => {}
                    }
                }
                self.read = rest.to_owned();
                if !name.is_empty() {
                    return Some((name, data));
                }
                continue;
            }
            let chunk = self.answer.chunk().await.unwrap()?;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

async fn changes_are_sent_as_they_happen(database: Database) {
    let mut world = World::start(database).await;
    let browser = Browser::of_operator(&world).await;
    let answer = browser.get(&world, "events?find=quay").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = Events {
        answer,
        read: String::new(),
    };
    let mut first = Vec::new();
    for _ in 0..4 {
        first.push(events.next().await.unwrap().0);
    }
    assert_eq!(first, ["summary", "failed", "recent", "rooms"]);
    let (_, id) = with_failed(&mut world).await;
    let mut parts = HashMap::new();
    let is_there = |parts: &HashMap<String, String>, name: &str, text: &str| {
        parts.get(name).is_some_and(|html| html.contains(text))
    };
    // Of the rooms, only those that were asked for.
    while !(is_there(&parts, "failed", &id) && is_there(&parts, "rooms", "0 of 1 room ")) {
        parts.extend(events.next().await);
    }
    let form_token = browser.form_token(&world).await;
    let html = &parts["failed"];
    assert!(html.contains(&form_token), "its buttons work: {html}");
    // A stream that is open does not hold up the end of the bridge; `close` looks for that.
    world.close().await;
    while events.next().await.is_some() {}
}
