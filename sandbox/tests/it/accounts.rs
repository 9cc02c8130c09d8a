//! Tokens, budgets, sizes and the shapes of errors (gitter-api 2, 3 and 14).

use gitter_sandbox::{NewToken, NewUser, Settings};
use reqwest::{Body, Method, header::HeaderMap};
use serde_json::json;

use crate::fixture::{Fixture, answer};

#[tokio::test]
async fn a_token_may_come_in_three_ways_that_must_agree() {
    let fixture = Fixture::start().await;
    let token = fixture.sandbox.token();
    let url = format!("{}/user/me", fixture.sandbox.api_url());
    let get = || fixture.http.get(&url);
    let cases = [
        (get().header("Authorization", format!("Bearer {token}")), 200),
        (get().header("x-access-token", token), 200),
        (get().query(&[("access_token", token)]), 200),
        (get().bearer_auth(token).header("x-access-token", token), 200),
        (get().bearer_auth(token).header("x-access-token", "other"), 400),
        (get().header("Authorization", token), 400),
        (get().header("Authorization", format!("Bearer {token} x")), 400),
        (get().bearer_auth("wrong"), 401),
        (get(), 401),
    ];
    for (number, (request, status)) in cases.into_iter().enumerate() {
        assert_eq!(request.send().await.unwrap().status(), status, "case {number}");
    }
}

#[tokio::test]
async fn an_account_sees_itself_and_no_other() {
    let fixture = Fixture::start().await;
    let token = fixture.token("wren", "sandbox");
    let (_, me) = fixture.get(&token, "/user/me").await;
    assert_eq!(me["username"], "wren");
    assert_eq!(me["displayName"], "Wren");
    let (_, all) = fixture.get(&token, "/user").await;
    assert_eq!(all, json!([me]));
    let own = format!("/user/{}", me["id"].as_str().unwrap());
    assert_eq!(fixture.get(&token, &own).await.0, 200);
    let other = fixture.token("kelp", "sandbox");
    assert_eq!(fixture.get(&other, &own).await.0, 403);

    for key in ["avatarUrl", "avatarUrlSmall", "avatarUrlMedium"] {
        let picture = fixture.http.get(me[key].as_str().unwrap()).send().await.unwrap();
        assert_eq!(picture.headers()["content-type"], "image/png");
        assert!(picture.bytes().await.unwrap().starts_with(b"\x89PNG"));
    }
}

#[tokio::test]
async fn each_account_and_client_has_its_own_budget_and_the_headers_tell_it() {
    let fixture = Fixture::with(Settings {
        rate_limit: 2,
        ..Settings::default()
    })
    .await;
    let token = fixture.sandbox.token();
    let budget = |headers: &HeaderMap| {
        ["limit", "remaining", "reset"].map(|name| {
            let value = &headers[format!("x-ratelimit-{name}")];
            value.to_str().unwrap().parse::<i64>().unwrap()
        })
    };
    let first = fixture.send(Method::GET, token, "/user/me", None).await;
    let [limit, remaining, reset] = budget(first.headers());
    let date = first.headers()["date"].to_str().unwrap();
    assert_eq!((limit, remaining), (2, 1));
    assert!(reset > 1_600_000_000_000, "milliseconds: {reset}");
    assert!(date.ends_with("GMT"), "{date}");

    // A refusal counts as well.
    let second = fixture.send(Method::GET, token, "/rooms/zzz", None).await;
    assert_eq!((second.status().as_u16(), budget(second.headers())[1]), (400, 0));
    let third = fixture.send(Method::GET, token, "/user/me", None).await;
    assert_eq!(budget(third.headers())[1], 0);
    assert_eq!(
        answer(third).await,
        (429.try_into().unwrap(), json!({"error": "Too Many Requests"}))
    );

    let other_client = fixture.token("bridge_bot", "personal");
    assert_eq!(fixture.get(&other_client, "/user/me").await.0, 200);
}

#[tokio::test]
async fn without_a_limit_there_are_no_budget_headers() {
    let fixture = Fixture::start().await;
    let answer = fixture
        .send(Method::GET, fixture.sandbox.token(), "/user/me", None)
        .await;
    assert!(!answer.headers().contains_key("x-ratelimit-limit"));
}

#[tokio::test]
async fn chunked_and_too_large_bodies_are_refused_and_cost_nothing() {
    let fixture = Fixture::with(Settings {
        rate_limit: 1,
        ..Settings::default()
    })
    .await;
    let token = fixture.sandbox.token();
    let url = format!(
        "{}{}",
        fixture.sandbox.api_url(),
        Fixture::messages_of(fixture.harbour)
    );

    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>("{\"text\":\"hi\"}")]);
    let chunked = fixture
        .http
        .post(&url)
        .bearer_auth(token)
        .body(Body::wrap_stream(chunks));
    let refused = answer(chunked.send().await.unwrap()).await;
    assert_eq!(
        refused,
        (406.try_into().unwrap(), json!({"error": "Not Acceptable"}))
    );

    let large = json!({"text": "a", "padding": "x".repeat(100 * 1024)});
    let refused = fixture
        .post(token, &Fixture::messages_of(fixture.harbour), large)
        .await;
    assert_eq!(
        refused,
        (413.try_into().unwrap(), json!({"error": "Payload Too Large"}))
    );

    assert_eq!(fixture.get(token, "/user/me").await.0, 200);
    assert_eq!(fixture.get(token, "/user/me").await.0, 429);
}

#[tokio::test]
async fn errors_are_the_words_of_their_status() {
    let fixture = Fixture::start().await;
    let token = fixture.sandbox.token();
    let messages = Fixture::messages_of(fixture.harbour);
    let unknown = "5f0000000000000000000a01";
    for (path, status, error) in [
        ("/nowhere".to_owned(), 404, "Not Found"),
        (format!("/rooms/{unknown}"), 404, "Not Found"),
        (format!("{messages}/{unknown}"), 404, "Not Found"),
        (format!("{messages}?skip=5001"), 400, "Bad Request"),
    ] {
        let expected = (status.try_into().unwrap(), json!({ "error": error }));
        assert_eq!(fixture.get(token, &path).await, expected, "{path}");
    }
    for path in ["/zzz", "/zzz/thread", "?beforeId=zzz", "?afterId=zzz"] {
        let (status, body) = fixture.get(token, &format!("{messages}{path}")).await;
        assert_eq!(status, 500, "{path}");
        assert_eq!(body["error"], "Internal Server Error");
        assert!(body["uniqueId"].is_i64(), "{body}");
    }
    let not_json = fixture
        .http
        .post(format!("{}{messages}", fixture.sandbox.api_url()))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body("{");
    assert_eq!(not_json.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn users_are_added_with_tokens_that_work() {
    let fixture = Fixture::start().await;
    let url = format!("{}/sandbox/users", fixture.sandbox.web_url());
    let add = async |user: serde_json::Value| {
        answer(fixture.http.post(&url).json(&user).send().await.unwrap()).await
    };
    let (status, ana) = add(json!({"username": "ana", "display_name": "Ana"})).await;
    assert_eq!(status, 200);
    let (_, me) = fixture.get(ana["token"].as_str().unwrap(), "/user/me").await;
    assert_eq!(me["id"], ana["id"]);

    let (status, refused) = add(json!({"username": "ana"})).await;
    assert_eq!(status, 409);
    assert_eq!(refused["error"], "\"ana\" exists already; choose another name");
    assert_eq!(add(json!({"username": "a/b"})).await.0, 400);

    let second_bridge = NewUser {
        tokens: vec![NewToken {
            client: "second-bridge".to_owned(),
            token: Some("a-token-of-my-own".to_owned()),
            virtual_user_type: Some("matrix".to_owned()),
        }],
        ..NewUser::named("bot_two", "Bot Two")
    };
    let added = fixture.control.add_user(&second_bridge).unwrap();
    assert_eq!(added.tokens[0].token, "a-token-of-my-own");
    let virtual_user = json!({"type": "matrix", "externalId": "ana:e.org", "displayName": "Ana"});
    let body = json!({"text": "hi", "virtualUser": virtual_user});
    let posted = fixture
        .post("a-token-of-my-own", &Fixture::messages_of(fixture.harbour), body)
        .await;
    assert_eq!(posted.0, 200);
}
