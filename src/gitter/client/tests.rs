mod wire;

use std::{collections::VecDeque, sync::Mutex};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Response, Uri},
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::TcpListener;

use super::*;
use crate::gitter::error::BodyError;

const ROOM: &str = "5f0000000000000000000a01";
const MESSAGE: &str = "5f0000000000000000000d01";

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that answers with what it was told, in order, and remembers what it was asked.
#[derive(Clone, Default)]
struct Server {
    replies: Arc<Mutex<VecDeque<Response<Body>>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start() -> (Self, GitterClient) {
        let server = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(&listener);
        let router = Router::new().fallback(Self::answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, client)
    }

    #[expect(clippy::unused_async, reason = "axum takes async handlers only")]
    async fn answer(
        State(server): State<Self>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        server.seen.lock().unwrap().push(Seen {
            method,
            uri,
            headers,
            body,
        });
        let reply = server.replies.lock().unwrap().pop_front();
        reply.expect("a reply to every request")
    }

    fn reply(&self, status: u16, body: &impl ToString) {
        self.reply_with(status, &[], body);
    }

    fn reply_with(&self, status: u16, headers: &[(&'static str, &str)], body: &impl ToString) {
        let mut response = Response::builder()
            .status(status)
            .body(Body::from(body.to_string()))
            .unwrap();
        for (name, value) in headers {
            response
                .headers_mut()
                .insert(*name, HeaderValue::from_str(value).unwrap());
        }
        self.replies.lock().unwrap().push_back(response);
    }

    fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

fn client(listener: &TcpListener) -> GitterClient {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let api_url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    GitterClient::new(&ClientSettings {
        api_url: Url::parse(&api_url).unwrap(),
        token: SecretString::from("s3cret-token").into(),
    })
    .unwrap()
}

fn room() -> GitterRoomId {
    ROOM.parse().unwrap()
}

fn message() -> GitterMessageId {
    MESSAGE.parse().unwrap()
}

fn hello() -> NewMessage {
    NewMessage {
        text: "hello".to_owned(),
        status: false,
        parent_id: None,
        virtual_user: None,
    }
}

#[tokio::test]
async fn the_current_user_is_asked_for_with_the_token_and_the_bridges_name() {
    let (server, client) = Server::start().await;
    server.reply(
        200,
        &json!({ "id": "5f0000000000000000000c01", "username": "bridge" }),
    );
    assert_eq!(client.current_user().await.unwrap().username, "bridge");
    let seen = server.last();
    assert_eq!((seen.method, seen.uri.path()), (Method::GET, "/api/v1/user/me"));
    assert_eq!(seen.headers["authorization"], "Bearer s3cret-token");
    assert_eq!(
        seen.headers["user-agent"],
        concat!("gitter-matrix-bridge/", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn resolving_matches_whatever_the_case() {
    let (server, client) = Server::start().await;
    server.reply(
        200,
        &json!({ "id": ROOM, "uri": "Tidepool/Harbour", "public": true }),
    );
    let room = client.resolve("tidepool/harbour").await.unwrap();
    assert_eq!((room.id.as_str(), room.public), (ROOM, true));
    assert_eq!(server.last().json(), json!({ "uri": "tidepool/harbour" }));
}

#[tokio::test]
async fn nothing_that_could_be_a_users_name_is_sent() {
    let (server, client) = Server::start().await;
    for uri in ["wren", "", "/wren", "wren/", "/", "wren/ ", "a//b"] {
        let error = client.resolve(uri).await.unwrap_err();
        assert!(
            matches!(error, GitterError::NotARoomUri { .. }),
            "{uri:?}: {error:?}"
        );
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn resolving_refuses_every_other_room() {
    let (server, client) = Server::start().await;
    server.reply(200, &json!({ "id": ROOM, "oneToOne": true }));
    server.reply(200, &json!({ "id": ROOM, "uri": "tidepool/other" }));
    server.reply(301, &json!({ "error": "Moved Permanently" }));
    server.reply(404, &json!({ "error": "Not Found" }));
    let mut errors = Vec::new();
    for _ in 0..4 {
        errors.push(client.resolve("tidepool/harbour").await.unwrap_err());
    }
    assert!(matches!(&errors[0], GitterError::OneToOne { .. }), "{errors:?}");
    assert!(matches!(&errors[1], GitterError::OtherRoom { found, .. } if found == "tidepool/other"));
    assert!(matches!(&errors[2], GitterError::Renamed { .. }), "{errors:?}");
    assert_eq!(errors[3].status(), Some(StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn a_page_holds_threads_and_passes_odd_messages_on() {
    let (server, client) = Server::start().await;
    server.reply(200, &format!(r#"[{{"id":"{MESSAGE}"}},{{"odd":[]}}]"#));
    let page = MessagePage {
        after: Some(message()),
        before: None,
        limit: 1000,
        class: Class::Read,
    };
    let messages = client.messages(&room(), &page).await.unwrap();
    assert_eq!(messages[1].get(), r#"{"odd":[]}"#);
    let asked = format!("/api/v1/rooms/{ROOM}/chatMessages?includeThreads=true&limit=100&afterId={MESSAGE}");
    assert_eq!(server.last().uri.to_string(), asked);
}

#[tokio::test]
async fn a_message_that_is_not_there_is_none() {
    let (server, client) = Server::start().await;
    server.reply(404, &json!({ "error": "Not Found" }));
    server.reply(200, &json!({ "id": MESSAGE, "text": "hi", "v": 1 }));
    server.reply(403, &json!({ "error": "Forbidden" }));
    assert_eq!(client.message(&room(), &message()).await.unwrap(), None);
    assert_eq!(
        client.message(&room(), &message()).await.unwrap().unwrap().text,
        "hi"
    );
    let error = client.message(&room(), &message()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::FORBIDDEN));
    assert!(!error.outcome_unknown());
}

#[tokio::test]
async fn what_a_new_message_lacks_is_absent_not_null() {
    let (server, client) = Server::start().await;
    let reply = json!({ "id": MESSAGE, "text": "hello" });
    server.reply(200, &reply);
    server.reply(200, &reply);
    let stored = client
        .create(client.permit(Class::Live).await, &room(), &hello())
        .await
        .unwrap();
    assert_eq!(stored.v, None, "the sign of a silent ban is kept");
    assert_eq!(server.last().json(), json!({ "text": "hello", "status": false }));
    let for_ana = NewMessage {
        parent_id: Some(message()),
        virtual_user: Some(VirtualUser {
            kind: "matrix".to_owned(),
            external_id: "ana:example.org".to_owned(),
            display_name: "Ana".to_owned(),
            avatar_url: None,
        }),
        ..hello()
    };
    client
        .create(client.permit(Class::Live).await, &room(), &for_ana)
        .await
        .unwrap();
    let virtual_user = json!({ "type": "matrix", "externalId": "ana:example.org", "displayName": "Ana" });
    assert_eq!(
        server.last().json(),
        json!({ "text": "hello", "status": false, "parentId": MESSAGE, "virtualUser": virtual_user })
    );
}

#[tokio::test]
async fn a_message_is_changed_and_deleted_by_its_id() {
    let (server, client) = Server::start().await;
    let path = format!("/api/v1/rooms/{ROOM}/chatMessages/{MESSAGE}");
    server.reply(
        200,
        &json!({ "id": MESSAGE, "text": "new", "editedAt": "2020-12-01T10:01:00.000Z" }),
    );
    let changed = client
        .update(client.permit(Class::Live).await, &room(), &message(), "new")
        .await
        .unwrap();
    assert!(changed.edited_at.is_some());
    let seen = server.last();
    assert_eq!(
        (seen.method.clone(), seen.uri.path()),
        (Method::PUT, path.as_str())
    );
    assert_eq!(seen.json(), json!({ "text": "new" }));
    server.reply(204, &"");
    client
        .delete(client.permit(Class::Live).await, &room(), &message())
        .await
        .unwrap();
    let seen = server.last();
    assert_eq!((seen.method, seen.uri.path()), (Method::DELETE, path.as_str()));
    server.reply(404, &"");
    let gone = client
        .delete(client.permit(Class::Live).await, &room(), &message())
        .await
        .unwrap_err();
    assert_eq!(gone.status(), Some(StatusCode::NOT_FOUND));
}

#[tokio::test]
async fn the_probe_of_virtual_users_has_no_text() {
    let (server, client) = Server::start().await;
    for (status, allowed) in [
        (400, Some(true)),
        (403, Some(false)),
        (500, Some(true)),
        (404, None),
    ] {
        server.reply(status, &json!({ "error": "whatever" }));
        let answer = client.virtual_users_allowed(&room()).await;
        assert_eq!(answer.ok(), allowed, "{status}");
        assert_eq!(server.last().json().get("text"), None);
    }
}

#[tokio::test]
async fn a_refused_token_says_so_and_whether_all_are_gone() {
    let (server, client) = Server::start().await;
    server.reply(401, &json!({ "success": false, "loginRequired": true }));
    server.reply(401, &json!({ "error": "Unauthorized" }));
    let gone = client.current_user().await.unwrap_err();
    let plain = client.current_user().await.unwrap_err();
    assert!(
        matches!(
            gone,
            GitterError::Unauthorized {
                login_required: true,
                ..
            }
        ),
        "{gone:?}"
    );
    assert!(
        matches!(
            plain,
            GitterError::Unauthorized {
                login_required: false,
                ..
            }
        ),
        "{plain:?}"
    );
    assert!(!gone.outcome_unknown());
}

#[tokio::test]
async fn the_budget_is_read_from_the_replies_by_gitters_clock() {
    let (server, client) = Server::start().await;
    let gitter_now = Timestamp::now() + SignedDuration::from_hours(5);
    let reset = (gitter_now + SignedDuration::from_secs(30))
        .as_millisecond()
        .to_string();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&gitter_now)
        .unwrap();
    let headers = |remaining| {
        [
            ("date", date.as_str()),
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", reset.as_str()),
        ]
    };
    server.reply_with(200, &headers("97"), &json!({ "id": ROOM }));
    client.room(&room()).await.unwrap();
    let budget = client.budget().unwrap();
    assert_eq!((budget.limit, budget.remaining), (100, 97));
    let near = |time: Timestamp| {
        let ahead = time.duration_since(Timestamp::now());
        (SignedDuration::from_secs(25)..=SignedDuration::from_secs(35)).contains(&ahead)
    };
    assert!(near(budget.resets_at.unwrap()), "{budget:?}");

    server.reply_with(429, &headers("0"), &json!({ "error": "Too Many Requests" }));
    let error = client
        .create(client.permit(Class::Live).await, &room(), &hello())
        .await
        .unwrap_err();
    assert!(
        matches!(error, GitterError::RateLimited { until, .. } if near(until)),
        "{error:?}"
    );
    assert!(!error.outcome_unknown());
    assert_eq!(client.budget().unwrap().remaining, 0);
}

#[tokio::test]
async fn the_clock_offset_comes_from_the_date() {
    let (server, client) = Server::start().await;
    assert_eq!(client.clock_offset(), None);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&(Timestamp::now() - SignedDuration::from_hours(3)))
        .unwrap();
    server.reply_with(403, &[("date", date.as_str())], &"");
    client.room(&room()).await.unwrap_err();
    let wrong_by = client.clock_offset().unwrap() + SignedDuration::from_hours(3);
    assert!(wrong_by.abs() < SignedDuration::from_secs(10), "{wrong_by}");
}

#[tokio::test]
async fn a_success_that_cannot_be_read_may_have_been_stored() {
    let (server, client) = Server::start().await;
    server.reply(200, &"OK");
    let error = client
        .create(client.permit(Class::Live).await, &room(), &hello())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            GitterError::Unreadable {
                source: BodyError::Json(_),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.outcome_unknown());
    server.reply(502, &"<html>");
    assert!(
        client
            .create(client.permit(Class::Live).await, &room(), &hello())
            .await
            .unwrap_err()
            .outcome_unknown()
    );
    server.reply(400, &"");
    assert!(
        !client
            .create(client.permit(Class::Live).await, &room(), &hello())
            .await
            .unwrap_err()
            .outcome_unknown()
    );
}

#[tokio::test]
async fn an_endless_reply_is_cut_off() {
    let (server, client) = Server::start().await;
    let chunks =
        futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1 << 20])));
    server
        .replies
        .lock()
        .unwrap()
        .push_back(Response::new(Body::from_stream(chunks)));
    let error = client.room(&room()).await.unwrap_err();
    assert!(
        matches!(
            error,
            GitterError::Unreadable {
                source: BodyError::TooLarge { .. },
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (server, client) = Server::start().await;
    server.reply_with(302, &[("location", "/elsewhere")], &"");
    assert_eq!(
        client.room(&room()).await.unwrap_err().status(),
        Some(StatusCode::FOUND)
    );
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn the_token_shows_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&listener);
    drop(listener);
    let error = client.current_user().await.unwrap_err();
    assert!(!format!("{client:?} {error:?} {error}").contains("s3cret"));
    let settings = ClientSettings {
        api_url: Url::parse("http://localhost/").unwrap(),
        token: SecretString::from("s3cret\ntoken").into(),
    };
    let error = GitterClient::new(&settings).unwrap_err();
    assert!(!format!("{settings:?} {error:?} {error}").contains("s3cret"));
}
